"""What overlapping streams tell becomes one story."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from seatrial.core.model import Change, Record
from seatrial.watch.shelf import Admission, Shelf
from seatrial.watch.stream import newer

ADDED, MODIFIED, DELETED, LISTED = Change.ADDED, Change.MODIFIED, Change.DELETED, Change.LISTED


def pod(version, uid="u1"):
    meta = {"name": "web", "namespace": "demo", "uid": uid, "resourceVersion": str(version)}
    return {"kind": "Pod", "metadata": meta}


@pytest.mark.parametrize(
    "story",
    [
        pytest.param(
            [("A", LISTED, 1, LISTED), ("A", MODIFIED, 2, MODIFIED), ("A", DELETED, 3, DELETED)],
            id="one stream",
        ),
        pytest.param(
            [("A", ADDED, 1, ADDED), ("B", ADDED, 1, None), ("B", MODIFIED, 2, MODIFIED)],
            id="the first to tell is heard",
        ),
        pytest.param(
            [("A", ADDED, 1, ADDED), ("A", MODIFIED, 3, MODIFIED), ("B", MODIFIED, 2, None)],
            id="old news are none",
        ),
        pytest.param(
            [("A", ADDED, 1, ADDED), ("B", LISTED, 2, MODIFIED)],
            id="a second stream's first list may bring a change",
        ),
        pytest.param(
            [
                ("A", ADDED, 1, ADDED),
                ("B", ADDED, 1, None),
                ("A", DELETED, 2, None),
                ("B", DELETED, 2, DELETED),
            ],
            id="gone when the last stream says so",
        ),
        pytest.param(
            [
                ("A", ADDED, 1, ADDED),
                ("A", DELETED, 3, DELETED),
                ("B", ADDED, 1, None),
                ("B", MODIFIED, 2, None),
                ("B", DELETED, 3, None),
            ],
            id="a slow stream does not bring the dead back",
        ),
        pytest.param(
            [("A", ADDED, 1, ADDED), ("A", DELETED, 2, DELETED), ("A", ADDED, 3, ADDED)],
            id="an object leaves a selector and returns",
        ),
        pytest.param(
            [("A", LISTED, 5, LISTED), ("A", DELETED, 5, DELETED), ("A", ADDED, 5, None)],
            id="a deletion found by a list has the last known version",
        ),
        pytest.param([("A", DELETED, 5, None)], id="never seen"),
    ],
)
def test_overlapping_streams_become_one_story(story):
    admission = Admission()
    assert [admission.admit(who, what, pod(version)) for who, what, version, _ in story] == [
        expected for *_, expected in story
    ]


def test_a_late_deletion_does_not_take_the_successor_away():
    shelf = Shelf()
    for number, (change, obj) in enumerate(
        [(ADDED, pod(1, "old")), (ADDED, pod(2, "new")), (DELETED, pod(3, "old"))], start=1
    ):
        wall = datetime(2030, 1, 1, tzinfo=timezone.utc)
        shelf.apply(Record(number, 0.0, wall, change, "Pod", obj))
    assert shelf.snapshot().get("Pod", "web")["metadata"]["uid"] == "new"


@pytest.mark.parametrize(
    ("version", "than", "expected"),
    [
        ("10", "9", True),
        ("9", "10", False),
        ("9", "9", False),
        ("10", "", True),
        ("abc", "abd", True),
        ("abc", "abc", False),
    ],
)
def test_versions_are_compared_as_numbers_where_they_are_numbers(version, than, expected):
    assert newer(version, than) is expected


def test_what_is_gone_can_be_forgotten_and_what_is_there_cannot():
    admission = Admission()
    admission.admit("A", ADDED, pod(1))
    admission.forget(pod(1))
    assert admission.admit("B", ADDED, pod(1)) is None
    admission.admit("A", DELETED, pod(2))
    admission.admit("B", DELETED, pod(2))
    assert admission.admit("B", ADDED, pod(1)) is None
    admission.forget(pod(2))
    assert admission.admit("B", ADDED, pod(1)) is ADDED
    admission.forget(pod(9, uid="never seen"))
