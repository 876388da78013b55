"""Requests that fail at first, and those that fail for good."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from seatrial.core.errors import CommandError, ExpectationError, HttpExpectationError
from seatrial.http import Endpoint, NodePortRoute, Route
from seatrial.testing import VirtualClock

TIMEOUT = 10.0


class App:
    """An application in a thread; `plan` says how the next requests end: a status, or a fault."""

    def __init__(self):
        self.plan = []
        self.seen = []
        self.gate = threading.Event()
        handler = type("Handler", (_Handler,), {"app": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler, bind_and_activate=False)
        self.server.daemon_threads = True
        socket.socket.bind(self.server.socket, self.server.server_address)
        self.server.server_activate()
        self.port = self.server.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(TIMEOUT)


class _Handler(BaseHTTPRequestHandler):
    app: App
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits for an acknowledgement, 40 ms

    def log_message(self, *args):
        pass

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.app.seen.append((self.command, self.path, self.rfile.read(length)))
        step = self.app.plan.pop(0) if self.app.plan else 200
        if step == "hang":
            self.app.gate.wait(TIMEOUT)
            step = "reset"
        if step == "reset":
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        body = b"Hello from Flask"
        self.send_response(302 if step == "loop" else 200 if step == "half" else step)
        if step == "loop":
            self.send_header("Location", "/again")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:5] if step == "half" else body)
        if step == "half":
            self.close_connection = True

    do_GET = do_HEAD = do_OPTIONS = do_PUT = do_DELETE = handle_any  # noqa: N815 - http.server's
    do_POST = do_PATCH = handle_any  # noqa: N815 - names that http.server asks for


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

    def describe(self):
        return f"fake route {len(self.ports)}"

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
    assert (second.time - first.time).total_seconds() == pytest.approx(0.05)
    assert first.seconds == 0.0


@pytest.mark.parametrize("fault", [502, 503, 504, "reset", "half"])
def test_what_passes_is_waited_out(app, endpoint, clock, fault):
    app.plan = [fault] * 6
    assert endpoint.get("/").status_code == 200
    assert len(app.seen) == 7
    assert clock.now == pytest.approx(0.05 + 0.1 + 0.2 + 0.4 + 0.5 + 0.5)


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
        endpoint.deadline = 0.3
        with pytest.raises(HttpExpectationError) as caught:
            endpoint.get("/")
    assert str(caught.value) == (
        "GET / did not succeed within 0.3 s: connection refused\n"
        + "\n".join(
            f"  +  {when} s  node port 127.0.0.1:{port}  GET http://127.0.0.1:{port}/"
            "  connection refused (0.000 s)"
            for when in ("0.00", "0.05", "0.15", "0.30")
        )
    )
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value.__cause__, requests.ConnectionError)


def test_a_status_that_stays_is_an_error_with_its_attempts(app, endpoint):
    app.plan = [503] * 99
    with pytest.raises(HttpExpectationError) as caught:
        endpoint.get("/")
    assert caught.value.cause == "GET / did not succeed within 10 s: 503 Service Unavailable"
    assert len(caught.value.details.splitlines()) == len(app.seen) > 20
    assert caught.value.__cause__ is None


def test_a_very_long_list_of_attempts_is_shortened_in_the_middle(app, endpoint):
    app.plan = [503] * 999
    endpoint.deadline = 60
    with pytest.raises(HttpExpectationError) as caught:
        endpoint.get("/")
    lines = caught.value.details.splitlines()
    assert len(lines) == 41
    assert lines[20] == f"… {len(app.seen) - 40} more attempts …"
    assert lines[0].startswith("+  0.00 s")
    assert lines[-1].startswith("+ 60.00 s")


def test_only_the_attempts_of_this_request_are_listed(app, endpoint):
    endpoint.get("/")
    app.plan = [503] * 99
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

    app.plan = [503] * 99
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


def test_the_statuses_to_retry_can_be_chosen(app, clock):
    app.plan = [503, 418]
    route = NodePortRoute("127.0.0.1", app.port)
    with Endpoint(route, clock=clock, retry_statuses={418}) as endpoint:
        assert endpoint.get("/").status_code == 503
        assert endpoint.get("/").status_code == 200
    assert len(app.seen) == 3


def test_an_answer_that_does_not_come_is_given_up_and_asked_for_again(app, endpoint):
    app.plan = ["hang"]
    endpoint.timeout = 0.05
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

    app.plan = [503] * 99
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
        Endpoint(FakeRoute(*[missing] * 99), clock=clock) as endpoint,
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
        Endpoint(FakeRoute(*[broken] * 99), clock=clock) as endpoint,
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
    app.plan = [404] * 99
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
