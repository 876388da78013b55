"""Each part of the control plane, seen at work."""

from __future__ import annotations

import base64
import json

import pytest

from seatrial import event
from seatrial.core.clock import Deadline, SystemClock
from seatrial.core.feed import wait_on
from seatrial.core.model import dig


@pytest.fixture
def release(k8s_deploy, k8s_image, manifests):
    release = k8s_deploy(manifests, images={"flask": k8s_image})
    release.wait_ready()
    return release


def test_the_api_server_passes_each_of_its_checks(k8s_cluster):
    checks = k8s_cluster.connection.healthy("/readyz?verbose").splitlines()
    assert checks[-1] == "readyz check passed"
    passed = [check for check in checks if check.startswith("[+]")]
    assert passed == checks[:-1], "a check did not pass"
    assert {"[+]ping ok", "[+]etcd ok", "[+]informer-sync ok"} <= set(passed)


def test_etcd_holds_the_deployment(release, k8s_cluster, k8s_namespace):
    key = f"/registry/deployments/{k8s_namespace}/flask"
    pki = "/etc/kubernetes/pki/etcd"
    # etcd's own API, past the API server: https://etcd.io/docs/latest/dev-guide/api_grpc_gateway
    answer = k8s_cluster.nodes[0].exec(
        ["curl", "--silent", "--show-error", "--fail",
         "--cacert", f"{pki}/ca.crt", "--cert", f"{pki}/server.crt", "--key", f"{pki}/server.key",
         "--data", json.dumps({"key": base64.b64encode(key.encode()).decode()}),
         "https://127.0.0.1:2379/v3/kv/range"]
    )  # fmt: skip
    found = json.loads(answer)["kvs"]
    assert len(found) == 1
    stored = base64.b64decode(found[0]["value"])
    # Kubernetes stores protobuf, behind a magic number of four bytes
    assert stored.startswith(b"k8s\x00")
    assert b"Deployment" in stored
    assert dig(release["Deployment/flask"], "metadata", "uid").encode() in stored


def test_the_scheduler_binds_the_pod(release, k8s_events, k8s_cluster):
    pod = release.pods()[0]
    node = dig(pod, "spec", "nodeName")
    assert node in [node.name for node in k8s_cluster.nodes]
    scheduled = k8s_events.expect(
        event("Scheduled", on=f"Pod/{pod['metadata']['name']}", source="default-scheduler")
    )
    assert f"to {node}" in scheduled["Scheduled"].message


def test_the_controllers_restore_a_deleted_pod(release, k8s_cluster, k8s_events):
    before = release.pods()[0]["metadata"]
    k8s_cluster.objects.delete("v1", "Pod", before["name"], namespace=release.namespace)
    k8s_events.expect(event("Killing", on=f"Pod/{before['name']}"), within=20)
    release.wait_ready()
    after = [pod["metadata"] for pod in release.pods()]
    assert len(after) == 1
    assert after[0]["uid"] != before["uid"]
    k8s_events.expect(event("Started", on=f"Pod/{after[0]['name']}"))


def test_the_endpoints_controller_follows_the_pods_address(release, k8s_cluster):
    feed = release.feed

    def addresses():
        slices = feed.snapshot().all("EndpointSlice", release.namespace)
        return [
            address
            for each in slices
            for endpoint in each["endpoints"] or []
            if dig(endpoint, "conditions", "ready")
            for address in endpoint["addresses"]
        ]

    before = release.pods()[0]
    assert addresses() == [before["status"]["podIP"]]
    k8s_cluster.objects.delete("v1", "Pod", before["metadata"]["name"], namespace=release.namespace)

    def moved():
        pods = [
            pod for pod in release.pods() if pod["metadata"]["uid"] != before["metadata"]["uid"]
        ]
        expected = [dig(pod, "status", "podIP") for pod in pods]
        return expected if expected and None not in expected and addresses() == expected else None

    found = wait_on(feed, moved, Deadline.after(30, SystemClock()))
    assert found, f"the Service still leads to {addresses()}"
    assert found != [before["status"]["podIP"]]


def test_a_new_namespace_gets_its_default_service_account(k8s_cluster, k8s_namespace):
    account = k8s_cluster.objects.get("v1", "ServiceAccount", "default", k8s_namespace)
    assert account is not None
    # written by the controller, not by the API server
    managers = {entry["manager"] for entry in account["metadata"].get("managedFields", [])}
    assert managers <= {"kube-controller-manager"}
    assert account["metadata"]["uid"]
