"""Three nodes: pods reach each other across them, are spread, drained, and survive a lost node."""

from __future__ import annotations

from collections import Counter

import pytest

from seatrial import event, in_order

#: asks an address and port for the application's health from inside of a pod
ASK = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).status)"


def places(release):
    """How many pods of the release each node has."""
    return Counter(pod["spec"]["nodeName"] for pod in release.pods())


def ask(cluster, pod, url):
    """The status that a pod gets from `url`."""
    meta = pod["metadata"]
    return cluster.kubectl(
        "exec", f"--namespace={meta['namespace']}", meta["name"], "--", "python3", "-c", ASK, url
    ).strip()


def all_reach_each_other(cluster, pods):
    """Every pod asks every pod, itself included, by its address."""
    return {
        (one["spec"]["nodeName"], other["spec"]["nodeName"]): ask(
            cluster, one, f"http://{other['status']['podIP']}:5000/healthz"
        )
        for one in pods
        for other in pods
    }


def test_there_are_a_control_plane_and_two_workers(k8s_cluster):
    name = k8s_cluster.name
    assert [node.name for node in k8s_cluster.nodes] == [
        f"{name}-control-plane", f"{name}-worker", f"{name}-worker2"
    ]  # fmt: skip
    ready = k8s_cluster.kubectl(
        "get", "nodes",
        "--output=jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}",
    )  # fmt: skip
    assert ready == "True True True"


def test_the_cluster_is_made_of_what_its_options_say(k8s_cluster):
    for node in k8s_cluster.nodes:
        assert node.exec(["cat", "/shared/file"]).strip() == "from this machine"
    server = k8s_cluster.kubectl(
        "get", "pods", "--namespace=kube-system", "--selector=component=kube-apiserver",
        "--output=jsonpath={.items[*].spec.containers[*].command}",
    )  # fmt: skip
    assert "--feature-gates=AllAlpha=false" in server
    assert k8s_cluster.handle.host_port(31999)
    ranges = k8s_cluster.kubectl("get", "nodes", "--output=jsonpath={.items[*].spec.podCIDR}")
    assert all(each.startswith("10.200.") for each in ranges.split())


def test_pods_are_spread_and_reach_each_other_and_the_service(
    k8s_cluster, k8s_deploy, k8s_image, k8s_http, spread, workers
):
    release = k8s_deploy(spread(replicas=4), images={"flask": k8s_image})
    release.wait_ready(timeout=120)
    release.assert_runs(k8s_image)
    assert places(release) == dict.fromkeys(workers, 2)
    # one on each worker is enough to try both ways between nodes, and within each
    pods = list({pod["spec"]["nodeName"]: pod for pod in release.pods()}.values())
    pairs = {(one, other) for one in workers for other in workers}
    assert all_reach_each_other(k8s_cluster, pods) == dict.fromkeys(pairs, "200")
    for pod in pods:
        # by the Service's name: DNS, and kube-proxy on each node
        assert ask(k8s_cluster, pod, "http://flask:5000/healthz") == "200"
    # the node port is published by the control plane, where no replica runs
    with k8s_http.service("flask", port=5000, route="node-port") as endpoint:
        answered = {endpoint.get("/").text for _ in range(40)}
    assert len(answered) > 1


def test_a_drained_node_is_left_without_a_failed_request(
    k8s_cluster, k8s_deploy, k8s_image, k8s_http, k8s_events, spread, workers
):
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "flask"},
        "spec": {
            "minAvailable": 1,
            "selector": {"matchLabels": {"app.kubernetes.io/name": "flask"}},
        },
    }
    release = k8s_deploy([*spread(), budget], images={"flask": k8s_image})
    release.wait_ready(timeout=120)
    leaving, staying = workers
    drained = next(
        pod["metadata"]["name"] for pod in release.pods() if pod["spec"]["nodeName"] == leaving
    )
    endpoint = k8s_http.service("flask", port=5000, route="node-port")
    # kube-proxy hears of ready pods a moment later than we do
    endpoint.wait_for("/")
    try:
        with k8s_http.probe(endpoint, rate=20) as probe:
            k8s_cluster.kubectl("drain", leaving, "--ignore-daemonsets", "--timeout=90s")
            release.wait_ready(timeout=120)
    finally:
        k8s_cluster.kubectl("uncordon", leaving)
    probe.assert_no_failures()
    assert places(release) == {staying: 2}
    k8s_events.expect(event("Killing", on=f"Pod/{drained}"), within=10)


@pytest.fixture
def stopped(k8s_cluster):
    """Stops a node as a power cut would; all that were stopped run again in the end."""
    names = []

    def stop(name):
        names.append(name)
        k8s_cluster.client.containers.get(name).kill()

    def start():
        while names:
            k8s_cluster.client.containers.get(names.pop()).start()

    stop.start = start
    yield stop
    start()
    k8s_cluster.kubectl("wait", "nodes", "--all", "--for=condition=Ready", "--timeout=120s")


def test_a_lost_node_is_done_without_and_taken_back(
    k8s_cluster, k8s_deploy, k8s_image, k8s_events, spread, workers, stopped
):
    # by default pods wait for five minutes for their node to come back
    soon = [
        {
            "key": f"node.kubernetes.io/{taint}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": 1,
        }
        for taint in ("unreachable", "not-ready")
    ]
    release = k8s_deploy(spread(tolerations=soon), images={"flask": k8s_image})
    release.wait_ready(timeout=120)
    lost, left = workers
    victim = next(
        pod["metadata"]["name"] for pod in release.pods() if pod["spec"]["nodeName"] == lost
    )
    stopped(lost)
    # the node controller waits for a heartbeat for 50 seconds
    k8s_cluster.events("default").expect(event("NodeNotReady", on=f"Node/{lost}"), within=120)
    k8s_events.expect(
        in_order("NodeNotReady", "TaintManagerEviction", on=f"Pod/{victim}"), within=60
    )
    release.wait_ready(timeout=120)
    assert places(release) == {left: 2}

    stopped.start()
    k8s_cluster.events("default").expect(
        in_order("NodeNotReady", "NodeReady", on=f"Node/{lost}"), within=120
    )
    # its routes are there again, and those that lead to it
    k8s_cluster.kubectl(
        "delete", "pods", f"--namespace={release.namespace}", "--all", "--wait=false"
    )
    release.wait_ready(timeout=120, holds_for=5)
    assert places(release) == dict.fromkeys(workers, 1)
    pairs = {(one, other) for one in workers for other in workers}
    assert all_reach_each_other(k8s_cluster, release.pods()) == dict.fromkeys(pairs, "200")
