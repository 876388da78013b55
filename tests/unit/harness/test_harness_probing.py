"""What happened around a probe, from what the streams tell. Nothing is sent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from harness_kit import NAMESPACE, pod

from seatrial.core.errors import HttpExpectationError
from seatrial.core.model import Change
from seatrial.events import Timeline
from seatrial.harness.probing import ServiceProbe, changes
from seatrial.http import Answer
from seatrial.testing import ScriptedFeed, VirtualClock

GOING = {"deletionTimestamp": "2030-01-01T00:00:00Z"}


def slice_of(**endpoints):
    conditions = {
        "ready": {"ready": True},
        "waiting": {"ready": False},
        "serving": {"ready": False, "serving": True, "terminating": True},
        "ending": {"ready": False, "serving": False, "terminating": True},
    }
    return {
        "kind": "EndpointSlice",
        "metadata": {"name": "web-x", "namespace": NAMESPACE, "uid": "u"},
        "endpoints": [
            {"targetRef": {"name": name}, "conditions": conditions[word], "addresses": ["10.0.0.1"]}
            for name, word in endpoints.items()
        ],
    }


def node(**spec):
    return {"kind": "Node", "metadata": {"name": "n", "uid": "n"}, "spec": spec}


def event(reason, message="it did"):
    return {
        "kind": "Event",
        "metadata": {"name": reason, "namespace": NAMESPACE, "uid": reason, "resourceVersion": "9"},
        "involvedObject": {"kind": "Pod", "name": "web-1", "namespace": NAMESPACE},
        "reason": reason,
        "type": "Normal",
        "message": message,
        "count": 1,
    }


def told(*objects):
    feed = ScriptedFeed()
    for change, obj in objects:
        feed.at(0, change, obj)
    return [moment.what for moment in changes(feed.records())]


def test_a_pod_becomes_ready_goes_and_is_gone():
    assert told(
        (Change.ADDED, pod("web-1", ready=False)),
        (Change.MODIFIED, pod("web-1", ready=False)),
        (Change.MODIFIED, pod("web-1")),
        (Change.MODIFIED, pod("web-1", **GOING)),
        (Change.DELETED, pod("web-1", **GOING)),
    ) == [
        "Pod/web-1: is there, not ready",
        "Pod/web-1: is there, ready",
        "Pod/web-1: is going, ready",
        "Pod/web-1: is gone",
    ]


def test_a_slice_tells_who_takes_requests():
    assert told(
        (Change.ADDED, slice_of(a="ready", b="waiting")),
        (Change.MODIFIED, slice_of(a="serving", b="ready")),
        (Change.MODIFIED, slice_of(a="ending", b="ready")),
        (Change.MODIFIED, slice_of(b="ready")),
        (Change.DELETED, slice_of(b="ready")),
    ) == [
        "EndpointSlice/web-x: Pod/a takes requests, Pod/b is not ready",
        "EndpointSlice/web-x: Pod/a terminates, still serving, Pod/b takes requests",
        "EndpointSlice/web-x: Pod/a terminates",
        "EndpointSlice/web-x: Pod/a is out",
        "EndpointSlice/web-x: Pod/b is out",
    ]


def test_an_endpoint_without_a_pod_goes_by_its_address():
    bare = slice_of(a="ready")
    del bare["endpoints"][0]["targetRef"]
    bare["endpoints"][0]["conditions"] = {}
    assert told((Change.ADDED, bare)) == ["EndpointSlice/web-x: Pod/10.0.0.1 takes requests"]


def test_a_node_is_cordoned_and_takes_pods_again():
    assert told(
        (Change.ADDED, node()),
        (Change.MODIFIED, node(unschedulable=True)),
        (Change.MODIFIED, node()),
    ) == ["Node/n: takes pods", "Node/n: takes no new pods", "Node/n: takes pods"]


def test_gaps_and_other_kinds_are_left_out():
    feed = ScriptedFeed()
    feed.at(0, Change.GAP, kind="Pod", note="410")
    feed.at(0, Change.ADDED, {"kind": "ConfigMap", "metadata": {"name": "c"}})
    assert list(changes(feed.records())) == []


def test_failures_stand_among_events_and_changes_of_the_probes_own_time():
    feed = ScriptedFeed()
    feed.at(0, Change.LISTED, pod("web-1"))
    feed.at(0, Change.LISTED, event("Listed"))
    probe = ServiceProbe("http://127.0.0.1:1/", feed=feed, events=Timeline(feed), rate=10)
    feed.at(1, Change.ADDED, event("Killing", "Stopping\n  container web " + "x" * 200))
    feed.at(2, Change.MODIFIED, pod("web-1", **GOING))
    feed.at(2, Change.MODIFIED, pod("web-1", **GOING))
    feed.clock.advance(3)

    def answer(number, began, result):
        wall = VirtualClock.EPOCH + timedelta(seconds=began)
        return Answer(number, began, wall, 0.5, result, result == "200 OK")

    probe._answers = [answer(1, 0.5, "200 OK"), answer(2, 2.5, "refused")]
    with pytest.raises(HttpExpectationError) as raised:
        probe.assert_no_failures()
    _, _, killing, going, failed = raised.value.details.splitlines()
    assert killing.startswith("    0.500 s  Pod/web-1 Killing: Stopping container web xxx")
    assert killing.endswith("…")
    assert going == "    1.500 s  Pod/web-1: is going, ready"
    assert failed == "!   2.000 s  request 2: refused (0.500 s)"
    assert raised.value.hint.startswith("a pod may go only once nobody sends to it any more")
