"""Every pair of formats converts: what both can hold arrives, and whatever does not is told."""

from tests.sdk.conversions import losses_between, readers, writers
from tests.sdk.samples import sample


def test_every_pair_converts_and_tells_its_losses():
    found = losses_between()
    assert {name for name, _, _ in found} == {other for _, _, other in found} == set(writers())
    assert len(readers()) > len(writers()) > 15


def test_what_holds_everything_loses_nothing(tmp_path):
    assert all(not losses for (_, _, other), losses in losses_between().items() if other == "ndjson")
    full = sample("polygon", tmp_path)
    assert full.images["group"].any()
    assert full.class_ids == [1, 2, 9]


def test_a_loss_is_told_where_there_is_one():
    found = losses_between()
    assert "loss_shape" in found["yolo_segment", "polygon", "yolo_detect"]
    assert "loss_kind" in found["image_folder", "class", "yolo_detect"]
    assert found["yolo_detect", "box", "yolo_detect"] == []
