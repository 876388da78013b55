"""Deadlines, on a clock that stands still."""

import threading
from datetime import timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.core.clock import Deadline, SystemClock
from seatrial.testing import VirtualClock


def test_a_deadline_knows_what_has_gone_by_and_what_is_left():
    clock = VirtualClock()
    clock.advance(5)
    deadline = Deadline.after(3, clock)
    clock.advance(1)
    assert deadline.elapsed == pytest.approx(1)
    assert deadline.remaining == pytest.approx(2)
    assert not deadline.passed


def test_a_deadline_has_passed_at_its_very_moment_and_nothing_is_left_after_it():
    clock = VirtualClock()
    deadline = Deadline.after(3, clock)
    clock.advance(3)
    assert deadline.passed
    clock.advance(100)
    assert deadline.remaining == 0.0
    assert deadline.elapsed == 103


def test_a_deadline_of_no_time_has_passed_at_once():
    assert Deadline.after(0, VirtualClock()).passed


@given(
    started=st.floats(0, 1e9), timeout=st.floats(0.001, 1e4), step=st.sampled_from([1e9, 1.0, 0.25])
)
def test_waiting_for_what_remains_always_reaches_the_deadline(started, timeout, step):
    clock = VirtualClock()
    clock.advance(started)
    deadline = Deadline.after(timeout, clock)
    # a rest that is left by rounding would be waited for for ever: it moves no clock
    clock.advance(timeout - timeout % step if timeout > step else 0)
    for _ in range(4):
        clock.advance(min(step, deadline.remaining))
    assert deadline.passed


def test_the_machines_clock_grows_and_tells_the_time_in_utc():
    clock = SystemClock()
    first = clock.monotonic()
    assert clock.monotonic() >= first
    assert clock.wall().tzinfo is timezone.utc


def test_the_machines_clock_waits_until_it_is_notified():
    clock, condition = SystemClock(), threading.Condition()

    def notify():
        with condition:
            condition.notify_all()

    with condition:
        before = clock.monotonic()
        threading.Thread(target=notify).start()
        clock.wait(condition, 30)
    assert clock.monotonic() - before < 10
