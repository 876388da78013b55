"""Requests at a fixed rate, and the story of those that failed. Few are sent, to this process."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from http_kit import App

from seatrial.core.errors import ConfigurationError, HttpExpectationError
from seatrial.http import Answer, Moment, Probe, Summary
from seatrial.testing import VirtualClock

FAST = 500


@pytest.fixture
def app():
    app = App()
    yield app
    app.close()


def url(app, path="/"):
    return f"http://127.0.0.1:{app.port}{path}"


def answer(number, began, result="200 OK", seconds=0.01):
    wall = VirtualClock.EPOCH + timedelta(seconds=began)
    return Answer(number, began, wall, seconds, result, result == "200 OK")


class Told(Probe):
    """A probe whose answers and moments are given."""

    def __init__(self, *answers, moments=(), hint=""):
        super().__init__("http://127.0.0.1:1/", rate=10)
        self._answers = list(answers)
        self.given, self.way_out = moments, hint

    def _moments(self):
        return self.given

    def _hint(self):
        return self.way_out


def story(*answers, **more):
    with pytest.raises(HttpExpectationError) as caught:
        Told(*answers, **more).assert_no_failures()
    return caught.value


# --- asking


def test_it_asks_until_the_end_of_the_block(app):
    with Probe(url(app, "/page?a=b"), rate=FAST) as probe:
        probe.wait_for(20)
    sent = len(app.seen)
    assert len(probe.answers) == sent >= 20
    assert [one.number for one in probe.answers] == list(range(1, sent + 1))
    assert set(app.seen) == {("GET", "/page?a=b", b"")}
    assert {one.result for one in probe.answers} == {"200 OK"}
    probe.assert_no_failures()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("probe ")]


def test_requests_are_begun_at_their_rate_and_not_faster(app):
    with Probe(url(app), rate=100) as probe:
        probe.wait_for(21)
    first, *_, last = [one.began for one in probe.answers]
    # 20 spaces of 10 ms between 21 requests, however late a single one was
    assert last - first >= (len(probe.answers) - 1) * 0.01 - 0.02
    assert probe.summary.wanted_rate == 100


def test_a_request_that_hangs_holds_no_other_up(app):
    app.plan = ["hang"]
    with Probe(url(app), rate=FAST) as probe:
        # whichever of the first ones reaches the application first is the one that hangs
        probe.wait_for(10)
        assert probe.failures == []
        app.gate.set()
    closed = "the connection was closed before an answer came"
    assert [one.result for one in probe.failures] == [closed]


@pytest.mark.parametrize(
    ("step", "result"),
    [
        ("reset", "the connection was closed before an answer came"),
        ("half", "the connection was closed in the middle of the answer"),
        (503, "503 Service Unavailable"),
        ("hang", "no answer in time"),
    ],
)
def test_what_is_no_whole_answer_is_a_failure(app, step, result):
    app.plan = [step]
    with Probe(url(app), rate=50, timeout=1.0) as probe:
        while not probe.failures:
            probe.wait_for(1)
    assert [one.result for one in probe.failures] == [result]
    assert probe.summary.failed == 1


def test_a_status_can_be_the_expected_one(app):
    app.plan = [404, 200]
    with Probe(url(app), rate=FAST, status={200, 404}) as probe:
        probe.wait_for(5)
    assert probe.failures == []


def test_nobody_who_listens_is_a_refusal():
    app = App()
    app.close()
    with Probe(url(app), rate=FAST) as probe:
        probe.wait_for(3)
    assert {one.result for one in probe.answers} == {"connection refused"}


def test_each_request_has_a_connection_of_its_own_unless_they_are_kept(app):
    opened = []
    accept = app.server.get_request

    def counted():
        opened.append(1)
        return accept()

    app.server.get_request = counted
    with Probe(url(app), rate=FAST) as probe:
        probe.wait_for(40)
    assert len(opened) == len(probe.answers)
    opened.clear()
    with Probe(url(app), rate=FAST, keep_alive=True) as probe:
        probe.wait_for(40)
    assert len(opened) <= 16
    probe.assert_no_failures()


def test_a_kept_connection_that_was_closed_meanwhile_is_opened_anew(app):
    # after a half answer the server closes, and the next request must not be blamed for it
    app.plan = ["half"]
    with Probe(url(app), rate=FAST, keep_alive=True) as probe:
        probe.wait_for(60)
    assert len(probe.failures) == 1


def test_what_the_test_raises_is_not_hidden(app):
    with pytest.raises(ZeroDivisionError), Probe(url(app), rate=FAST):
        raise ZeroDivisionError


def test_answers_that_do_not_come_are_not_waited_for_for_ever():
    clock = VirtualClock()
    probe = Probe("http://127.0.0.1:1/", clock=clock)
    with pytest.raises(HttpExpectationError) as caught:
        probe.wait_for(3, timeout=7)
    assert caught.value.cause == "3 of 3 requests of the probe were not over within 7 s"
    assert clock.now == 7


@pytest.mark.parametrize("wrong", ["https://127.0.0.1/", "flask:5000", "http:///x"])
def test_only_http_can_be_probed(wrong):
    with pytest.raises(ConfigurationError, match="cannot be probed"):
        Probe(wrong)


@pytest.mark.parametrize("rate", [0, -1, 1001])
def test_a_rate_has_its_limits(rate):
    with pytest.raises(ConfigurationError, match="times a second"):
        Probe("http://127.0.0.1:1/", rate=rate)


# --- numbers


def test_the_summary_is_of_all_requests():
    answers = [answer(n + 1, n * 0.02, seconds=(n + 1) / 1000) for n in range(100)]
    answers[-1] = answer(100, 1.98, "refused", 0.1)
    summary = Summary.of(answers, 50)
    assert (summary.count, summary.failed) == (100, 1)
    assert summary.rate == pytest.approx(50)
    assert (summary.p50, summary.p99, summary.slowest) == (0.05, 0.099, 0.1)
    assert str(summary) == (
        "100 requests in 2.1 s, 1 failed; 50.0 a second of 50 wanted; "
        "p50 50.0 ms, p99 99.0 ms, slowest 100.0 ms"
    )


def test_few_requests_have_a_summary_too():
    assert Summary.of([], 50).count == 0
    one = Summary.of([answer(1, 5)], 50)
    assert (one.count, one.rate, one.p99) == (1, 0.0, 0.01)


# --- the story


def test_a_probe_that_has_asked_nothing_proves_nothing():
    assert story().cause == "the probe has sent no request, and so proves nothing"


def test_every_failure_stands_among_what_happened():
    told = story(
        answer(1, 10.0),
        answer(2, 10.1, "refused", 0.002),
        answer(3, 10.2),
        *(answer(4 + n, 10.3 + n / 10, "reset") for n in range(5)),
        answer(9, 11.0, "refused"),
        moments=[
            Moment(10.35, "Pod/a Killing: stops"),
            Moment(4.0, "long before"),
            Moment(10.05, "Pod/b is there"),
            Moment(99.0, "long after"),
        ],
        hint="sleep in preStop",
    )
    assert str(told) == (
        "7 of 9 requests failed: reset (5), refused (2)\n"
        "  GET http://127.0.0.1:1/: 9 requests in 1.0 s, 7 failed; 8.0 a second of 10 wanted; "
        "p50 10.0 ms, p99 10.0 ms, slowest 10.0 ms\n"
        "  \n"
        "      0.050 s  Pod/b is there\n"
        "  !   0.100 s  request 2: refused (0.002 s)\n"
        "  !   0.300 s  request 4: reset (0.010 s)\n"
        "      0.350 s  Pod/a Killing: stops\n"
        "  !   0.400 s  4 requests (5 to 8) until 0.700 s: reset\n"
        "  !   1.000 s  request 9: refused (0.010 s)\n"
        "-> sleep in preStop"
    )


def test_a_story_that_is_too_long_is_shortened_in_the_middle():
    answers = [answer(n + 1, n / 10, str(n % 2)) for n in range(500)]
    lines = story(*answers).details.splitlines()[2:]
    assert len(lines) == 201
    assert lines[100] == "… 300 more lines …"


def test_answers_that_came_out_of_their_order_are_put_into_it():
    probe = Told(answer(2, 1.0), answer(1, 0.5))
    assert [one.number for one in probe.answers] == [1, 2]
