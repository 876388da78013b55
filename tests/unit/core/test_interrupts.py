"""The first signal ends the work, the second one the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from seatrial.core.interrupts import Interrupts


class Set:
    def __init__(self):
        self.said, self.left = [], []
        self.interrupts = Interrupts(
            lambda: "-> seatrial gc", say=self.said.append, leave=self.left.append
        )


@pytest.fixture(autouse=True)
def python_as_it_starts():
    """Whoever runs the tests in the background may have had SIGINT ignored."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, theirs in before.items():
        signal.signal(number, theirs)


@pytest.fixture
def handler():
    made = Set()
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    made.interrupts.set()
    yield made
    made.interrupts.unset()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_interrupts_the_work(handler, number):
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    assert handler.said == [f"seatrial: {number.name}: cleaning up; once more to stop at once"]
    assert handler.left == []


def test_the_second_one_says_what_is_left_and_ends_the_process(handler):
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)
    assert handler.said[1:] == [
        "seatrial: second signal (SIGTERM), stopped at once.\n-> seatrial gc"
    ]
    assert handler.left == [128 + signal.SIGTERM]


def test_cleaning_up_comes_to_its_end_before_the_first_signal_is_heard(handler):
    done = []

    @Interrupts.shielded()
    def clean_up():
        with Interrupts.shielded():
            signal.raise_signal(signal.SIGINT)
        done.append("cleaned up")

    with pytest.raises(KeyboardInterrupt):
        clean_up()
    assert done == ["cleaned up"]
    assert len(handler.said) == 1


def test_the_second_one_ends_even_what_is_cleaning_up(handler):
    @Interrupts.shielded()
    def clean_up():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert handler.left == [128 + signal.SIGINT]

    with pytest.raises(KeyboardInterrupt):
        clean_up()


def test_what_is_not_interrupted_is_not_changed_by_the_shield(handler):
    with Interrupts.shielded():
        pass
    assert handler.said == []


def test_a_signal_that_is_passed_on_is_no_second_one():
    said, left = [], []
    passed_on = Interrupts(lambda: "", say=said.append, leave=left.append, passed_on=True)
    passed_on.set()
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert left == []
        signal.raise_signal(signal.SIGINT)
        assert left == [128 + signal.SIGINT]
    finally:
        passed_on.unset()


def test_somebody_elses_handler_stays():
    def theirs(*_):
        pass

    before = signal.signal(signal.SIGTERM, theirs)
    try:
        made = Set().interrupts
        made.set()
        assert signal.getsignal(signal.SIGTERM) is theirs
        made.unset()
        assert signal.getsignal(signal.SIGTERM) is theirs
    finally:
        signal.signal(signal.SIGTERM, before)


def test_another_thread_sets_nothing():
    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=Set().interrupts.set)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_process_ends_at_once_with_the_signals_own_status():
    code = """
import signal
from seatrial.core.interrupts import Interrupts
Interrupts(lambda: "-> seatrial gc").set()
try:
    signal.raise_signal(signal.SIGTERM)
except KeyboardInterrupt:
    signal.raise_signal(signal.SIGTERM)
print("never")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env={**os.environ},
    )  # fmt: skip
    assert done.returncode == 143
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == "-> seatrial gc"
