"""Events as aligned lines for a terminal."""

from datetime import datetime, timezone

from seatrial.core.model import ObjectRef
from seatrial.events import Occurrence
from seatrial.report.events import event_lines


def an_event(received, reason, name="flask", message="", type_="Normal"):
    return Occurrence(
        number=1, received=received, wall=datetime(2030, 1, 1, tzinfo=timezone.utc), reason=reason,
        type=type_, message=message, count=1, new=1, object=ObjectRef("Pod", name),
    )  # fmt: skip


def test_without_events_that_is_what_is_said():
    assert event_lines([]) == ["none were seen"]


def test_events_are_aligned_and_counted_in_seconds_from_the_first():
    assert event_lines(
        iter([
            an_event(10.0, "Scheduled", "flask-1", "Successfully assigned"),
            an_event(11.254, "BackOff", "db", "Back-off pulling\n  image", "Warning"),
        ])
    ) == [
        "   0.00s   Pod/flask-1  Scheduled  Successfully assigned",
        "   1.25s ! Pod/db       BackOff    Back-off pulling image",
    ]  # fmt: skip


def test_of_many_events_the_latest_are_shown_and_their_times_stay():
    lines = event_lines([an_event(float(n), "Pulled", f"p-{n}") for n in range(43)])
    assert lines[0] == "… 3 before these …"
    assert len(lines) == 41
    assert lines[1].startswith("   3.00s   Pod/p-3 ")
    assert lines[-1].startswith("  42.00s   Pod/p-42 ")


def test_just_as_many_events_as_are_shown_are_shown_whole():
    assert len(event_lines([an_event(float(n), "Pulled") for n in range(40)])) == 40


def test_a_line_ends_where_the_terminal_does():
    [short] = event_lines([an_event(0, "Pulled", message="x" * 70)])
    [long] = event_lines([an_event(0, "Pulled", message="x" * 200)])
    assert len(short) == len(long) == 100
    assert short.endswith("xx")
    assert long.endswith("x…")
