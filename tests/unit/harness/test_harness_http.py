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
        "there is no route 'ingress'\n-> node-port, port-forward, load-balancer, or none given"
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


# --- a load balancer's address


def balanced(*ingress, **spec):
    made = service("flask", NODE_PORT, **{"type": "LoadBalancer", **spec})
    return {**made, "status": {"loadBalancer": {"ingress": list(ingress)}}}


def test_a_service_that_waits_for_an_address_has_a_node_port(world, http):
    world.objects.put(balanced())
    assert http.assert_pending("flask") == 30500
    assert http.assert_pending("flask", port=5000) == 30500
    with pytest.raises(ConfigurationError, match="has no port 80"):
        http.assert_pending("flask", port=80)


def test_an_address_is_not_pending(world, http):
    world.objects.put(balanced({"ip": "192.0.2.7"}))
    with pytest.raises(HttpExpectationError) as raised:
        http.assert_pending("flask")
    assert raised.value.cause == (
        "Service/flask does not wait for an address: it was given 192.0.2.7"
    )


def test_a_load_balancer_without_a_node_port_is_told(world, http):
    world.objects.put({**balanced(), "spec": {**balanced()["spec"], "ports": [{"port": 5000}]}})
    with pytest.raises(HttpExpectationError, match="has no node port"):
        http.assert_pending("flask")


@pytest.mark.parametrize(
    ("ingress", "url"),
    [
        ({"ip": "192.0.2.7"}, "http://192.0.2.7:5000"),
        ({"hostname": "lb.test"}, "http://lb.test:5000"),
        ({"ip": "2001:db8::7"}, "http://[2001:db8::7]:5000"),
    ],
)
def test_an_address_that_was_given_is_a_route_for_who_asks_for_it(world, http, ingress, url):
    world.objects.put(balanced(ingress))
    world.handle.published[30500] = 32001
    world.hub.shows(pod("flask-1"))
    with http.service("flask", port=5000, route="load-balancer") as endpoint:
        assert endpoint.url == url
        assert endpoint.route.behind() == "Pod/flask-1"
    # it may be out of reach: nobody is sent there unasked
    with http.service("flask", port=5000) as endpoint:
        assert endpoint.url == "http://127.0.0.1:32001"


def test_without_an_address_the_ways_out_are_told(world, http):
    world.objects.put(balanced())
    with pytest.raises(ConfigurationError) as raised:
        http.service("flask", port=5000, route="load-balancer")
    assert str(raised.value) == (
        "Service/flask has no address of a load balancer (yet)\n"
        "  status.loadBalancer.ingress is empty; kubectl shows <pending>\n"
        "-> wait for one: k8s_http.external_address('flask', within=30);\n"
        "   take route='node-port', which needs nobody's help: such a Service has a node port "
        "as well;\n"
        "   or let something give out addresses: on kind, run cloud-provider-kind beside the "
        "cluster, or\n"
        "   install MetalLB with addresses of the docker network; on minikube, run "
        "`minikube tunnel`"
    )


def test_a_service_of_another_type_never_gets_one(world, http):
    world.objects.put(service())
    for ask in (
        lambda: http.service("flask", port=5000, route="load-balancer"),
        lambda: http.external_address("flask"),
        lambda: http.assert_pending("flask"),
    ):
        with pytest.raises(ConfigurationError, match="is of type ClusterIP, and so gets no addre"):
            ask()


def test_an_address_can_be_waited_for(world, http):
    stored = world.objects.put(balanced())
    assert http.external_address("flask", within=2) == ""
    assert world.clock.now == 2
    world.hub.shows({**stored, "status": balanced({"ip": "192.0.2.7"})["status"]}, 3)
    assert http.external_address("flask", within=10) == "192.0.2.7"
    assert world.clock.now == 5


# --- options, replicas, probes


def test_an_endpoint_takes_options_of_its_own(world, http):
    world.objects.put(service())
    with http.service("flask", port=5000, deadline=3, timeout=1, retry_statuses={418}) as endpoint:
        assert (endpoint.deadline, endpoint.timeout) == (3, 1)
        assert endpoint.retry_statuses == {418}


def test_a_forward_is_left_as_soon_as_its_pod_is_going(world, http):
    world.objects.put(service())
    world.hub.shows(pod("flask-1"))
    world.hub.shows(pod("flask-2"))
    with http.service("flask", port=5000) as endpoint:
        assert endpoint.url == "http://127.0.0.1:40001"
        world.hub.shows(pod("flask-1", deletionTimestamp="2030-01-01T00:00:00Z"))
        assert endpoint.url == "http://127.0.0.1:40002"
        ended = pod("flask-2")
        ended["status"]["phase"] = "Failed"
        world.hub.shows(ended)
        world.hub.shows(pod("flask-3"))
        assert endpoint.url == "http://127.0.0.1:40003"
    assert [opened[3] for opened in Forward.opened] == ["flask-1", "flask-2", "flask-3"]


def test_a_pod_that_is_not_ready_any_more_keeps_its_forward(world, http):
    world.objects.put(service())
    world.hub.shows(pod("flask-1"))
    with http.service("flask", port=5000) as endpoint:
        assert endpoint.url == "http://127.0.0.1:40001"
        # so that /readyz can be asked why
        world.hub.shows(pod("flask-1", ready=False))
        assert endpoint.url == "http://127.0.0.1:40001"


def test_every_ready_pod_has_an_endpoint_of_its_own(world, http):
    world.objects.put(service("flask", NODE_PORT))
    world.handle.published[30500] = 32001
    for each in (pod("flask-1"), pod("flask-2", ready=False), pod("flask-3")):
        world.hub.shows(each)
    with http.service("flask", port=5000) as endpoint:
        seen = [(name, replica.url) for name, replica in endpoint.each_replica()]
    assert seen == [("flask-1", "http://127.0.0.1:40001"), ("flask-3", "http://127.0.0.1:40002")]


def test_a_replica_that_goes_is_not_replaced_by_another(world, http):
    world.objects.put(service())
    world.hub.shows(pod("flask-1"))
    world.hub.shows(pod("flask-2"))
    with http.service("flask", port=5000) as endpoint:
        name, replica = next(endpoint.each_replica())
        assert name == "flask-1"
        assert replica._gave_up() is None
        world.hub.shows(pod("flask-1", deletionTimestamp="2030-01-01T00:00:00Z"))
        with pytest.raises(HttpExpectationError) as raised:
            replica.get("/")
    assert raised.value.cause == ("GET / cannot succeed any more: Pod/flask-1 is gone, or going")
    assert Forward.opened == ()


def test_a_probe_goes_through_the_service(world, http):
    world.objects.put(service("flask", NODE_PORT))
    world.handle.published[30500] = 32001
    with http.service("flask", port=5000) as endpoint:
        probe = http.probe(endpoint, "/page", rate=7, timeout=2, keep_alive=True)
    assert probe.url == "http://127.0.0.1:32001/page"
    assert (probe.rate, probe.timeout, probe.keep_alive) == (7, 2, True)
    assert probe.clock is world.clock


def test_a_probe_of_a_port_forward_is_refused(world, http):
    world.objects.put(service())
    world.hub.shows(pod("flask-1"))
    with http.service("flask", port=5000) as endpoint, pytest.raises(ConfigurationError) as raised:
        http.probe(endpoint)
    assert raised.value.cause.startswith("a probe has to go through the Service, not by a port-fo")
    assert Forward.opened == ()
