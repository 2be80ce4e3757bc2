"""The static picture: valid SVG, safe with hostile names, faithful to peaks."""

from xml.etree import ElementTree as ET

from retinue.history import Series
from retinue.picture import panel_of, svg, thin

SVG = "{http://www.w3.org/2000/svg}"


def series(values):
    return Series(list(range(1, len(values) + 1)), list(range(len(values))), list(values))


def test_one_panel_per_kind_of_metric_with_a_line_each():
    drawn = {"train/loss": series([3.0, 2.0]), "val/loss": series([2.5]), "val/top1": series([0.1, 0.9])}
    root = ET.fromstring(svg("digits", drawn))
    assert len(root.findall(f"{SVG}g")) == 2
    assert len(root.findall(f".//{SVG}polyline")) == 3
    assert root.get("aria-label") == "digits"


def test_names_of_other_people_stay_text():
    text = svg('<script>alert("x")</script>', {'"><img src=x onerror=alert(1)>': series([1.0, 2.0])})
    root = ET.fromstring(text)
    assert {element.tag for element in root.iter()} <= {
        f"{SVG}{t}" for t in ("svg", "rect", "text", "g", "polyline", "circle")
    }


def test_without_points_it_says_so():
    assert "No points yet" in svg("empty", {"loss": series([float("nan")])})


def test_thinning_keeps_the_peaks_and_the_order():
    values = [0.0] * 10_000
    values[1234], values[7777] = 5.0, -5.0
    kept = thin(series(values))
    assert len(kept) <= 402
    assert (1234, 5.0) in kept
    assert (7777, -5.0) in kept
    assert kept == sorted(kept)


def test_panels_group_what_shares_a_scale():
    assert panel_of("train/loss") == panel_of("val/loss") == "loss"
    assert panel_of("val/top1") == "top1"
    assert panel_of("lr") == "lr"
