"""Which way leads to a Service, and when nobody will ever answer there. Nothing is sent."""

import socket
from datetime import datetime, timezone

import pytest
from harness_kit import (
    NAMESPACE,
    crashed,
    deployment,
    pod,
    replica_set,
    service,
    unpullable,
)

from seatrial.core.errors import ConfigurationError, HttpExpectationError
from seatrial.harness import Http
from seatrial.harness import http as harness_http
from seatrial.http import Attempt

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


def test_a_target_port_may_be_one_of_a_sidecar(world, http):
    world.objects.put(service("flask", {"port": 80, "targetPort": "admin"}))
    proxy = {
        "name": "proxy",
        "restartPolicy": "Always",
        "ports": [{"name": "admin", "containerPort": 9901}],
    }
    flask = pod("flask-1")
    flask["spec"]["initContainers"] = [proxy]
    world.objects.put(flask)
    assert http.service("flask", port=80).url
    assert Forward.opened[0][4] == 9901


WEB = {"port": 80, "targetPort": "web"}
HTTP = [{"name": "http", "containerPort": 5000}]


def test_a_target_port_that_no_container_has_is_refused_before_any_request(world, http):
    world.objects.put(service("flask", WEB, {"port": 81, "targetPort": 5000}))
    world.objects.put(pod("flask-1", ports=HTTP))
    with pytest.raises(ConfigurationError) as raised:
        http.service("flask", port=80)
    assert str(raised.value) == (
        "Service/flask leads its port 80 to a container's port 'web' (TCP), and no container of "
        "its pods has one of that name\n"
        "  the ports of the containers: http (5000, TCP) of container flask\n"
        "-> targetPort is the name of a containerPort, or a number"
    )
    # its other port is none the worse for it
    assert http.service("flask", port=81).url


def test_one_that_turns_out_to_be_missing_ends_the_requests(world, http):
    world.objects.put(service("flask", {"port": 80, "targetPort": "htpp"}))
    with http.service("flask", port=80, deadline=60) as endpoint:
        world.objects.put(pod("flask-1", ready=False, ports=HTTP))
        cause = the_error_of(endpoint)
    assert cause == (
        "GET / cannot succeed any more: Service/flask leads its port 80 to a container's port "
        "'htpp' (TCP), and no container of its pods has one of that name (did you mean 'http'?)"
    )
    assert world.clock.now == 0


def test_a_service_that_is_mended_meanwhile_is_no_dead_end(world, http):
    world.objects.put(service("flask", WEB))
    endpoint = http.service("flask", port=80)
    world.objects.put(pod("flask-1", ready=False, ports=HTTP))
    assert "web" in endpoint._gave_up()
    world.objects.put(service("flask", {"port": 80, "targetPort": "http"}))
    assert endpoint._gave_up() is None


def test_pods_of_an_owner_that_is_not_known_may_be_replaced(world, http):
    world.objects.put(service("flask", WEB))
    world.objects.put(pod("flask-1", owner="somebody", ports=HTTP))
    with pytest.raises(ConfigurationError) as raised, http.service("flask", port=80) as endpoint:
        endpoint.get("/")
    assert str(raised.value) == (
        "no container of Pod/flask-1 has a port named 'web'\n"
        "-> the Service's targetPort must be the name of a containerPort, or a number"
    )


# --- a port on which nobody listens

STRAY = {"port": 80, "targetPort": 5001, "nodePort": 30500}


@pytest.fixture
def closed(world, monkeypatch):
    """A node port that refuses every connection, and pods in which the same is seen."""
    looks = []

    def is_closed(kubectl, kubeconfig, namespace, name, port):
        looks.append((round(world.clock.now, 1), name, port))
        return True

    monkeypatch.setattr(harness_http, "is_closed_inside", is_closed)
    with socket.create_server(("127.0.0.1", 0)) as refusing:
        world.handle.published[30500] = refusing.getsockname()[1]
    return looks


