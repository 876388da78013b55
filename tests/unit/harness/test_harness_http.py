"""Which way leads to a Service, and when nobody will ever answer there. Nothing is sent."""

import pytest
from harness_kit import NAMESPACE, crashed, pod, service, unpullable

from seatrial.core.errors import ConfigurationError, HttpExpectationError
from seatrial.harness import Http
from seatrial.harness import http as harness_http

NODE_PORT = {"port": 5000, "nodePort": 30500}


class Forward:
    """A port-forward that leads nowhere."""

    opened = ()

    def __init__(self, kubectl, kubeconfig, namespace, pod_name, port):
        Forward.opened += ((kubectl.name, kubeconfig.name, namespace, pod_name, port),)
        self.local_port = 40000 + len(Forward.opened)
        self.alive = True

    def close(self):
        self.alive = False


@pytest.fixture(autouse=True)
def forwards(monkeypatch):
    monkeypatch.setattr(Forward, "opened", ())
    monkeypatch.setattr(harness_http, "PortForward", Forward)


@pytest.fixture
def http(world):
    return Http(world.cluster, NAMESPACE, timeout=0.0)


def the_error_of(endpoint):
    """What a request that nobody answers ends with; there is no time for a second one."""
    with endpoint, pytest.raises(HttpExpectationError) as raised:
        endpoint.get("/")
    return raised.value.cause


# --- the route


def test_a_published_node_port_is_the_way(world, http):
    world.objects.put(service("flask", NODE_PORT))
    world.handle.published[30500] = 32001
    with http.service("flask", port=5000) as endpoint:
        assert endpoint.url == "http://127.0.0.1:32001"
        assert endpoint.deadline == 0
    assert Forward.opened == ()


@pytest.mark.parametrize(
    ("port", "published"),
    [({"port": 5000}, {}), (NODE_PORT, {}), (NODE_PORT, {30501: 32001})],
    ids=["no node port", "none published", "another published"],
)
def test_without_a_published_node_port_a_ready_pod_is_forwarded_to(world, http, port, published):
    world.objects.put(service("flask", port))
    world.handle.published = published
    world.hub.shows(pod("flask-1"))
    with http.service("flask", port=5000) as endpoint:
        assert endpoint.url == "http://127.0.0.1:40001"
    assert Forward.opened == (("kubectl", "kubeconfig", NAMESPACE, "flask-1", 5000),)


def test_the_route_can_be_chosen(world, http):
    world.objects.put(service("flask", NODE_PORT))
    world.handle.published[30500] = 32001
    world.hub.shows(pod("flask-1"))
    with http.service("flask", port=5000, route="port-forward") as endpoint:
        assert endpoint.url == "http://127.0.0.1:40001"
    with http.service("flask", port=5000, route="node-port") as endpoint:
        assert endpoint.url == "http://127.0.0.1:32001"


def test_a_route_that_there_is_not_is_refused(world, http):
    world.objects.put(service())
    with pytest.raises(ConfigurationError) as raised:
        http.service("flask", port=5000, route="ingress")
    assert str(raised.value) == (
        "there is no route 'ingress'\n-> node-port, port-forward, or none given"
    )


@pytest.mark.parametrize(("port", "shown"), [({"port": 5000}, "none"), (NODE_PORT, "30500")])
def test_a_node_port_that_is_not_published_cannot_be_chosen(world, http, port, shown):
    world.objects.put(service("flask", port))
    with pytest.raises(ConfigurationError) as raised:
        http.service("flask", port=5000, route="node-port")
    assert str(raised.value) == (
        "Service/flask has no node port that is published on 127.0.0.1\n"
        f"  type ClusterIP, node port {shown}\n"
        "-> make it of type NodePort or LoadBalancer, or ask for route='port-forward'"
    )


def test_a_service_that_is_not_there_is_refused(http):
    with pytest.raises(ConfigurationError) as raised:
        http.service("flask", port=5000)
    assert str(raised.value) == (
        "there is no Service/flask in namespace shop\n-> deploy it first: k8s_deploy(…)"
    )


def test_a_port_that_is_not_there_is_refused_with_those_that_are(world, http):
    world.objects.put(service("flask", {"port": 5000}, {"port": 5001}))
    with pytest.raises(ConfigurationError) as raised:
        http.service("flask", port=80)
    assert str(raised.value) == "Service/flask has no port 80\n-> it has 5000, 5001"
    world.objects.put(service("none", type="ExternalName", ports=[]))
    with pytest.raises(ConfigurationError, match="it has none"):
        http.service("none", port=80)


