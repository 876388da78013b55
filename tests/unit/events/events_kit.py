"""Events for the tests of this folder: raw ones as the API server sends them, and occurrences."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from seatrial.core.model import Change, ObjectRef
from seatrial.events import Occurrence, Timeline
from seatrial.testing import ScriptedFeed, VirtualClock

EPOCH = datetime(2030, 1, 1, tzinfo=timezone.utc)

SOURCES = {
    "ScalingReplicaSet": "deployment-controller",
    "SuccessfulCreate": "replicaset-controller",
    "SuccessfulDelete": "replicaset-controller",
    "Scheduled": "default-scheduler",
    "FailedScheduling": "default-scheduler",
}


def stamp(seconds):
    """What a component writes as a time: whole seconds."""
    return (EPOCH + timedelta(seconds=int(seconds))).strftime("%Y-%m-%dT%H:%M:%SZ")


def ref(on):
    kind, _, name = on.partition("/")
    return ObjectRef(kind, name, namespace="trial", uid=f"uid-of-{on}")


_serial = iter(range(1, 10**9))


def raw(
    reason,
    on="Pod/flask-abc",
    *,
    message="",
    type="Normal",  # noqa: A002 - the field's name in Kubernetes
    count=1,
    source="",
    container="",
    **more,
):
    """A core/v1 Event; `uid`, `revision` and `at` (s) go to its metadata and times."""
    serial = next(_serial)
    about = ref(on)
    involved = {"kind": about.kind, "name": about.name, "namespace": "trial", "uid": about.uid}
    if container:
        involved["fieldPath"] = f"spec.containers{{{container}}}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"event-{serial}",
            "namespace": "trial",
            "uid": more.get("uid", f"event-{serial}"),
            "resourceVersion": str(more.get("revision", serial)),
        },
        "involvedObject": involved,
        "reason": reason,
        "message": message,
        "type": type,
        "count": count,
        "source": {"component": source or SOURCES.get(reason, "kubelet")},
        "lastTimestamp": stamp(more.get("at", 0)),
    }


def seen(reason, on="Pod/flask-abc", *, at=0.0, source="", **more):
    """An occurrence that was watched, or listed with `listed=True`, at that second."""
    return Occurrence(
        number=more.pop("number", 0),
        received=at,
        wall=EPOCH + timedelta(seconds=at),
        reason=reason,
        type=more.pop("type", "Normal"),
        message=more.pop("message", ""),
        count=more.pop("count", 1),
        new=more.pop("new", 1),
        object=ref(on),
        source=source or SOURCES.get(reason, "kubelet"),
        **more,
    )


def history(*steps):
    """Occurrences from (seconds, reason, on), in that order."""
    return [seen(reason, on, at=at) for at, reason, on in steps]


def watching(*steps, start=0):
    """A clock, a feed and its timeline; the feed's script is (seconds, change, raw event)."""
    clock = VirtualClock()
    feed = ScriptedFeed(clock)
    for seconds, change, event in steps:
        feed.at(seconds, change, event, kind="Event")
    return clock, feed, Timeline(feed, start=start)


def added(seconds, reason, on="Pod/flask-abc", **more):
    """A step for `watching`."""
    return seconds, Change.ADDED, raw(reason, on, **more)


DEPLOYMENT, REPLICASET, POD = "Deployment/flask", "ReplicaSet/flask-6d4", "Pod/flask-6d4-abc"


def rollout(kubernetes="1.37", *, pod=POD):
    """Steps of the tutorial's rollout, with the messages of that Kubernetes release."""
    created, started = {
        "1.34": ("Created container: web", "Started container web"),
        "1.37": ("Container created", "Container started"),
    }[kubernetes]
    present = 'Container image "flask:1" already present on machine'
    name = pod.partition("/")[2]
    return [
        added(
            0.10,
            "ScalingReplicaSet",
            DEPLOYMENT,
            message="Scaled up replica set flask-6d4 from 0 to 1",
        ),
        added(0.21, "SuccessfulCreate", REPLICASET, message=f"Created pod: {name}"),
        added(0.22, "Scheduled", pod, message=f"Successfully assigned trial/{name} to node-1"),
        added(0.90, "Pulled", pod, message=present, container="web"),
        added(0.95, "Created", pod, message=created, container="web"),
        added(1.02, "Started", pod, message=started, container="web"),
    ]
