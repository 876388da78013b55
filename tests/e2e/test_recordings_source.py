"""What the recordings below `tests/unit/recordings` are of; `docs/recording.md` says how they are
made. Each test is as small as can be: an object more is kilobytes more."""

from __future__ import annotations

import pytest

from seatrial import EventMismatchError, NotReadyError, each_pod, event, in_order, never
from seatrial.core.model import dig

POD = ("spec", "template", "spec")


@pytest.fixture
def flask(k8s_deploy, k8s_image):
    """Deploys the application's image in a Deployment that has no more than it needs."""

    def deploy(**change):
        container = {"name": "flask", "image": k8s_image.reference, **change}
        return k8s_deploy({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "flask"},
            "spec": {
                "selector": {"matchLabels": {"app": "flask"}},
                "template": {
                    "metadata": {"labels": {"app": "flask"}},
                    "spec": {
                        "containers": [container],
                        "automountServiceAccountToken": False,
                        "terminationGracePeriodSeconds": 1,
                    },
                },
            },
        })  # fmt: skip

    return deploy


def test_rollout(k8s_deploy, k8s_image, manifests, k8s_events):
    release = k8s_deploy(manifests, images={"flask": k8s_image})
    release.wait_ready()
    k8s_events.expect(
        in_order(
            event("ScalingReplicaSet", on="Deployment/flask"),
            event("SuccessfulCreate", on="ReplicaSet/flask-*"),
            each_pod("Scheduled", "Pulled", "Created", "Started", of="Deployment/flask"),
        ),
        never("BackOff"),
        within=2,
    )
    with pytest.raises(EventMismatchError):
        k8s_events.expect(in_order("Started", "Pulled", on="Pod/flask-*"))


def test_pull(flask, k8s_events):
    release = flask(image="registry.invalid/team/flask:nope")
    with pytest.raises(NotReadyError):
        release.wait_ready()
    k8s_events.expect(in_order("Scheduled", "Pulling", "Failed", "BackOff"), within=5)


def test_config(flask):
    env = [{"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "look", "key": "colour"}}}]
    release = flask(env=env)
    with pytest.raises(NotReadyError):
        release.wait_ready(graces={"ConfigMapMissing": 1})


def test_crash(flask, k8s_events):
    command = ["python3", "-c", "import sys; print('no database at db:5432'); sys.exit(3)"]
    release = flask(command=command)
    with pytest.raises(NotReadyError):
        release.wait_ready()
    k8s_events.expect(event("BackOff", on="Pod/flask-*", type="Warning"), within=5)


def test_update(flask, k8s_events):
    release = flask()
    release.wait_ready()
    env = [{"name": "GREETING", "value": "Ahoy"}]
    container = {**dig(release.manifests[0].object, *POD, "containers", 0), "env": env}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    release.rollout("Deployment/flask", patch=patch)
    k8s_events.expect(
        in_order("ScalingReplicaSet", "Scheduled", "Started", "Killing"),
        never("Failed"),
        within=2,
    )
