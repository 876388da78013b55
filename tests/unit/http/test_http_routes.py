"""Ways into the cluster, and what becomes of them when a pod goes away."""

from __future__ import annotations

import pytest

from seatrial.core.errors import HttpExpectationError
from seatrial.http import Forward, LoadBalancerRoute, NodePortRoute, PortForwardRoute, Route


class FakeForward:
    def __init__(self, port):
        self.local_port = port
        self.alive = True
        self.closed = 0

    def close(self):
        self.closed += 1
        self.alive = False


class Cluster:
    """Pods to pick from, and the forwards that were opened to them."""

    def __init__(self, pod):
        self.pod = pod
        self.opened = []
        self.going = set()

    def route(self):
        return PortForwardRoute(lambda: self.pod, self.forward, lambda pod: pod not in self.going)

    def forward(self, pod):
        forward: Forward = FakeForward(40000 + len(self.opened))
        self.opened.append((pod, forward))
        return forward


def test_a_node_port_is_an_address_of_this_machine():
    route: Route = NodePortRoute("127.0.0.1", 30500)
    assert route.url == "http://127.0.0.1:30500"
    assert route.describe() == "node port 127.0.0.1:30500"
    route.renew()
    route.close()
    assert route.url == "http://127.0.0.1:30500"
    assert NodePortRoute("::1", 30500).url == "http://[::1]:30500"


def test_a_forward_is_opened_when_it_is_needed_and_kept():
    cluster = Cluster("web-1")
    route: Route = cluster.route()
    assert route.describe() == "port-forward, not open"
    assert cluster.opened == []
    assert route.url == route.url == "http://127.0.0.1:40000"
    assert route.describe() == "port-forward 127.0.0.1:40000"
    assert route.behind() == "Pod/web-1"
    assert not route.through_service
    route.renew()
    assert route.url == "http://127.0.0.1:40000"
    assert len(cluster.opened) == 1


def test_a_forward_that_died_is_opened_anew_to_a_pod_that_is_ready():
    cluster = Cluster("web-1")
    route = cluster.route()
    assert route.url == "http://127.0.0.1:40000"
    cluster.opened[0][1].alive = False
    cluster.pod = "web-2"
    assert route.url == "http://127.0.0.1:40001"
    assert [pod for pod, _ in cluster.opened] == ["web-1", "web-2"]


@pytest.mark.parametrize("why", ["it died", "another pod is the one now"])
def test_renewing_gives_a_forward_up_that_leads_nowhere(why):
    cluster = Cluster("web-1")
    route = cluster.route()
    assert route.url == "http://127.0.0.1:40000"
    if why == "it died":
        cluster.opened[0][1].alive = False
    else:
        cluster.pod = "web-2"
    route.renew()
    assert cluster.opened[0][1].closed == 1
    assert route.describe() == "port-forward, not open"
    assert route.url == "http://127.0.0.1:40001"


def test_renewing_before_the_first_use_does_nothing():
    cluster = Cluster(None)
    cluster.route().renew()
    assert cluster.opened == []


def test_without_a_ready_pod_there_is_no_way():
    with pytest.raises(HttpExpectationError, match=r"^there is no ready pod to forward a port to$"):
        _ = Cluster(None).route().url


def test_closing_ends_the_forward_and_may_be_repeated():
    cluster = Cluster("web-1")
    route = cluster.route()
    assert route.url
    route.close()
    route.close()
    assert cluster.opened[0][1].closed == 1


def test_a_pod_that_is_about_to_go_is_left_before_a_request_fails():
    cluster = Cluster("web-1")
    route = cluster.route()
    assert route.url == "http://127.0.0.1:40000"
    cluster.going.add("web-1")
    cluster.pod = "web-2"
    assert route.url == "http://127.0.0.1:40001"
    assert cluster.opened[0][1].closed == 1
    assert route.behind() == "Pod/web-2"


def test_renewing_keeps_a_forward_that_lives_while_no_pod_is_ready():
    cluster = Cluster("web-1")
    route = cluster.route()
    assert route.url
    cluster.pod = None
    route.renew()
    assert cluster.opened[0][1].closed == 0


def test_a_forward_that_was_never_opened_leads_to_nobody():
    assert Cluster(None).route().behind() == "no ready pod"


@pytest.mark.parametrize(
    ("pods", "told"),
    [(["a"], "Pod/a"), (["a", "b"], "one of 2 pods"), ([], "no ready pod")],
)
def test_a_service_picks_one_of_its_ready_pods(pods, told):
    assert NodePortRoute("127.0.0.1", 1, lambda: pods).behind() == told
    assert NodePortRoute("127.0.0.1", 1).behind() == ""


def test_a_load_balancer_is_an_address_too():
    route: Route = LoadBalancerRoute("192.0.2.7", 5000)
    assert route.url == "http://192.0.2.7:5000"
    assert route.describe() == "load balancer 192.0.2.7:5000"
    assert route.through_service
