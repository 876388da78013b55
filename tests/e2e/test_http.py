"""Every way to a Service, and what is learned there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pod_routes import keep_inside

from seatrial import HttpExpectationError, NotReadyError
from seatrial.core.clock import Deadline
from seatrial.core.errors import ConfigurationError
from seatrial.core.feed import wait_on
from seatrial.core.model import dig
from seatrial.manifests import Patch


@pytest.fixture(autouse=True)
def _no_packet_leaves(k8s_cluster):
    keep_inside(k8s_cluster)


@pytest.fixture
def release(k8s_deploy, k8s_image, manifests):
    release = k8s_deploy(manifests, images={"flask": k8s_image})
    release.wait_ready()
    return release


def names(pods):
    return [dig(pod, "metadata", "name") for pod in pods]


# --- routes


def test_a_service_of_type_load_balancer_waits_for_an_address(release, k8s_http):
    node_port = k8s_http.assert_pending("flask", port=5000)
    assert node_port == dig(release["Service/flask"], "spec", "ports", 0, "nodePort")
    assert k8s_http.external_address("flask", within=0.2) == ""
    with pytest.raises(ConfigurationError) as raised:
        k8s_http.service("flask", port=5000, route="load-balancer")
    told = str(raised.value)
    assert "kubectl shows <pending>" in told
    for way_out in ("route='node-port'", "cloud-provider-kind", "MetalLB", "minikube tunnel"):
        assert way_out in told


def test_an_address_that_a_provider_gave_is_a_route(release, k8s_http, k8s_cluster):
    """The address is one of this machine, at which the node port's own mapping answers: what
    cloud-provider-kind does with a proxy."""
    node_port = k8s_http.assert_pending("flask")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "outside", "namespace": release.namespace},
        "spec": {
            "type": "LoadBalancer",
            "allocateLoadBalancerNodePorts": False,
            "selector": {"app.kubernetes.io/name": "flask"},
            "ports": [{"port": k8s_cluster.handle.host_port(node_port), "targetPort": "http"}],
        },
    }
    k8s_cluster.objects.create(service)
    # Proxy: kube-proxy leaves the address to who gave it out
    given = {"loadBalancer": {"ingress": [{"ip": "127.0.0.1", "ipMode": "Proxy"}]}}
    k8s_cluster.objects.patch(
        "v1", "Service", "outside", {"status": given},
        namespace=release.namespace, subresource="status",
    )  # fmt: skip
    assert k8s_http.external_address("outside", within=10) == "127.0.0.1"
    port = service["spec"]["ports"][0]["port"]
    with k8s_http.service("outside", port=port, route="load-balancer") as endpoint:
        assert endpoint.url == f"http://127.0.0.1:{port}"
        endpoint.expect(contains="Hello from Flask")
    with pytest.raises(HttpExpectationError, match=r"it was given 127\.0\.0\.1"):
        k8s_http.assert_pending("outside")


# --- an endpoint heals


def test_a_port_forward_outlives_its_pod(release, k8s_http, k8s_cluster, k8s_events):
    with k8s_http.service("flask", port=5000, route="port-forward", deadline=30) as endpoint:
        (first,) = names(release.pods())
        assert first in endpoint.get("/").text
        k8s_cluster.kubectl(
            "delete", "pod", first, f"--namespace={release.namespace}", "--wait=false"
        )
        hub = k8s_cluster.hub
        gone = wait_on(
            hub,
            lambda: first not in names(release.pods()) or None,
            Deadline.after(20, hub.clock),
        )
        assert gone, "the streams tell of the deletion"
        # a POST is never sent twice: it would fail if the old way had been tried first
        assert endpoint.post("/").status_code == 405
        assert any(name in endpoint.get("/").text for name in names(release.pods()))


def test_a_port_forward_outlives_a_pod_that_is_killed(release, k8s_http, k8s_cluster):
    with k8s_http.service("flask", port=5000, route="port-forward", deadline=30) as endpoint:
        (first,) = names(release.pods())
        assert first in endpoint.get("/").text
        k8s_cluster.kubectl(
            "delete", "pod", first, f"--namespace={release.namespace}", "--now", "--wait=true"
        )
        assert first not in endpoint.get("/").text
        assert endpoint.attempts[-1].pod in [f"Pod/{name}" for name in names(release.pods())]


def test_requests_end_as_soon_as_the_pods_have_failed_for_good(
    k8s_deploy, k8s_http, k8s_cluster, broken_deployment, manifests
):
    crashing = broken_deployment(container={"command": ["python3", "-c", "raise SystemExit(3)"]})
    k8s_deploy([crashing, manifests / "service.yaml"])
    with k8s_http.service("flask", port=5000, deadline=60) as endpoint:
        with pytest.raises(HttpExpectationError) as raised:
            endpoint.get("/")
        lines = str(raised.value).splitlines()
        assert re.match(
            r"GET / cannot succeed any more: Pod/flask-\S+: container flask crashed \d+ times",
            lines[0],
        )
        assert "(no ready pod)" in lines[1]
        assert len(lines) < 20
        took = endpoint.attempts[-1].time - endpoint.attempts[0].time
        assert took.total_seconds() < 40


# --- a port that leads nowhere


@pytest.fixture
def misled(manifests, k8s_deploy, k8s_image):
    """The application behind a Service that leads to another port."""

    def deploy(target):
        port = {"port": 5000, "targetPort": target}
        patch = {"spec": {"ports": [port]}}
        return k8s_deploy(
            manifests, images={"flask": k8s_image}, patches=[Patch("Service/flask", patch)]
        )

    return deploy


def test_a_target_port_that_no_container_has_is_told_before_any_request(misled, k8s_http):
    """A pod has no endpoint by that port, and Kubernetes calls it ready there all the same."""
    with pytest.raises(NotReadyError) as raised:
        misled("htpp").wait_ready(timeout=60)
    words = (
        "Service/flask leads its port 5000 to a container's port 'htpp' (TCP), and no container "
        "of its pods has one of that name"
    )
    lines = str(raised.value).splitlines()
    assert lines[0] == words
    assert "    the ports of the containers: http (5000, TCP) of container flask" in lines
    assert lines[-1] == "-> did you mean 'http'?"
    with pytest.raises(ConfigurationError) as refused:
        k8s_http.service("flask", port=5000)
    assert refused.value.cause == words


@pytest.mark.parametrize("route", ["node-port", "port-forward"])
def test_a_port_that_nobody_listens_on_is_told_soon(misled, k8s_http, route):
    release = misled(5001)
    release.wait_ready()
    (pod,) = names(release.pods())
    endpoint = k8s_http.service("flask", port=5000, route=route, deadline=60)
    with pytest.raises(HttpExpectationError) as raised:
        endpoint.get("/")
    assert raised.value.cause == (
        f"GET / cannot succeed any more: nothing listens on port 5001 of Pod/{pod}, where "
        "Service/flask leads its port 5000 (the ports of the containers: http (5000, TCP) of "
        "container flask)"
    )
    took = endpoint.attempts[-1].time - endpoint.attempts[0].time
    assert took.total_seconds() < 15
    # not closed: the fixture does so, or a kubectl would be left behind


# --- replicas


def test_each_replica_is_reached_by_a_way_of_its_own(release, k8s_http):
    release.rollout(patch={"spec": {"replicas": 3}})
    seen = {}
    with k8s_http.service("flask", port=5000) as endpoint:
        for pod, replica in endpoint.each_replica():
            seen[pod] = replica.get("/").text
            assert replica.url != endpoint.url
    assert sorted(seen) == names(release.pods())
    assert len(seen) == 3
    for pod, text in seen.items():
        assert pod in text


# --- expectations


def test_an_answer_is_what_is_expected(release, k8s_http, k8s_image):
    with k8s_http.service("flask", port=5000) as endpoint:
        endpoint.expect(
            contains=["Hello from Flask", re.compile(r"visits? to this pod")],
            header={"Cache-Control": "no-store", "Set-Cookie": None},
        )
        build = k8s_image.reference.rpartition(":")[2]
        endpoint.expect("/version", json={"name": "flask", "build_id": build})
        endpoint.expect("/nowhere", status=404)


def test_what_differs_can_be_read_at_a_glance(release, k8s_http):
    with k8s_http.service("flask", port=5000) as endpoint:
        endpoint.get("/")  # kube-proxy has heard of the pod by then
        with pytest.raises(HttpExpectationError) as raised:
            endpoint.expect(
                "/version",
                status={201, 202},
                json={"name": "django", "versoin": "1"},
                header={"Content-Type": "text/html"},
            )
        lines = str(raised.value).splitlines()
        assert lines[0] == (
            "GET /version did not answer as expected: status is 200 OK, not 201 or 202"
        )
        assert lines[2:5] == [
            '  header Content-Type is "application/json", not "text/html"',
            '  body: $.name is "flask", not "django"',
            '  body: $.versoin is not there, expected "1"; there is "version"',
        ]


def test_another_answer_can_be_waited_for(k8s_deploy, k8s_http, k8s_image, manifests):
    release = k8s_deploy(manifests, images={"flask": k8s_image})
    with k8s_http.service("flask", port=5000) as endpoint:
        endpoint.expect("/readyz", contains="ready", within=30)
    assert release.pods()


# --- the examples of the documentation run as they are written

DOCS = Path(__file__).parents[2] / "docs" / "http.md"

for _code in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL):
    _names = {}
    exec(compile(_code, str(DOCS), "exec"), _names)  # noqa: S102 - our own documentation
    globals().update({name: test for name, test in _names.items() if name.startswith("test_")})
assert "test_the_page_is_seen" in globals()
