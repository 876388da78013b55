"""Each ready-made sequence: seen on a real cluster, and refused where it did not happen."""

from __future__ import annotations

import pytest

from seatrial import EventMismatchError, event
from seatrial.events.sequences import (
    CRASH_LOOP,
    FAILED_PULL,
    FRESH_ROLLOUT,
    FRESH_ROLLOUT_WITH_PULL,
    NODE_START,
    POD_DELETION,
    ROLLBACK,
    ROLLING_UPDATE,
    SCALE_DOWN,
    SCALE_UP,
)

FLASK = "Deployment/flask"
#: seconds for the kubelet to have told of a Pod's end: the preStop hook takes one of them
ENDING = 15


@pytest.fixture
def release(k8s_deploy, broken_deployment):
    """Two replicas of the application."""
    release = k8s_deploy(
        {**broken_deployment(), "spec": {**broken_deployment()["spec"], "replicas": 2}}
    )
    release.wait_ready()
    return release


def changed(value):
    """A patch that makes a new revision of the Deployment."""
    return {"spec": {"template": {"metadata": {"annotations": {"change": value}}}}}


def refused(events, sequence):
    with pytest.raises(EventMismatchError) as raised:
        events.expect(sequence)
    return str(raised.value)


def test_a_fresh_rollout(release, k8s_events):
    match = k8s_events.expect(FRESH_ROLLOUT, FRESH_ROLLOUT.of(FLASK, replicas=2))
    assert len(match.all("Started")) >= 2
    assert "Pulling" in refused(k8s_events, FRESH_ROLLOUT_WITH_PULL)
    refused(k8s_events, FRESH_ROLLOUT.of(FLASK, replicas=3))
    refused(k8s_events, ROLLING_UPDATE)


def test_a_rolling_update_and_a_rollback(release, k8s_events, k8s_cluster):
    release.rollout(patch=changed("two"))
    k8s_events.expect(ROLLING_UPDATE.of(FLASK, replicas=2), within=ENDING)
    refused(k8s_events, ROLLBACK)
    k8s_cluster.kubectl("rollout", "undo", "deployment/flask", f"--namespace={release.namespace}")
    k8s_events.expect(ROLLBACK.of(FLASK, replicas=2), within=60)
    refused(k8s_events, SCALE_UP)


def test_scaling_up_and_down(release, k8s_events):
    release.rollout(patch={"spec": {"replicas": 4}})
    k8s_events.expect(SCALE_UP.of(FLASK, replicas=4))
    refused(k8s_events, SCALE_DOWN)
    release.rollout(patch={"spec": {"replicas": 1}})
    k8s_events.expect(SCALE_DOWN.of(FLASK, replicas=1), within=ENDING)
    refused(k8s_events, POD_DELETION)


def test_the_deletion_of_a_pod(release, k8s_events, k8s_cluster):
    pod = release.pods()[0]["metadata"]["name"]
    refused(k8s_events, POD_DELETION)
    k8s_cluster.kubectl("delete", "pod", pod, f"--namespace={release.namespace}")
    match = k8s_events.expect(POD_DELETION.of(FLASK), within=ENDING)
    assert match["Killing"].object.name == pod


def test_a_crash_loop(k8s_deploy, broken_deployment, k8s_events):
    command = ["python3", "-c", "raise SystemExit(3)"]
    k8s_deploy(broken_deployment(container={"command": command}))
    k8s_events.expect(CRASH_LOOP.of(FLASK), within=30)
    k8s_events.expect(event("BackOff", count=2, type="Warning"), within=30)
    refused(k8s_events, FAILED_PULL)


def test_a_failed_pull(k8s_deploy, broken_deployment, k8s_events):
    k8s_deploy(broken_deployment(container={"image": "registry.invalid/team/flask:nope"}))
    k8s_events.expect(FAILED_PULL.of(FLASK), within=30)
    refused(k8s_events, CRASH_LOOP)


def test_a_fresh_rollout_with_a_pull(
    registry, k8s_image, k8s_deploy, k8s_events, broken_deployment
):
    reference = registry.push(k8s_image, "flask:pulled", copy=True)
    release = k8s_deploy(broken_deployment(container={"image": reference}))
    release.wait_ready()
    match = k8s_events.expect(FRESH_ROLLOUT_WITH_PULL.of(FLASK, replicas=1))
    assert reference in match["Pulling"].message
    assert "Successfully pulled" in match["Pulled"].message
    refused(k8s_events, FRESH_ROLLOUT.of(FLASK))
    release.delete()
    k8s_events.expect(event("Killing", on="Pod/flask-*"), within=ENDING)


def test_the_start_of_a_node(k8s_cluster):
    node = k8s_cluster.nodes[0].name
    k8s_cluster.events("default").expect(NODE_START, NODE_START.of(f"Node/{node}"), within=10)
