"""How counts and foreign messages become one line."""

from __future__ import annotations

from readiness_objects import pod

from seatrial.core.model import ObjectRef, Snapshot
from seatrial.readiness.pods import PodView
from seatrial.readiness.wording import listed, one_line, quantity, seconds, times


def test_a_long_message_is_cut_and_a_broken_one_joined():
    assert one_line("a\n  b\tc") == "a b c"
    assert one_line("abcdef", 4) == "abc…"


def test_a_long_list_is_counted():
    assert listed(["a", "b"]) == "a, b"
    assert listed(list("abcdefg")) == "a, b, c, d, e and 2 more"


def test_quantities_are_numbers():
    assert [quantity(text) for text in ("500m", "2", "1k", "1Ki", "1.5Gi", "x")] == [
        0.5, 2.0, 1000.0, 1024.0, 1.5 * 1024**3, 0.0,
    ]  # fmt: skip


def test_durations_and_counts_are_short():
    assert [seconds(30.0), seconds(2.345), times(1), times(3)] == [
        "30 s",
        "2.3 s",
        "once",
        "3 times",
    ]


def test_only_a_controller_is_a_pods_owner():
    shared = {"kind": "Batch", "name": "b", "uid": "u"}
    own = {**shared, "kind": "Job", "controller": True}

    def owner(*references):
        obj = pod({"metadata": {"ownerReferences": list(references)}})
        return PodView(Snapshot.of(obj), obj, ObjectRef.of(obj)).owner

    assert owner(shared) is None
    assert owner(shared, own) == ObjectRef("Job", "b", "shop", "u")
