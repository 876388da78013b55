"""A replayed recording as lines for a terminal."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from seatrial.core.model import Change, Record
from seatrial.core.recording import Recording
from seatrial.core.recording_file import Asked, Contents, Header
from seatrial.report.replay import asked_lines, header_lines, question_words

# a machine elsewhere wrote it
WALL = datetime(2030, 1, 1, 14, 0, 5, tzinfo=timezone(timedelta(hours=2)))
HEADER = Header("test_x.py::test_it", "shop", "1.37.2", "0.1.0", 100.0, WALL, 2.0)
RECORDS = [Record(1, 103.25, WALL, Change.GAP, "Event", {})]


def ready(name, kind="Deployment"):
    return {"is": "ready", "kind": kind, "name": name, "namespace": "shop"}


def wait(condition=None, **more):
    question = {
        "ref": "", "timeout": 60.0, "holds_for": None, "graces": {}, "expect_restarts": 0,
        "condition": condition or ready("flask"),
    }  # fmt: skip
    return Asked("wait", {**question, **more}, 101.0, 1, 103.5, "satisfied", "Available: 1/1")


def lines(asked, outcome="satisfied", same=True, **more):
    given = {"cause": "Available: 1/1", "text": "", "seconds": 2.4, **more}
    return list(asked_lines(1, asked, began=100.0, outcome=outcome, same=same, **given))


def test_the_header_says_what_it_is_of():
    assert header_lines(Recording(Contents(HEADER, RECORDS, ended=104.0))) == [
        "test        test_x.py::test_it",
        "cluster     Kubernetes 1.37.2, namespace shop",
        "recorded    2030-01-01 12:00:05 UTC by seatrial 0.1.0: 1 records in 4.0 s",
    ]


def test_the_header_says_what_failed_and_what_is_not_whole():
    phases = [
        {"when": "setup", "outcome": "passed"},
        {"when": "call", "outcome": "failed", "message": "ValueError: no\nmore"},
        {"when": "teardown", "outcome": "failed"},
    ]
    assert header_lines(Recording(Contents(HEADER, RECORDS, phases=phases, cut=9)))[3:] == [
        "call        failed: ValueError: no",
        "teardown    failed",
        "not whole   it broke off before the test had ended, as when a run is killed",
        "not whole   line 9 is cut off, and left out",
    ]


def test_the_same_answer_is_laid_beside_that_of_the_day():
    assert lines(wait()) == [
        "1. wait_ready(timeout=60) for Deployment/flask",
        "   asked      1.00 s after the recording began",
        "   on the day satisfied after 2.50 s: Available: 1/1",
        "   replayed   same: satisfied after 2.40 s: Available: 1/1",
    ]


def test_a_failure_is_shown_whole():
    shown = lines(wait(), "NotReadyError", cause="a", text="a\n  b\n\n-> c")
    assert shown[3:] == [
        "   replayed   same: NotReadyError after 2.40 s: a",
        "",
        "   a",
        "     b",
        "",
        "   -> c",
    ]


def test_an_answer_that_differs_is_shown_in_full():
    long = "x" * 200
    day = Asked("wait", wait().question, 101.0, 1, 103.5, "NotReadyError", long, f"{long}\nday")
    assert lines(day, "NotReadyError", same=False, cause="y", text="y\nnow")[2:] == [
        f"   on the day NotReadyError after 2.50 s: {long}",
        "   replayed   DIFFERS: NotReadyError after 2.40 s: y",
        "",
        "   y",
        "   now",
        "",
        "   on the day:",
        f"   {long}",
        "   day",
    ]


def test_a_long_answer_that_is_the_same_ends_where_the_terminal_does():
    shown = lines(wait(), cause="x" * 200)
    assert len(shown[3]) == 100
    assert shown[3].endswith("x…")


def test_what_cannot_be_asked_again_shows_what_was_written():
    day = Asked("wait", wait().question, 101.0, 1, 103.5, "NotReadyError", "a", "a\nb")
    assert lines(day, "", same=None, cause="is_fine is a function")[2:] == [
        "   on the day NotReadyError after 2.50 s: a",
        "   replayed   not compared: is_fine is a function",
        "",
        "   a",
        "   b",
    ]


def test_what_had_no_answer_on_the_day_is_said():
    open_ = Asked("wait", wait().question, 101.0, 1)
    assert lines(open_, same=None)[2:] == [
        "   on the day no answer, as the recording broke off",
        "   replayed   satisfied after 2.40 s: Available: 1/1",
    ]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (wait(ref="Deployment/flask", holds_for=0.0),
         "wait_ready('Deployment/flask', timeout=60, holds_for=0) for Deployment/flask"),
        (wait(graces={"CrashLoop": 3.0}, expect_restarts=2),
         "wait_ready(timeout=60, graces={'CrashLoop': 3.0}, expect_restarts=2) for "
         "Deployment/flask"),
        (wait({"is": "all", "conditions": [
            {"is": "lasting", "condition": ready("flask"), "seconds": 2},
            ready("flask", "Service"),
            {"is": "applied", "description": "Secret/s to be there"}]}),
         "wait_ready(timeout=60) for Deployment/flask, Service/flask, Secret/s"),
        (Asked("expect", {"patterns": ["A", {"is": "EventPattern", "reason": "B"}],
                          "within": 0.0}, 0.0, 1), "expect('A', 'B')"),
        (Asked("expect", {"patterns": ["A"], "within": 2.5}, 0.0, 1), "expect('A', within=2.5)"),
    ],
)  # fmt: skip
def test_a_question_reads_as_in_a_test(asked, words):
    assert question_words(asked) == words


def test_a_long_question_goes_on_in_the_next_line():
    asked = Asked("expect", {"patterns": [f"Reason{n}" for n in range(12)], "within": 0}, 0.0, 1)
    first, second, *_ = lines(asked)
    assert first.startswith("1. expect('Reason0', ")
    assert len(first) <= 100
    assert second.startswith("   'Reason")
