"""What cannot come up is said so within seconds, with the cause in the first line."""

from __future__ import annotations

import time

import pytest

from seatrial import NotReadyError

#: the wait would go on for a minute if nobody looked at why; a grace here is 10 s at most
SECONDS = 25


def failure(release):
    """The error of a wait that has to end long before its timeout."""
    began = time.monotonic()
    with pytest.raises(NotReadyError) as raised:
        release.wait_ready("Deployment/flask", timeout=120)
    assert time.monotonic() - began < SECONDS
    return str(raised.value)


def test_a_wrong_image_name(k8s_deploy, broken_deployment):
    image = "registry.invalid/team/flask:nope"
    text = failure(k8s_deploy(broken_deployment(container={"image": image})))
    first = text.splitlines()[0]
    assert f'image "{image}" cannot be pulled' in first
    assert "Pod/flask-" in first
    assert "container flask" in first


def test_an_image_that_was_never_loaded(k8s_deploy, broken_deployment):
    change = {"image": "flask:never-built", "imagePullPolicy": "Never"}
    text = failure(k8s_deploy(broken_deployment(container=change)))
    first = text.splitlines()[0]
    assert 'image "flask:never-built"' in first
    assert "imagePullPolicy" in text


def test_a_crashing_command(k8s_deploy, broken_deployment):
    command = ["python3", "-c", "import sys; print('no database at db:5432'); sys.exit(3)"]
    text = failure(k8s_deploy(broken_deployment(container={"command": command})))
    first = text.splitlines()[0]
    assert "crashed" in first
    assert "exit code 3" in first
    assert "container flask" in first
    assert "no database at db:5432" in text


def test_a_command_that_is_not_in_the_image(k8s_deploy, broken_deployment):
    text = failure(k8s_deploy(broken_deployment(container={"command": ["gunicron"]})))
    first = text.splitlines()[0]
    assert "gunicron" in first
    assert "cannot start" in first


def test_an_impossible_node_selector(k8s_deploy, broken_deployment):
    text = failure(k8s_deploy(broken_deployment(spec={"nodeSelector": {"disk": "ssd"}})))
    first = text.splitlines()[0]
    assert "cannot be scheduled" in first
    assert "disk=ssd" in first


def test_a_missing_config_map(k8s_deploy, broken_deployment):
    env = [{"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "look", "key": "colour"}}}]
    text = failure(k8s_deploy(broken_deployment(container={"env": env})))
    first = text.splitlines()[0]
    assert 'ConfigMap "look"' in first
    assert "does not exist" in first
    assert "container flask" in first


def test_a_config_map_that_comes_late_is_no_failure(
    k8s_deploy, k8s_cluster, k8s_events, broken_deployment
):
    env = [{"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "look", "key": "colour"}}}]
    release = k8s_deploy(broken_deployment(container={"env": env}))
    # the kubelet has tried, and failed, before the ConfigMap is there
    k8s_events.expect("Failed", within=20)
    k8s_deploy({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "look"},
        "data": {"colour": "blue"},
    })  # fmt: skip
    release.wait_ready(graces={"ConfigMapMissing": 60})


def test_a_missing_secret(k8s_deploy, broken_deployment):
    change = {"envFrom": [{"secretRef": {"name": "credentials"}}]}
    text = failure(k8s_deploy(broken_deployment(container=change)))
    first = text.splitlines()[0]
    assert 'Secret "credentials"' in first
    assert "does not exist" in first


def test_a_rollout_that_has_nothing_wrong_is_not_flagged(k8s_deploy, broken_deployment):
    slow = {"env": [{"name": "READY_DELAY_SECONDS", "value": "8"}]}
    release = k8s_deploy(broken_deployment(container=slow))
    release.wait_ready()
    assert len(release.pods()) == 1
