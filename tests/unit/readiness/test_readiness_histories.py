"""Histories: slow and healthy starts are never called impossible, flapping ones always are."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from readiness_objects import deployment, event, merged, pod, replica_set

from seatrial.core.errors import NotReadyError
from seatrial.core.model import Change
from seatrial.readiness import ready, wait_until
from seatrial.testing import ScriptedFeed

FLASK = ready("Deployment/flask", "shop")
TAINTED = (
    "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }."
)
PROBE = {"containers": [{"name": "web", "image": "flask:1", "readinessProbe": {"httpGet": {}}}]}


def _web(state, **more):
    return [{"name": "web", "restartCount": 0, "state": state, **more}]


def _stage(name, message=""):
    """The pod as it is during one stage of its start."""
    if name == "tainted":
        condition = {"type": "PodScheduled", "status": "False", "message": TAINTED}
        return {"status": {"conditions": [condition], "containerStatuses": None}}
    states = {
        "creating": _web({"waiting": {"reason": "ContainerCreating"}}),
        "config": _web({"waiting": {"reason": "CreateContainerConfigError", "message": message}}),
        "crashed": _web({"terminated": {"exitCode": 1, "reason": "Error"}}),
        "starting": _web({"running": {}}, started=True, ready=False),
    }
    phase = "Running" if name in ("crashed", "starting") else "Pending"
    return {"spec": PROBE, "status": {"phase": phase, "containerStatuses": states[name]}}


def _ready_pod(restarts):
    status = {"name": "web", "ready": True, "restartCount": restarts, "state": {"running": {}}}
    return {"spec": PROBE, "status": {"phase": "Running", "containerStatuses": [status]}}


@st.composite
def healthy_starts(draw):
    """(seconds, stage) of one pod that comes up in the end, with all that may delay it."""

    def lasting(limit):
        return draw(st.floats(0.0, limit, allow_nan=False))

    stages = []
    if draw(st.booleans()):
        stages.append((lasting(25.0), _stage("tainted"), []))
    mount = {
        "reason": "FailedMount",
        "message": 'MountVolume.SetUp failed for volume "c" : configmap "late" not found',
    }
    late = draw(st.sampled_from(["no", "environment", "volume"]))
    if late == "volume":
        stages.append((lasting(4.0), _stage("creating"), [mount]))
    pulling = {"reason": "Pulling", "in": "web", "type": "Normal", "message": "Pulling image"}
    stages.append((lasting(60.0), _stage("creating"), [pulling]))
    if late == "environment":
        stages.append((lasting(4.0), _stage("config", 'configmap "late" not found'), []))
    restarts = draw(st.integers(0, 1))
    if restarts:
        stages.append((lasting(10.0), _stage("crashed"), []))
    unhealthy = {
        "reason": "Unhealthy",
        "in": "web",
        "message": "Readiness probe failed: HTTP probe failed with statuscode: 503",
    }
    stages.append((lasting(100.0), _stage("starting"), [unhealthy] if draw(st.booleans()) else []))
    return stages, restarts


def _play(stages, restarts):
    feed = ScriptedFeed()
    feed.at(0.0, Change.ADDED, deployment())
    feed.at(0.0, Change.ADDED, replica_set())
    now, number = 0.0, 0
    for lasting, stage, events in stages:
        feed.at(now, Change.MODIFIED, pod(stage))
        for each in events:
            number += 1
            feed.at(now, Change.ADDED, event(each, number))
        now += lasting
    feed.at(now, Change.MODIFIED, pod(_ready_pod(restarts)))
    available = {"status": {"observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": 1}}
    feed.at(now, Change.MODIFIED, deployment(available))
    return feed, now


@settings(max_examples=40, deadline=None)
@given(healthy_starts())
def test_a_slow_and_healthy_start_is_never_impossible(start):
    feed, end = _play(*start)

    assert wait_until(FLASK, feed, timeout=500).reason == "Available"
    assert feed.clock.now == pytest.approx(end, abs=0.3)


PULLS = (
    ("ErrImagePull", "failed to do request: Head: dial tcp: lookup r.example: no such host"),
    ("ImagePullBackOff", 'Back-off pulling image "flask:1"'),
    (
        "ImagePullBackOff",
        'Back-off pulling image "flask:1": ErrImagePull: dial tcp 192.0.2.1:443: i/o timeout',
    ),
    ("ErrImagePull", "dial tcp 192.0.2.1:443: connect: connection refused"),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PULLS), st.floats(0.5, 8.0)), min_size=12, max_size=20))
def test_an_image_pull_that_flaps_between_its_reasons_is_impossible_in_the_end(flapping):
    feed = ScriptedFeed()
    feed.at(0.0, Change.ADDED, deployment())
    feed.at(0.0, Change.ADDED, replica_set())
    now = 0.0
    for (reason, message), lasting in flapping:
        waiting = {"waiting": {"reason": reason, "message": message}}
        feed.at(now, Change.MODIFIED, pod({"status": {"containerStatuses": _web(waiting)}}))
        now += lasting

    with pytest.raises(NotReadyError) as failed:
        wait_until(FLASK, feed, timeout=100)

    assert failed.value.cause.startswith(
        'Pod/flask-7d4-x cannot start: image "flask:1" cannot be pulled: '
    )
    assert feed.clock.now <= 31


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.5, 6.0), min_size=3, max_size=6), st.integers(0, 3))
def test_a_crash_loop_is_impossible_whatever_state_it_is_seen_in(runs, expected):
    feed = ScriptedFeed()
    feed.at(0.0, Change.ADDED, deployment())
    feed.at(0.0, Change.ADDED, replica_set())
    now, second_crash = 0.0, 0.0
    ended = {"terminated": {"exitCode": 3, "reason": "Error"}}
    for restarts in range(expected + 3):
        last = {"lastState": ended} if restarts else {}
        base = merged(_web({"running": {}}, **last)[0], {"restartCount": restarts})
        feed.at(now, Change.MODIFIED, _running(base))
        now += runs[restarts % len(runs)]
        if restarts == expected + 1:
            second_crash = now
        feed.at(now, Change.MODIFIED, _running(merged(base, {"state": ended})))
        now += 0.5
        backing_off = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended}
        feed.at(now, Change.MODIFIED, _running({**base, **backing_off}))
        now += 0.5

    with pytest.raises(NotReadyError, match=rf"crashed {expected + 2} times with exit code 3"):
        wait_until(FLASK, feed, timeout=300, expect_restarts=expected)

    assert feed.clock.now == pytest.approx(second_crash, abs=0.3)


def _running(status):
    status = {**status, "state": dict(list(status["state"].items())[-1:])}
    return pod({"status": {"phase": "Running", "containerStatuses": [status]}})
