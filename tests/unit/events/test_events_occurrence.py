from datetime import datetime, timedelta, timezone

import pytest
from events_kit import EPOCH, raw

from seatrial.core.model import Change, ObjectRef, Record
from seatrial.events import Occurrence


def read(event, change=Change.ADDED, *, known=0):
    return Occurrence.of(Record(7, 1.5, EPOCH, change, "Event", event), known=known)


def test_a_core_event_is_read_field_by_field():
    event = raw(
        "Pulled",
        "Pod/flask-abc",
        message="already present on machine",
        container="web",
        uid="e-1",
        revision=412,
        at=3,
    )
    seen = read(event)
    assert seen == Occurrence(
        number=0,
        received=1.5,
        wall=EPOCH,
        reason="Pulled",
        type="Normal",
        message="already present on machine",
        count=1,
        new=1,
        object=ObjectRef("Pod", "flask-abc", "trial", "uid-of-Pod/flask-abc"),
        field_path="spec.containers{web}",
        container="web",
        source="kubelet",
        uid="e-1",
        revision=412,
        listed=False,
        aggregated=False,
        stamped=EPOCH + timedelta(seconds=3),
    )
    assert str(seen) == "Pod/flask-abc Pulled: already present on machine"


def test_an_event_of_the_events_api_group_is_read_as_well():
    seen = read(
        {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"uid": "e-2", "resourceVersion": "413"},
            "regarding": {"kind": "Pod", "name": "flask-abc", "namespace": "trial"},
            "reason": "FailedScheduling",
            "note": "0/1 nodes are available",
            "type": "Warning",
            "reportingController": "default-scheduler",
            "eventTime": "2030-01-01T00:00:01.250000Z",
            "series": {"count": 4, "lastObservedTime": "2030-01-01T00:00:09.500000Z"},
        }
    )
    assert (seen.reason, seen.message) == ("FailedScheduling", "0/1 nodes are available")
    assert (seen.count, seen.source) == (4, "default-scheduler")
    assert seen.object == ObjectRef("Pod", "flask-abc", "trial")
    assert seen.stamped == EPOCH + timedelta(seconds=9.5)


def test_the_schedulers_event_seen_through_the_core_api_has_a_source_and_a_time():
    event = raw("Scheduled")
    event |= {
        "source": {},
        "reportingComponent": "default-scheduler",
        "count": None,
        "lastTimestamp": None,
        "eventTime": "2030-01-01T00:00:01.250000Z",
    }
    seen = read(event)
    assert seen.source == "default-scheduler"
    assert seen.count == 1
    assert seen.stamped == EPOCH + timedelta(seconds=1.25)


POD = {"kind": "Pod", "name": "flask-abc", "namespace": "trial", "uid": "u"}
SEEN_THRICE = {
    # what client-go's `record` wrote
    "record, through core/v1": {
        "apiVersion": "v1",
        "involvedObject": {**POD, "fieldPath": "spec.containers{web}"},
        "message": "Back-off restarting",
        "count": 3,
        "source": {"component": "kubelet", "host": "node-1"},
        "reportingComponent": "kubelet",
        "reportingInstance": "node-1",
        "eventTime": None,
        "firstTimestamp": "2030-01-01T00:00:01Z",
        "lastTimestamp": "2030-01-01T00:00:09Z",
    },
    "record, through events.k8s.io/v1": {
        "apiVersion": "events.k8s.io/v1",
        "regarding": {**POD, "fieldPath": "spec.containers{web}"},
        "note": "Back-off restarting",
        "deprecatedCount": 3,
        "deprecatedSource": {"component": "kubelet", "host": "node-1"},
        "reportingController": "kubelet",
        "reportingInstance": "node-1",
        "eventTime": None,
        "deprecatedFirstTimestamp": "2030-01-01T00:00:01Z",
        "deprecatedLastTimestamp": "2030-01-01T00:00:09Z",
    },
    # what client-go's `events` wrote
    "events, through core/v1": {
        "apiVersion": "v1",
        "involvedObject": {**POD, "fieldPath": "spec.containers{web}"},
        "message": "Back-off restarting",
        "action": "Restarting",
        "source": {},
        "reportingComponent": "kubelet",
        "eventTime": "2030-01-01T00:00:01.000000Z",
        "series": {"count": 3, "lastObservedTime": "2030-01-01T00:00:09.000000Z"},
        "firstTimestamp": None,
        "lastTimestamp": None,
    },
    "events, through events.k8s.io/v1": {
        "apiVersion": "events.k8s.io/v1",
        "regarding": {**POD, "fieldPath": "spec.containers{web}"},
        "note": "Back-off restarting",
        "action": "Restarting",
        "deprecatedSource": {},
        "reportingController": "kubelet",
        "eventTime": "2030-01-01T00:00:01.000000Z",
        "series": {"count": 3, "lastObservedTime": "2030-01-01T00:00:09.000000Z"},
        "deprecatedFirstTimestamp": None,
        "deprecatedLastTimestamp": None,
    },
}


