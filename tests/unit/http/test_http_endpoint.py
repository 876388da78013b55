"""Requests that fail at first, and those that fail for good."""

from __future__ import annotations

import socket
from contextlib import contextmanager

import pytest
import requests
from http_kit import App

from seatrial.core.errors import (
    CommandError,
    ConfigurationError,
    ExpectationError,
    HttpExpectationError,
)
from seatrial.http import Endpoint, NodePortRoute, Route
from seatrial.testing import VirtualClock


class FakeRoute:
    """A route that tells what was asked of it, and may have nowhere to go at first."""

    def __init__(self, *ports):
        self.ports = list(ports)
        self.renewed = 0
        self.closed = 0

    @property
    def url(self):
        first = self.ports[0]
        if isinstance(first, BaseException):
            self.ports.pop(0)
            raise first
        return f"http://127.0.0.1:{first}"

    through_service = True

    def describe(self):
        return f"fake route {len(self.ports)}"

    def behind(self):
        return "Pod/web-1"

    def renew(self):
        self.renewed += 1
        if len(self.ports) > 1:
            self.ports.pop(0)

    def close(self):
        self.closed += 1


@pytest.fixture
def app():
    app = App()
    yield app
    app.close()


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def endpoint(app, clock):
    with Endpoint(NodePortRoute("127.0.0.1", app.port), clock=clock) as endpoint:
        yield endpoint


