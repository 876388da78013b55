"""Every cause that a rollout can fail for, on a real cluster: named in the first line, in seconds.

What would hinder the others (a node's taint or trouble, a namespace's policy) comes first, one by
one. Then all the Deployments that are doomed are applied at once, and their healthy twins with
them: the same but for the fault. What cannot be had on such a cluster, a platform that does not
match or a registry that limits pulls, is left to the unit tests. Not repeated are the causes in
`test_named_failures.py`; those that need a registry are in `test_fail_fast_pulls.py`.
"""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from doomed import CASES, Case, cluster_wide, deployment, obj, surroundings

from seatrial import NotReadyError
from seatrial.core.clock import Deadline
from seatrial.core.errors import ApiError
from seatrial.core.feed import wait_on
from seatrial.harness import Deployer

#: seconds of a wait that nobody should have to sit through
TIMEOUT = 120


@dataclass
class Outcome:
    seconds: float
    text: str


def outcome(release, ref: str, **options: Any) -> Outcome:
    """How a wait ended, and after how many seconds."""
    began = time.monotonic()
    try:
        release.wait_ready(ref, timeout=TIMEOUT, **options)
    except NotReadyError as error:
        return Outcome(time.monotonic() - began, str(error))
    return Outcome(time.monotonic() - began, "ready")


@contextlib.contextmanager
def deployer(cluster, name: str, **options: Any):
    """Applies into a namespace of its own, which lives longer than a test."""
    test = f"tests/e2e/test_fail_fast.py::{name}"
    namespace = cluster.namespaces.create(test, **options)
    try:
        yield Deployer(cluster, namespace, labels=cluster.namespaces.labels(test))
    finally:
        cluster.namespaces.delete(namespace)


def await_refusal(deploy, who: str, word: str) -> None:
    """Wait until the API server has heard of a policy, which takes it up to a second or two."""
    spec = {"containers": [{"name": "web", "image": "none"}]}
    pod = {**obj("Pod", who, spec=spec), "metadata": {"name": who, "labels": {"checked-by": who}}}
    hub = deploy.cluster.hub

    def look() -> bool | None:
        try:
            deploy.cluster.objects.create(pod, namespace=deploy.namespace, dry_run=True)
        except ApiError as error:
            return word in error.cause or None
        return None

    assert wait_on(hub, look, Deadline.after(20, hub.clock), wake_within=0.1)


@contextlib.contextmanager
def refusing(deploy):
    """With a policy and a webhook that keep pods of this namespace from being created."""
    policies = deploy(cluster_wide(deploy.namespace))
    try:
        for who, word in (("policy", "whose it is"), ("webhook", "absent.seatrial.dev")):
            await_refusal(deploy, who, word)
        yield
    finally:
        policies.delete()


PLAIN = Case("plain", (), "", "")


def test_a_pod_that_pod_security_forbids(k8s_cluster, k8s_image):
    with deployer(k8s_cluster, "restricted", pod_security="restricted") as deploy:
        found = outcome(deploy(deployment(PLAIN, k8s_image.reference)), "Deployment/plain")
    first = found.text.splitlines()[0]
    assert 'Deployment/plain: its pods cannot be created: violates PodSecurity "restricted' in first
    assert "securityContext" in found.text.partition("\n-> ")[2]
    assert found.seconds < 10


@pytest.mark.alone
def test_a_node_with_a_taint_that_is_not_tolerated(k8s_cluster, k8s_image, k8s_deploy):
    node = k8s_cluster.nodes[0].name
    k8s_cluster.kubectl("taint", "nodes", node, "dedicated=db:NoSchedule")
    try:
        found = outcome(k8s_deploy(deployment(PLAIN, k8s_image.reference)), "Deployment/plain")
    finally:
        k8s_cluster.kubectl("taint", "nodes", node, "dedicated=db:NoSchedule-")
    first = found.text.splitlines()[0]
    assert "Pod/plain-" in first
    assert "every node has a taint that it does not tolerate (dedicated)" in first
    assert "add a toleration" in found.text
    assert found.seconds < 15


@pytest.mark.alone
def test_a_node_that_is_not_ready(k8s_cluster, k8s_image, k8s_deploy):
    """The kubelet is made to stand still. That it is silent the node controller finds out after
    50 s; here its verdict is written for it, so that the test need not wait for so long."""
    node = k8s_cluster.nodes[0]
    node.exec(["systemctl", "kill", "--signal=STOP", "kubelet"])
    try:
        silent = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown",
                  "message": "Kubelet stopped posting node status."}  # fmt: skip
        k8s_cluster.objects.patch(
            "v1", "Node", node.name, {"status": {"conditions": [silent]}}, subresource="status"
        )
        found = outcome(k8s_deploy(deployment(PLAIN, k8s_image.reference)), "Deployment/plain")
    finally:
        node.exec(["systemctl", "kill", "--signal=CONT", "kubelet"])
        k8s_cluster.kubectl("wait", "--for=condition=Ready", f"node/{node.name}", "--timeout=60s")
    first = found.text.splitlines()[0]
    assert "Pod/plain-" in first
    assert f"Node/{node.name}: Kubelet stopped posting node status." in first
    assert "journalctl -u kubelet" in found.text
    assert found.seconds < 25


def test_a_crash_that_no_probe_would_notice(k8s_image, k8s_deploy):
    """Kubernetes calls a container without probes ready as soon as its process runs."""
    crash = {"command": ["python3", "-c", "raise RuntimeError('no database')"]}
    release = k8s_deploy(deployment(PLAIN, k8s_image.reference, container=crash))
    found = outcome(release, "Deployment/plain")
    assert "crashed 2 times with exit code 1" in found.text.splitlines()[0]
    assert found.seconds < 15


TWINS = tuple(case for case in CASES if case.mended)


@pytest.fixture(scope="module")
def outcomes(k8s_cluster, k8s_image):
    """How the doomed Deployments and their healthy twins ended, by their names."""
    image = k8s_image.reference
    with (
        deployer(k8s_cluster, "doomed") as deploy,
        deployer(k8s_cluster, "healthy") as deploy_twin,
        refusing(deploy),
    ):
        deploy(surroundings())
        deploy_twin(surroundings())
        release = deploy([deployment(case, image) for case in CASES])
        twins = deploy_twin(
            [deployment(case, image, name=f"{case.name}-twin", **case.mended) for case in TWINS]
        )
        with ThreadPoolExecutor(len(CASES) + len(TWINS)) as pool:
            waits = {
                case.name: pool.submit(
                    outcome, release, f"Deployment/{case.name}", graces=case.graces
                )
                for case in CASES
            }
            for case in TWINS:
                name = f"{case.name}-twin"
                waits[name] = pool.submit(outcome, twins, f"Deployment/{name}")
            return {name: wait.result() for name, wait in waits.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_doomed_is_told_with_its_cause_in_seconds(case, outcomes):
    found = outcomes[case.name]
    first, *rest = found.text.splitlines()
    for words in case.says:
        assert words in first
    assert f"Deployment/{case.name} to be ready" in rest[0]
    assert case.evidence in "\n".join(rest)
    assert case.hint in found.text.partition("\n-> ")[2]
    assert found.seconds < case.seconds


@pytest.mark.parametrize("case", TWINS, ids=lambda case: case.name)
def test_its_healthy_twin_is_not_flagged(case, outcomes):
    assert outcomes[f"{case.name}-twin"].text == "ready"
