"""Attempts as lines for a person."""

from datetime import datetime, timedelta, timezone

from seatrial.http import Attempt
from seatrial.http.attempts import attempt_lines

BEGAN = datetime(2030, 1, 1, tzinfo=timezone.utc)


def attempt(seconds, result="refused", pod=""):
    return Attempt(
        BEGAN + timedelta(seconds=seconds), "GET", "http://x/", "route", result, 0.5, pod
    )


def test_a_few_attempts_have_a_line_each():
    lines = attempt_lines([attempt(0, pod="Pod/a"), attempt(1.25, "200 OK")])
    assert lines == [
        "+  0.00 s  route (Pod/a)  GET http://x/  refused (0.500 s)",
        "+  1.25 s  route  GET http://x/  200 OK (0.500 s)",
    ]
    assert len(attempt_lines([attempt(n) for n in range(5)])) == 5


def test_many_alike_in_a_row_are_condensed():
    lines = attempt_lines([*(attempt(n) for n in range(6)), attempt(7, "200 OK")])
    assert [line.split("  ")[0] for line in lines if line.startswith("+")] == ["+", "+", "+"]
    assert lines[1] == "           … 4 more like it …"
    assert lines[2].startswith("+  5.00 s")
    assert lines[3].endswith("200 OK (0.500 s)")


def test_many_that_differ_are_left_out_in_the_middle():
    lines = attempt_lines([attempt(n, str(n)) for n in range(100)])
    assert len(lines) == 41
    assert lines[20] == "… 60 more lines …"
    assert lines[-1].startswith("+ 99.00 s")