@contextmanager
def nobody():
    """A port of 127.0.0.1 where nobody listens, and nobody else will meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def results(endpoint):
    return [attempt.result for attempt in endpoint.attempts]


def test_a_path_is_asked_of_the_route(app, endpoint):
    response = endpoint.get("/greet", params={"to": "sea"})
    assert response.text == "Hello from Flask"
    assert app.seen == [("GET", "/greet?to=sea", b"")]
    assert endpoint.url == f"http://127.0.0.1:{app.port}"
    assert endpoint.get("no/slash").status_code == 200
    assert app.seen[-1][1] == "/no/slash"


def test_a_whole_url_is_left_as_it_is(app, endpoint):
    assert endpoint.get(f"http://127.0.0.1:{app.port}/x").status_code == 200
    assert endpoint.attempts[0].url == f"http://127.0.0.1:{app.port}/x"


def test_every_attempt_is_kept_for_the_report(app, endpoint, clock):
    app.plan = [503]
    endpoint.get("/")
    first, second = endpoint.attempts
    assert (first.method, first.url) == ("GET", f"http://127.0.0.1:{app.port}/")
    assert first.route == f"node port 127.0.0.1:{app.port}"
    assert [first.result, second.result] == ["503 Service Unavailable", "200 OK"]
    assert first.time == clock.EPOCH
    assert (second.time - first.time).total_seconds() == pytest.approx(0.02)
    assert first.seconds == 0.0


@pytest.mark.parametrize("fault", [502, 503, 504, "reset", "half"])
def test_what_passes_is_waited_out(app, endpoint, clock, fault):
    app.plan = [fault] * 6
    assert endpoint.get("/").status_code == 200
    assert len(app.seen) == 7
    assert clock.now == pytest.approx(0.02 + 0.04 + 0.08 + 0.1 + 0.1 + 0.1)


def test_other_statuses_are_answers(app, endpoint):
    for status in (404, 500, 200):
        app.plan = [status]
        assert endpoint.get("/").status_code == status
    assert len(app.seen) == 3


@pytest.mark.parametrize("method", ["GET", "head", "OPTIONS", "PUT", "DELETE"])
def test_what_is_idempotent_is_sent_again(app, endpoint, method):
    app.plan = ["reset", 503]
    assert endpoint.request(method, "/").status_code == 200
    assert len(app.seen) == 3


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_what_is_not_idempotent_is_sent_once(app, endpoint, method):
    app.plan = ["reset"]
    with pytest.raises(HttpExpectationError) as caught:
        endpoint.request(method, "/orders", data=b"one")
    assert caught.value.cause == (
        f"{method} /orders failed: the connection was closed before an answer came"
    )
    assert isinstance(caught.value.__cause__, requests.ConnectionError)
    assert len(app.seen) == 1
    app.plan = [503]
    assert endpoint.request(method, "/orders", data=b"one").status_code == 503


def test_a_refused_connection_is_retried_for_every_method(app, clock):
    with nobody() as port:
        route = FakeRoute(port, port, app.port)
        with Endpoint(route, clock=clock) as endpoint:
            assert endpoint.post("/orders", data=b"one").status_code == 200
    assert results(endpoint) == ["connection refused", "connection refused", "200 OK"]
    assert app.seen == [("POST", "/orders", b"one")]
    assert route.renewed == 2


def test_the_error_at_the_end_lists_every_attempt(app, clock):
    with nobody() as port, Endpoint(NodePortRoute("127.0.0.1", port), clock=clock) as endpoint:
        endpoint.deadline = 0.1
        with pytest.raises(HttpExpectationError) as caught:
            endpoint.get("/")
    assert str(caught.value) == (
        "GET / did not succeed within 0.1 s: connection refused\n"
        + "\n".join(
            f"  +  {when} s  node port 127.0.0.1:{port}  GET http://127.0.0.1:{port}/"
            "  connection refused (0.000 s)"
            for when in ("0.00", "0.02", "0.06", "0.10")
        )
    )
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value.__cause__, requests.ConnectionError)


def test_a_status_that_stays_is_an_error_with_its_attempts(app, endpoint):
    app.plan = [503] * 999
    with pytest.raises(HttpExpectationError) as caught:
        endpoint.get("/")
    assert caught.value.cause == "GET / did not succeed within 10 s: 503 Service Unavailable"
    first, more, last = caught.value.details.splitlines()
    assert first.startswith("+  0.00 s")
    assert more == f"           … {len(app.seen) - 2} more like it …"
    assert last.startswith("+ 10.00 s")
    assert len(app.seen) > 20
    assert caught.value.__cause__ is None


def test_who_was_to_answer_is_told_of_failures(app, clock):
    app.plan = [503]
    with Endpoint(FakeRoute(app.port), clock=clock) as endpoint:
        endpoint.get("/")
        endpoint.get(f"http://127.0.0.1:{app.port}/")
    assert [one.pod for one in endpoint.attempts] == ["Pod/web-1", "", ""]
    assert endpoint.attempts[0].place == "fake route 1 (Pod/web-1)"


def test_what_is_written_down_wrong_is_told_at_once(clock):
    wrong = ConfigurationError("no container has a port named 'web'")
    with (
        Endpoint(FakeRoute(*[wrong] * 9), clock=clock) as endpoint,
        pytest.raises(ConfigurationError) as caught,
    ):
        endpoint.get("/")
    assert caught.value is wrong
    assert clock.now == 0


def test_only_the_attempts_of_this_request_are_listed(app, endpoint):
    endpoint.get("/")
    app.plan = [503] * 999
    endpoint.deadline = 0
    with pytest.raises(HttpExpectationError) as caught:
        endpoint.get("/")
    assert len(caught.value.details.splitlines()) == 1
    assert len(endpoint.attempts) == 2


def test_pods_that_failed_for_good_end_the_waiting_at_once(app, clock):
    asked = []

    def gave_up():
        asked.append(clock.now)
        return "Pod/web-1: back-off after 3 crashes" if len(asked) > 2 else None

    app.plan = [503] * 999
    route = NodePortRoute("127.0.0.1", app.port)
    with (
        Endpoint(route, clock=clock, gave_up=gave_up) as endpoint,
        pytest.raises(HttpExpectationError) as caught,
    ):
        endpoint.get("/")
    assert caught.value.cause == (
        "GET / cannot succeed any more: Pod/web-1: back-off after 3 crashes"
    )
    assert len(app.seen) == 3
    assert clock.now < 0.2


def test_whether_they_failed_is_not_asked_while_all_is_well(app, clock):
    route = NodePortRoute("127.0.0.1", app.port)
    with Endpoint(route, clock=clock, gave_up=lambda: pytest.fail("asked")) as endpoint:
        assert endpoint.get("/").status_code == 200


def test_what_may_be_the_matter_is_asked_for_once_where_no_answer_came(clock):
    asked = []

    def explain():
        asked.append(clock.now)
        return "nothing listens there"

    with nobody() as port:
        route = NodePortRoute("127.0.0.1", port)
        with Endpoint(route, clock=clock, explain=explain, deadline=1) as endpoint:
            with pytest.raises(HttpExpectationError) as caught:
                endpoint.get("/")
            assert [attempt.status for attempt in endpoint.attempts[-2:]] == [0, 0]
    assert str(caught.value).endswith("\n-> nothing listens there")
    assert len(asked) == 1
    assert asked[0] >= 1


def test_an_answer_needs_no_such_explanation(app, clock):
    app.plan = [503] * 999
    route = NodePortRoute("127.0.0.1", app.port)
    with (
        Endpoint(route, clock=clock, explain=lambda: pytest.fail("asked"), deadline=1) as endpoint,
        pytest.raises(HttpExpectationError) as caught,
    ):
        endpoint.get("/")
    assert caught.value.hint == ""
    assert endpoint.attempts[-1].status == 503


def test_the_statuses_to_retry_can_be_chosen(app, clock):
    app.plan = [503, 418]
    route = NodePortRoute("127.0.0.1", app.port)
    with Endpoint(route, clock=clock, retry_statuses={418}) as endpoint:
        assert endpoint.get("/").status_code == 503
        assert endpoint.get("/").status_code == 200
    assert len(app.seen) == 3


def test_an_answer_that_does_not_come_is_given_up_and_asked_for_again(app, endpoint):
    app.plan = ["hang"]
    endpoint.timeout = 0.5  # the second request has no more than that either
    assert endpoint.get("/").status_code == 200
    assert results(endpoint) == ["no answer in time", "200 OK"]


def test_a_post_without_an_answer_is_not_sent_twice(app, endpoint):
    app.plan = ["hang"]
    with pytest.raises(HttpExpectationError, match=r"^POST / failed: no answer in time\n"):
        endpoint.post("/", timeout=0.05)
    assert len(app.seen) == 1


def test_the_time_of_one_attempt_ends_with_the_deadline_but_for_a_last_chance(app, clock):
    given = []

    class Watched(Endpoint):
        def send(self, request, **kwargs):
            given.append(kwargs["timeout"])
            return super().send(request, **kwargs)

    app.plan = [503] * 999
    route = NodePortRoute("127.0.0.1", app.port)
    with Watched(route, clock=clock, deadline=4.0, timeout=3.0) as endpoint:
        with pytest.raises(HttpExpectationError):
            endpoint.get("/")
        endpoint.post("/", timeout=7)
    assert given[0] == 3.0
    assert given[-2] == 2.0
    assert given[-1] == 7
    assert given[:-1] == sorted(given[:-1], reverse=True)


def test_what_no_retry_can_mend_is_told_at_once(app, endpoint):
    app.plan = ["loop"] * 99
    with pytest.raises(HttpExpectationError, match=r"^GET / failed: Exceeded 30 redirects\."):
        endpoint.get("/")
    with pytest.raises(HttpExpectationError, match=r"^GET gopher://x failed: No connection adap"):
        endpoint.get("gopher://x")


def test_a_connection_that_is_not_made_in_time_has_never_been_sent(app, clock, monkeypatch):
    attempts = []

    class Slow(Endpoint):
        def send(self, request, **kwargs):
            attempts.append(request.method)
            if len(attempts) == 1:
                # as requests raises it: urllib3's error is handed on as an argument
                error = requests.packages.urllib3.exceptions.ConnectTimeoutError()
                raise requests.ConnectTimeout(error)
            return super().send(request, **kwargs)

    with Slow(NodePortRoute("127.0.0.1", app.port), clock=clock) as endpoint:
        assert endpoint.post("/").status_code == 200
    assert results(endpoint) == ["no connection in time", "200 OK"]


def test_a_route_that_is_not_there_yet_is_waited_for(app, clock):
    missing = HttpExpectationError("there is no ready pod to forward a port to")
    with Endpoint(FakeRoute(missing, missing, app.port), clock=clock) as endpoint:
        assert endpoint.post("/").status_code == 200
    assert results(endpoint) == [missing.cause, missing.cause, "200 OK"]


def test_a_route_that_never_comes_is_the_deployments_fault(clock):
    missing = HttpExpectationError("there is no ready pod to forward a port to")
    with (
        Endpoint(FakeRoute(*[missing] * 999), clock=clock) as endpoint,
        pytest.raises(ExpectationError) as caught,
    ):
        endpoint.get("/")
    assert caught.value.cause == (
        "GET / did not succeed within 10 s: there is no ready pod to forward a port to"
    )
    assert caught.value.__cause__ is missing


def test_a_tool_that_fails_is_not_the_deployments_fault(clock):
    broken = CommandError(["kubectl", "port-forward"], status=1, output="no such file")
    with (
        Endpoint(FakeRoute(*[broken] * 999), clock=clock) as endpoint,
        pytest.raises(CommandError) as caught,
    ):
        endpoint.get("/")
    assert caught.value is broken
    assert clock.now == pytest.approx(10)


def test_an_interrupt_is_not_retried(app, clock):
    class Interrupted(Endpoint):
        def send(self, request, **kwargs):
            raise KeyboardInterrupt

    route = NodePortRoute("127.0.0.1", app.port)
    with Interrupted(route, clock=clock) as endpoint, pytest.raises(KeyboardInterrupt):
        endpoint.get("/")
    assert results(endpoint) == ["interrupted"]


def test_nothing_of_the_environment_is_used(app, endpoint, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    assert endpoint.get("/").status_code == 200


def test_waiting_for_an_answer_takes_other_statuses_as_not_yet(app, endpoint):
    app.plan = [404, 500, "reset", 503]
    assert endpoint.wait_for("/").text == "Hello from Flask"
    assert len(endpoint.attempts) == 5


def test_waiting_for_a_failure_is_possible_as_well(app, endpoint):
    app.plan = [200, 503]
    assert endpoint.wait_for("/readyz", status=503).status_code == 503
    app.plan = [200, 404]
    assert endpoint.wait_for("/readyz", status={404, 410}).status_code == 404


def test_waiting_in_vain_tells_what_came_instead(app, endpoint):
    app.plan = [404] * 999
    with pytest.raises(HttpExpectationError) as caught:
        endpoint.wait_for("/later", timeout=1)
    assert caught.value.cause == "GET /later did not succeed within 1 s: 404 Not Found"


def test_closing_closes_the_route(app):
    route = FakeRoute(app.port)
    accepted: Route = route
    with Endpoint(accepted):
        pass
    assert route.closed == 1


def test_a_real_clock_is_the_default(app):
    app.plan = [503]
    with Endpoint(NodePortRoute("127.0.0.1", app.port)) as endpoint:
        assert endpoint.get("/").status_code == 200
    assert endpoint.attempts[0].seconds > 0


# --- expectations


def test_an_answer_that_is_as_expected_is_given(endpoint):
    answer = endpoint.expect("/x", contains=["Hello", "Flask"], header={"Content-Length": "16"})
    assert answer.text == "Hello from Flask"


def test_an_answer_that_differs_is_an_error_at_once(app, endpoint, clock):
    app.plan = [404]
    with pytest.raises(HttpExpectationError) as caught:
        endpoint.expect("/x", contains="Hello from Django")
    assert str(caught.value) == (
        "GET /x did not answer as expected: status is 404 Not Found, not 200\n"
        "  status is 404 Not Found, not 200\n"
        '  body does not contain "Hello from Django"; the line most like it is '
        '"Hello from Flask"\n'
        "  \n"
        f"  the answer, by node port 127.0.0.1:{app.port}: 404 Not Found, no Content-Type, "
        "16 bytes\n"
        "  | Hello from Flask"
    )
    assert clock.now == 0
    assert len(app.seen) == 1


def test_statuses_of_a_moment_are_retried_unless_they_are_expected(app, endpoint):
    app.plan = [503, 503]
    endpoint.expect("/")
    assert len(app.seen) == 3
    app.plan = [503]
    assert endpoint.expect("/", status={503}).status_code == 503
    assert len(app.seen) == 4
    app.plan = [503]
    endpoint.expect("/", method="post", status=503)
    assert app.seen[-1][0] == "POST"


def test_any_answer_can_be_not_yet_for_a_while(app, endpoint, clock):
    app.plan = [404, 500, "reset"]
    assert endpoint.expect("/", within=5).status_code == 200
    app.plan = [404] * 999
    with pytest.raises(HttpExpectationError) as caught:
        endpoint.expect("/", within=5)
    assert caught.value.cause == (
        "GET / did not answer as expected within 5 s: status is 404 Not Found, not 200"
    )
    assert caught.value.details.splitlines()[-1].startswith("+  5.00 s")


def test_an_expected_answer_that_never_comes_is_told_as_any_other_request(clock):
    with nobody() as port, Endpoint(NodePortRoute("127.0.0.1", port), clock=clock) as endpoint:
        endpoint.deadline = 1
        with pytest.raises(HttpExpectationError, match=r"^GET / did not succeed within 1 s: conn"):
            endpoint.expect("/")


def test_pods_that_failed_for_good_end_an_expectation_as_well(app, clock):
    app.plan = [404] * 999
    route = NodePortRoute("127.0.0.1", app.port)
    with (
        Endpoint(route, clock=clock, gave_up=lambda: "Pod/web-1: it crashed") as endpoint,
        pytest.raises(HttpExpectationError) as caught,
    ):
        endpoint.expect("/", within=5)
    assert caught.value.cause == "GET / cannot succeed any more: Pod/web-1: it crashed"
    assert len(app.seen) == 1


# --- replicas


def test_each_replica_has_an_endpoint_that_takes_the_session_along(app, clock):
    routes = {name: FakeRoute(app.port) for name in ("web-1", "web-2")}
    route = NodePortRoute("127.0.0.1", app.port)

    def replicas():
        return [(name, Endpoint(route, clock=clock)) for name, route in routes.items()]

    seen = []
    with Endpoint(route, clock=clock, replicas=replicas, deadline=3) as endpoint:
        endpoint.headers["X-Sea"] = "calm"
        endpoint.cookies.set("who", "me")
        for name, replica in endpoint.each_replica():
            answer = replica.get("/")
            seen.append((name, answer.request.headers["X-Sea"], answer.request.headers["Cookie"]))
            assert replica.deadline == 3
            assert routes[name].closed == 0
    assert seen == [("web-1", "calm", "who=me"), ("web-2", "calm", "who=me")]
    assert [route.closed for route in routes.values()] == [1, 1]


def test_without_a_ready_pod_there_is_no_replica(app):
    route = NodePortRoute("127.0.0.1", app.port)
    with (
        Endpoint(route, replicas=list) as endpoint,
        pytest.raises(HttpExpectationError, match=r"^there is no ready pod behind node port 127"),
    ):
        list(endpoint.each_replica())


def test_an_endpoint_of_ones_own_knows_of_no_pods(endpoint):
    with pytest.raises(ConfigurationError, match="knows of no pods"):
        list(endpoint.each_replica())
