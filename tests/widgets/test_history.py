"""The point store behind a chart: complete, ordered, without doubles."""

import math

from hypothesis import given
from hypothesis import strategies as st

from retinue.history import History


def point(seq, **values):
    return {"seq": seq, "step": seq, "values": values}


def test_overlapping_batches_add_each_point_once():
    history = History()
    history.add([point(1, loss=3.0), point(2, loss=2.0)], 2)
    new = history.add([point(2, loss=2.0), point(3, loss=1.0)], 3)
    assert [p["seq"] for p in new] == [3]
    assert history.series["loss"].value == [3.0, 2.0, 1.0]


def test_nan_and_infinity_come_back_as_numbers():
    history = History()
    history.add([point(1, loss="NaN", lr="-Infinity")], 1)
    assert math.isnan(history.series["loss"].value[0])
    assert history.series["lr"].value == [-math.inf]


def test_a_new_attempt_begins_again():
    history = History()
    history.add([point(1, loss=3.0)], 1)
    history.restart(2)
    assert (history.attempt, history.seq, history.series) == (2, 0, {})
    assert history.add([point(1, loss=9.0)], 1)


@given(st.lists(st.integers(0, 40), max_size=12))
def test_any_reconnects_give_the_whole_once(cuts):
    """However often the connection breaks and wherever it goes on, the history is the sequence."""
    history = History()
    for cut in [*cuts, 40]:
        start = min(history.seq, cut)
        history.add([point(s, loss=float(s)) for s in range(start + 1, cut + 1)], cut)
    assert history.series["loss"].seq == list(range(1, 41))
    assert [p["seq"] for p in history.after(30)] == list(range(31, 41))