# --- the pod and its port


def test_only_a_ready_pod_that_the_service_selects_is_forwarded_to(world, http):
    world.objects.put(service())
    world.hub.shows(pod("a-stranger", "stranger"))
    world.hub.shows(pod("flask-1", ready=False))
    world.hub.shows(pod("flask-2", deletionTimestamp="2030-01-01T00:00:00Z"))
    endpoint = http.service("flask", port=5000)
    assert the_error_of(endpoint) == (
        "GET / did not succeed within 0 s: there is no ready pod to forward a port to"
    )
    world.hub.shows(pod("flask-3"))
    assert endpoint.url == "http://127.0.0.1:40001"
    assert [opened[3] for opened in Forward.opened] == ["flask-3"]


def test_a_service_without_a_selector_has_no_pods(world, http):
    world.objects.put(service(selector={}))
    world.hub.shows(pod("flask-1"))
    assert "there is no ready pod" in the_error_of(http.service("flask", port=5000))


def test_a_target_port_may_be_another_number(world, http):
    world.objects.put(service("flask", {"port": 80, "targetPort": 5000}))
    world.hub.shows(pod("flask-1"))
    assert http.service("flask", port=80).url
    assert Forward.opened[0][4] == 5000


def test_a_target_port_may_be_the_name_of_a_containers_port(world, http):
    world.objects.put(service("flask", {"port": 80, "targetPort": "web"}))
    ports = [{"name": "metrics", "containerPort": 9000}, {"name": "web", "containerPort": 5000}]
    world.objects.put(pod("flask-1", ports=ports))
    assert http.service("flask", port=80).url
    assert Forward.opened[0][4] == 5000


def test_a_target_port_that_no_container_has_is_refused(world, http):
    world.objects.put(service("flask", {"port": 80, "targetPort": "web"}))
    world.objects.put(pod("flask-1", ports=[{"containerPort": 5000}]))
    endpoint = http.service("flask", port=80)
    with pytest.raises(ConfigurationError) as raised:
        endpoint.get("/")
    assert str(raised.value) == (
        "no container of Pod/flask-1 has a port named 'web'\n"
        "-> the Service's targetPort must be the name of a containerPort, or a number"
    )


# --- giving up


def test_requests_end_when_every_pod_has_failed_for_good(world, http):
    world.objects.put(service())
    world.hub.shows(pod("flask-1", ready=False, status=unpullable()))
    world.hub.shows(pod("flask-2", ready=False, status=crashed(2)))
    cause = the_error_of(http.service("flask", port=5000))
    assert cause == (
        "GET / cannot succeed any more: Pod/flask-1 cannot start: "
        'image "x" cannot be pulled: not found (container flask)'
    )


@pytest.mark.parametrize(
    "other",
    [
        pod("flask-2"),
        pod("flask-2", ready=False),
        pod("flask-2", ready=False, status=crashed(1)),
        pod("flask-2", ready=False, status=unpullable("dial tcp: i/o timeout")),
    ],
    ids=["ready", "on its way", "crashed once", "may heal"],
)
def test_there_is_hope_while_one_pod_may_answer(world, http, other):
    world.objects.put(service())
    world.hub.shows(pod("flask-1", ready=False, status=unpullable()))
    world.hub.shows(other)
    # looked at inside, since the pod that is ready would be asked
    assert http.service("flask", port=5000)._gave_up() is None


def test_a_pod_that_is_being_deleted_is_no_hope(world, http):
    world.objects.put(service())
    world.hub.shows(pod("flask-1", ready=False, status=unpullable()))
    world.hub.shows(pod("flask-2", deletionTimestamp="2030-01-01T00:00:00Z"))
    cause = the_error_of(http.service("flask", port=5000))
    assert cause.startswith("GET / cannot succeed any more: Pod/flask-1 cannot start")


def test_there_is_hope_while_there_is_no_pod(world, http):
    world.objects.put(service())
    cause = the_error_of(http.service("flask", port=5000))
    assert cause.startswith("GET / did not succeed within 0 s")


def test_a_first_crash_may_be_the_last(world, http):
    world.objects.put(service())
    endpoint = http.service("flask", port=5000)
    world.hub.shows(pod("flask-1", ready=False, status=crashed(1)))
    assert the_error_of(endpoint).startswith("GET / did not succeed within 0 s")
    world.hub.shows(pod("flask-1", ready=False, status=crashed(2)))
    assert the_error_of(endpoint) == (
        "GET / cannot succeed any more: "
        "Pod/flask-1: container flask crashed 2 times with exit code 3"
    )