def test_a_port_that_no_container_names_and_nobody_listens_on_ends_the_requests(
    world, http, closed
):
    world.objects.put(service("flask", STRAY))
    world.objects.put(pod("flask-1", ports=HTTP))
    with http.service("flask", port=80, deadline=60) as endpoint:
        cause = the_error_of(endpoint)
    assert cause == (
        "GET / cannot succeed any more: nothing listens on port 5001 of Pod/flask-1, where "
        "Service/flask leads its port 80 (the ports of the containers: http (5000, TCP) of "
        "container flask)"
    )
    assert [look[1:] for look in closed] == [("flask-1", 5001)] * 2
    assert 1 <= closed[0][0] < 1.2
    assert 2 <= closed[1][0] < 2.3


@pytest.mark.parametrize("why", ["named", "not probed", "none named"])
def test_such_a_port_may_yet_be_opened_where_less_is_known(world, http, closed, why):
    flask = pod("flask-1", ports=[{"containerPort": 5001}] if why == "named" else HTTP)
    if why == "not probed":
        del flask["spec"]["containers"][0]["readinessProbe"]
    if why == "none named":
        flask["spec"]["containers"][1]["ports"] = []
    world.objects.put(service("flask", STRAY))
    world.objects.put(flask)
    endpoint = http.service("flask", port=80, deadline=5)
    with endpoint, pytest.raises(HttpExpectationError) as raised:
        endpoint.get("/")
    assert raised.value.cause == "GET / did not succeed within 5 s: connection refused"
    first, second = raised.value.hint.splitlines()
    assert first.startswith("nothing listens on port 5001 of Pod/flask-1, where Service/flask")
    assert second == "compare targetPort with the application's own"
    assert len(closed) == 1


def test_a_port_that_is_open_in_the_pod_speaks_for_the_way_there_being_at_fault(
    world, http, closed, monkeypatch
):
    looks = []
    monkeypatch.setattr(harness_http, "is_closed_inside", lambda *where: looks.append(where))
    world.objects.put(service("flask", STRAY))
    world.objects.put(pod("flask-1", ports=HTTP))
    endpoint = http.service("flask", port=80, deadline=5)
    with endpoint, pytest.raises(HttpExpectationError) as raised:
        endpoint.get("/")
    assert raised.value.cause == "GET / did not succeed within 5 s: connection refused"
    assert raised.value.hint == ""
    assert 4 <= len(looks) <= 6


def test_no_pod_is_looked_into_while_none_is_ready_or_answers_come(world, http, closed):
    world.objects.put(service("flask", STRAY))
    world.objects.put(pod("flask-1", ready=False, ports=HTTP))
    endpoint = http.service("flask", port=80, deadline=5)
    assert the_error_of(endpoint) == "GET / did not succeed within 5 s: connection refused"
    world.objects.put(pod("flask-1", ports=HTTP))
    now = datetime.now(timezone.utc)
    answered = Attempt(now, "GET", "/", "node port", "503 Service Unavailable", 0.1, status=503)
    endpoint.attempts.append(answered)
    world.clock.advance(10)
    assert endpoint._gave_up() is None
    assert closed == []


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


def test_pods_that_are_refused_for_good_are_waited_for_no_longer(world, http):
    """Nothing is behind the Service then: what should make the pods tells why."""
    owner = deployment()
    owner["metadata"] |= {"namespace": NAMESPACE, "uid": "uid-of-flask", "generation": 1}
    owner["status"] = {"observedGeneration": 1}
    refused = replica_set(owner)
    said = 'pods "flask-1-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot'
    refused |= {"spec": {"replicas": 1}}
    refused["status"] = {
        "conditions": [{"type": "ReplicaFailure", "status": "True", "message": said}]
    }
    world.objects.put(service())
    for each in (owner, refused):
        world.hub.shows(each)
    cause = the_error_of(http.service("flask", port=5000))
    assert cause == (
        "GET / cannot succeed any more: Deployment/flask: its pods cannot be created: "
        'violates PodSecurity "restricted:latest": runAsNonRoot'
    )


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


# --- the end


def test_what_a_test_left_open_is_closed_after_it(world, http):
    world.objects.put(service())
    world.hub.shows(pod("flask-1"))
    with http:
        left = http.service("flask", port=5000)
        assert left.url
        forward = left.route._forward
        assert forward.alive
    assert not forward.alive
    http.close()
