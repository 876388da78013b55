"""Changes that no client notices: the application passes, one that was not made for it fails."""

from __future__ import annotations

import pytest
import yaml
from pod_routes import keep_inside

from seatrial import HttpExpectationError, event
from seatrial.core.errors import CommandError
from seatrial.core.model import dig

RATE = 50
#: requests after a change, so that what comes late is seen as well: two seconds of them
AFTERWARDS = 2 * RATE


def deployment(manifests, replicas):
    """The application's own Deployment with so many replicas."""
    loaded = yaml.safe_load((manifests / "deployment.yaml").read_text())
    loaded["spec"]["replicas"] = replicas
    return loaded


@pytest.fixture(autouse=True)
def _no_packet_leaves(k8s_cluster):
    keep_inside(k8s_cluster)


@pytest.fixture
def release(k8s_deploy, k8s_image, manifests):
    release = k8s_deploy(
        [deployment(manifests, 2), manifests / "service.yaml"], images={"flask": k8s_image}
    )
    release.wait_ready()
    return release


@pytest.fixture
def endpoint(release, k8s_http):
    with k8s_http.service("flask", port=5000) as endpoint:
        endpoint.wait_for("/")
        yield endpoint


def look(number):
    """A change of the pods that changes nothing about them."""
    return {"spec": {"template": {"metadata": {"annotations": {"look": str(number)}}}}}


def name(pod):
    return dig(pod, "metadata", "name")


def the_pods(release):
    return {name(pod) for pod in release.pods()}


def show(probe):
    print(probe.summary)  # noqa: T201 - for pytest -rP, and for a failure
    assert probe.summary.count >= AFTERWARDS
    assert probe.summary.rate > RATE / 2, "the machine is too slow for what this is to prove"
    probe.assert_no_failures()


def test_an_update_and_a_rollback_lose_no_request(release, endpoint, k8s_http, k8s_cluster):
    first = the_pods(release)
    with k8s_http.probe(endpoint, rate=RATE) as probe:
        release.rollout(patch=look(1))
        second = the_pods(release)
        probe.wait_for(AFTERWARDS)
        where = f"--namespace={release.namespace}"
        k8s_cluster.kubectl("rollout", "undo", "deployment/flask", where)
        k8s_cluster.kubectl("rollout", "status", "deployment/flask", where, "--timeout=60s")
        probe.wait_for(AFTERWARDS)
    assert not first & second
    show(probe)


def test_an_update_of_a_single_replica_loses_no_request(k8s_deploy, k8s_image, k8s_http, manifests):
    release = k8s_deploy(manifests, images={"flask": k8s_image})
    release.wait_ready()
    with k8s_http.service("flask", port=5000) as endpoint:
        endpoint.wait_for("/")
        with k8s_http.probe(endpoint, rate=RATE) as probe:
            release.rollout(patch=look(1))
            probe.wait_for(AFTERWARDS)
    show(probe)


def test_deleted_pods_lose_no_request(release, endpoint, k8s_http, k8s_cluster):
    with k8s_http.probe(endpoint, rate=RATE) as probe:
        for pod in sorted(the_pods(release)):
            k8s_cluster.kubectl("delete", "pod", pod, f"--namespace={release.namespace}")
            release.wait_ready()
            probe.wait_for(RATE)
        probe.wait_for(AFTERWARDS)
    show(probe)


@pytest.mark.alone
def test_a_drained_node_loses_no_request(
    release, endpoint, k8s_http, k8s_cluster, k8s_deploy, k8s_events
):
    """Of several nodes one is drained, and its pods come up on the others. An only node is
    cordoned, one pod is evicted, and the budget holds the other back; it goes once the node takes
    pods again, and the first one's successor is there."""
    k8s_deploy(
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "flask"},
            "spec": {
                "minAvailable": 1,
                "selector": {"matchLabels": {"app.kubernetes.io/name": "flask"}},
            },
        }
    ).wait_ready()
    node = dig(release.pods()[0], "spec", "nodeName")
    before = {name(pod) for pod in release.pods() if dig(pod, "spec", "nodeName") == node}
    try:
        with k8s_http.probe(endpoint, rate=RATE) as probe:
            if len(k8s_cluster.nodes) > 1:
                drain(k8s_cluster, node, timeout=60)
            else:
                with pytest.raises(CommandError, match="disruption budget"):
                    drain(k8s_cluster, node, timeout=8)
                k8s_events.expect(event("FailedScheduling", on="Pod/flask-*"), within=10)
                k8s_cluster.kubectl("uncordon", node)
                release.wait_ready()
                (second,) = before & the_pods(release)
                evict(k8s_cluster, release.namespace, second)
            probe.wait_for(RATE)
            release.wait_ready()
            probe.wait_for(AFTERWARDS)
    finally:
        k8s_cluster.kubectl("uncordon", node)
    assert not before & the_pods(release)
    show(probe)


def drain(cluster, node, *, timeout):
    cluster.kubectl(
        "drain", node, "--ignore-daemonsets", f"--timeout={timeout}s",
        "--pod-selector=app.kubernetes.io/name=flask",
    )  # fmt: skip


def evict(cluster, namespace, pod):
    """What `kubectl drain` asks for, for one pod."""
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
    }
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    cluster.connection.send_json("POST", path, eviction, doing=f"evict Pod/{pod}")


#: the application itself, as it is often started: slow to come up, and gone with the first SIGTERM,
#: whatever it was about to answer
UNPREPARED = """\
import os, signal, time
from waitress import serve
from app import create_app
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
time.sleep(1)
serve(create_app(os.environ), host="0.0.0.0", port=5000)
"""


def unprepared(manifests):
    """The application's own Deployment without preStop, without probes, without a graceful end."""
    loaded = deployment(manifests, 2)
    container = loaded["spec"]["template"]["spec"]["containers"][0]
    for name in ("lifecycle", "readinessProbe", "startupProbe", "livenessProbe"):
        del container[name]
    container["command"] = ["python3", "-c", UNPREPARED]
    return loaded


def test_a_version_that_was_not_made_for_it_loses_requests_and_is_told_which(
    k8s_deploy, k8s_image, k8s_http, manifests
):
    release = k8s_deploy(
        [unprepared(manifests), manifests / "service.yaml"], images={"flask": k8s_image}
    )
    release.wait_ready()
    with k8s_http.service("flask", port=5000) as endpoint:
        endpoint.wait_for("/")
        with k8s_http.probe(endpoint, rate=RATE) as probe:
            release.rollout(patch=look(1))
            probe.wait_for(AFTERWARDS)
    assert probe.failures
    # the application has no other answer: a status would be that of somebody else
    assert {one.result for one in probe.answers if one.result[0].isdigit()} == {"200 OK"}
    with pytest.raises(HttpExpectationError) as raised:
        probe.assert_no_failures()
    told = str(raised.value)
    lines = told.splitlines()
    summary = probe.summary
    assert lines[0].startswith(f"{summary.failed} of {summary.count} requests failed: ")
    # every failed request is there, among what happened meanwhile
    failed = [line for line in lines if line.lstrip().startswith("!")]
    assert sum(counted(line) for line in failed) == len(probe.failures)
    assert any("Deployment/flask ScalingReplicaSet:" in line for line in lines)
    assert any("Killing:" in line for line in lines)
    assert any("EndpointSlice/" in line and "terminates" in line for line in lines)
    assert lines[-3].startswith("-> a pod may go only once nobody sends to it any more")


def counted(line):
    """How many failed requests a line of the timeline stands for."""
    words = line.split(" s  ", 1)[1].split()
    return int(words[0]) if words[1] == "requests" else 1