@pytest.mark.parametrize("shape", SEEN_THRICE)
def test_all_four_shapes_of_an_event_are_read_alike(shape):
    common = {
        "kind": "Event",
        "metadata": {
            "name": "flask-abc.17",
            "namespace": "trial",
            "uid": "e-1",
            "resourceVersion": "412",
            "creationTimestamp": "2030-01-01T00:00:01Z",
        },
        "reason": "BackOff",
        "type": "Warning",
    }
    assert read(common | SEEN_THRICE[shape], known=1) == Occurrence(
        number=0,
        received=1.5,
        wall=EPOCH,
        reason="BackOff",
        type="Warning",
        message="Back-off restarting",
        count=3,
        new=2,
        object=ObjectRef("Pod", "flask-abc", "trial", "u"),
        field_path="spec.containers{web}",
        container="web",
        source="kubelet",
        uid="e-1",
        revision=412,
        stamped=EPOCH + timedelta(seconds=9),
    )


@pytest.mark.parametrize(
    ("counters", "count"),
    [
        ({}, 1),
        ({"count": 0}, 1),
        ({"count": 4}, 4),
        ({"deprecatedCount": 4}, 4),
        ({"series": {"count": 4}}, 4),
        ({"series": {"count": 2}, "count": 4}, 4),
        ({"series": {"count": 4}, "deprecatedCount": 1}, 4),
    ],
)
def test_the_highest_counter_is_the_count(counters, count):
    assert read({"kind": "Event", **counters}).count == count


def test_a_rising_count_says_how_many_occurrences_are_new():
    seen = read(raw("BackOff", count=4), Change.MODIFIED, known=1)
    assert (seen.count, seen.new) == (4, 3)


def test_what_a_list_delivered_is_marked():
    assert read(raw("Pulled"), Change.LISTED).listed


def test_the_text_of_merged_events_is_without_the_mark():
    merged = read(raw("Unhealthy", message="(combined from similar events): Readiness: x"))
    assert (merged.aggregated, merged.text) == (True, "Readiness: x")
    assert read(raw("Unhealthy", message="Readiness: x")).text == "Readiness: x"


def test_merged_events_are_marked():
    assert read(raw("Unhealthy", message="(combined from similar events): probe")).aggregated
    assert not read(raw("Unhealthy", message="probe (combined from similar events)")).aggregated


@pytest.mark.parametrize(
    ("path", "container"),
    [
        ("spec.containers{web}", "web"),
        ("spec.initContainers{migrate}", "migrate"),
        ("spec.ephemeralContainers{debugger}", "debugger"),
        ("spec.containers[2]", ""),
        ("", ""),
    ],
)
def test_the_container_is_read_from_the_field_path(path, container):
    event = raw("Pulled")
    event["involvedObject"]["fieldPath"] = path
    assert read(event).container == container


def test_an_event_with_hardly_anything_in_it_can_be_read():
    seen = read({"kind": "Event", "metadata": {"resourceVersion": "not-a-number"}})
    assert (seen.reason, seen.source, seen.count, seen.revision) == ("", "", 1, 0)
    assert seen.object == ObjectRef("", "")
    assert seen.stamped is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yesterday", None),
        ("2030-01-01T00:00:05", datetime(2030, 1, 1, 0, 0, 5, tzinfo=timezone.utc)),
    ],
)
def test_a_stamp_that_cannot_be_read_is_left_out_and_one_without_zone_is_utc(text, expected):
    event = raw("Pulled")
    event["lastTimestamp"] = text
    assert read(event).stamped == expected
