"""Recordings: what is written is read again, and a feed of it moves as the day did."""

from __future__ import annotations

import copy
import io
import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.core.clock import Deadline
from seatrial.core.errors import ConfigurationError
from seatrial.core.feed import wait_on
from seatrial.core.model import Change, Record, Snapshot
from seatrial.core.recording import Recording
from seatrial.core.recording_file import FORMAT, Contents, Header, RecordingWriter, read_contents

WALL = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
HEADER = Header("test_x.py::test_it", "shop", "1.37.2", "0.1.0", 100.0, WALL, 2.0)


def pod(name="flask", version=1, *, uid="u1", **more):
    meta = {"name": name, "namespace": "shop", "uid": uid, "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, **more}


def record(number, change, obj, *, at=None, note=""):
    received = 100.0 + (number if at is None else at)
    wall = WALL + timedelta(seconds=received - 100)
    return Record(number, received, wall, change, obj.get("kind", "Event"), obj, note)


def gap(number, note="410"):
    return record(number, Change.GAP, {}, note=note)


HISTORY = [
    record(1, Change.LISTED, pod("old", uid="u0"), at=-5),
    record(2, Change.ADDED, pod(status={"phase": "Pending", "message": None})),
    record(4, Change.MODIFIED, pod(version=2, status={"phase": "Running", "ip": "10.0.0.1"})),
    record(5, Change.DELETED, pod(version=3, status={"phase": "Failed"})),
    gap(6),
    record(7, Change.ADDED, pod(version=4, uid="u2", status={"phase": "Pending"})),
]


def written(records, *lines, header=HEADER):
    file = io.StringIO()
    writer = RecordingWriter(file, header)
    for each in records:
        writer.record(each)
    for line in lines:
        writer.line(line)
    assert writer.records == len(records)
    return file.getvalue()


def recording(records=HISTORY, **contents):
    return Recording(Contents(HEADER, records, **contents))


@pytest.fixture
def place(tmp_path):
    """Writes a text to a file, and gives its path."""

    def write(text):
        path = tmp_path / "it.jsonl"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


# --- the file


def test_what_is_written_is_read_again(place):
    contents = read_contents(place(written(HISTORY)))
    assert contents.header == HEADER
    assert contents.records == HISTORY
    assert (contents.asked, contents.phases, contents.ended, contents.cut) == ((), [], None, 0)


def test_a_version_that_follows_another_is_written_as_its_difference():
    lines = [json.loads(line) for line in written(HISTORY).splitlines()]
    assert [("patch" in line, line.get("of")) for line in lines[2:]] == [
        (False, None),
        (True, 2),
        (True, 4),
        (False, None),
        (False, None),
    ]
    assert lines[3]["patch"] == {
        "metadata": {"resourceVersion": "2"},
        "status": {"phase": "Running", "message": None, "ip": "10.0.0.1"},
    }
    assert lines[3]["wall"] == "2030-01-01T12:00:04.000Z"


def test_what_a_difference_cannot_tell_is_written_whole(place):
    history = [record(1, Change.ADDED, pod(a=1)), record(2, Change.MODIFIED, pod(a=None))]
    text = written(history)
    assert "patch" not in text
    assert read_contents(place(text)).records == history


def test_another_object_of_that_name_is_written_whole():
    history = [record(1, Change.ADDED, pod()), record(2, Change.MODIFIED, pod(uid="u9"))]
    assert "patch" not in written(history)


def test_secrets_are_left_out_of_objects_notes_and_the_name_of_the_test(place):
    env = [{"name": "PASSWORD", "value": "hunter2"}]
    text = written(
        [record(1, Change.ADDED, pod(spec={"env": env})), gap(2, "Bearer hunter2hunter2")],
        header=replace(HEADER, test="test_it[password=hunter2]"),
    )
    assert "hunter2" not in text
    assert read_contents(place(text)).records[0].object["spec"]["env"][0]["name"] == "PASSWORD"


def test_what_is_received_stays_as_it_is():
    before = copy.deepcopy(HISTORY)
    written(HISTORY)
    assert before == HISTORY


STATES = st.dictionaries(
    st.sampled_from("abc"),
    st.none() | st.integers(0, 2) | st.dictionaries(st.sampled_from("xy"), st.none() | st.text()),
)


@given(st.lists(st.tuples(st.sampled_from("pq"), st.sampled_from([*Change]), STATES)))
def test_any_history_is_read_as_it_was_written(tmp_path_factory, steps):
    history = [
        gap(n) if change is Change.GAP else record(n, change, pod(name, n, uid=name, **state))
        for n, (name, change, state) in enumerate(steps, start=1)
    ]
    path = tmp_path_factory.mktemp("any") / "it.jsonl"
    path.write_text(written(history), encoding="utf-8")
    assert read_contents(path).records == history


def test_questions_and_their_answers_are_put_together(place):
    text = written(
        HISTORY[:1],
        {"line": "wait", "id": 1, "started": 101, "after": 1, "question": {"ref": "Pod/flask"}},
        {"line": "expect", "id": 2, "started": 102, "after": 1, "question": {}},
        {
            "line": "end", "id": 1, "ended": 103, "number": 1, "outcome": "NotReadyError",
            "cause": "c", "text": "c\nd", "more": {"logs": []},
        },
        {"line": "phase", "when": "call", "outcome": "failed", "message": "m"},
        {"line": "of a later version", "x": 1},
        {"line": "close", "ended": 104.5, "records": 1},
    )  # fmt: skip
    contents = read_contents(place(text))
    first, second = contents.asked
    assert (first.kind, first.started, first.after, first.ended) == ("wait", 101.0, 1, 103.0)
    assert (first.outcome, first.cause, first.text) == ("NotReadyError", "c", "c\nd")
    assert (first.question, first.more) == ({"ref": "Pod/flask"}, {"logs": []})
    assert (second.kind, second.ended, second.outcome) == ("expect", None, "")
    assert contents.phases[0]["message"] == "m"
    assert contents.ended == 104.5


@pytest.mark.parametrize("missing", range(1, 60, 7))
def test_a_last_line_that_is_cut_off_is_left_out(place, missing):
    text = written(HISTORY)
    contents = read_contents(place(text[:-missing]))
    # without its line's end alone, it is whole
    whole = 6 if missing == 1 else 5
    assert len(contents.records) == whole
    assert contents.cut == (0 if missing == 1 else 7)


def test_a_text_with_other_line_ends_in_it_is_no_trouble(place):
    history = [record(1, Change.ADDED, pod(note="a\u2028b\x85c\nd\ud800"))]
    assert read_contents(place(written(history))).records == history


def error_of(path):
    with pytest.raises(ConfigurationError) as raised:
        Recording.read(path)
    return raised.value


def test_a_file_that_is_not_there_is_one_clear_error(tmp_path):
    error = error_of(tmp_path / "no.jsonl")
    assert error.cause == f"cannot read {tmp_path}/no.jsonl: No such file or directory"


@pytest.mark.parametrize(
    "text", ["", "\n", "hello\n", "[1]\n", '{"a": 1}\n', '{"seatrial_reco', b"\xff\xfe\x00", "7\n",
             '{"seatrial_recording": "x"}\n'],
)  # fmt: skip
def test_a_file_of_something_else_is_no_recording(place, text):
    error = error_of(place(text))
    assert error.cause.endswith("it.jsonl is not a recording")
    assert "--seatrial-record=DIR" in error.hint


def test_a_newer_format_is_refused_with_the_version_that_wrote_it(place):
    error = error_of(place('{"seatrial_recording": 99, "seatrial": "9.1.0"}\n'))
    assert f"is written in format 99, and this seatrial reads up to {FORMAT}" in error.cause
    assert error.hint == "seatrial 9.1.0 wrote it: install that, or a later one"


def test_a_line_that_is_no_json_is_named(place):
    lines = written(HISTORY).splitlines(keepends=True)
    error = error_of(place("".join([*lines[:2], "oops\n", *lines[2:]])))
    assert error.cause.startswith("line 3 of ")
    assert error.cause.endswith("is not JSON")
    assert error.details.startswith("oops (")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({"line": "record", "number": 1}, "it lacks 'change'"),
        ({"x": 1}, "it lacks 'line'"),
        ([1], "it lacks 'line'"),
        ({"line": "end", "id": 7}, "it lacks 7"),
        ({"line": "close", "ended": "soon"}, "could not convert string to float: 'soon'"),
        ({"line": "record", "change": "LOST"}, "'LOST' is not a valid Change"),
    ],
)
def test_a_line_that_lacks_something_is_named(place, line, why):
    error = error_of(place(written(HISTORY[:2]) + json.dumps(line) + "\n"))
    assert error.cause.startswith("line 4 of ")
    assert error.cause.endswith("is damaged")
    assert error.details == why


@pytest.mark.parametrize("change", [{"started": None}, {"wall": 5}, {"wall": "noon"}])
def test_a_damaged_header_is_named(place, change):
    first, *rest = written([]).splitlines(keepends=True)
    error = error_of(place("".join([json.dumps({**json.loads(first), **change}) + "\n", *rest])))
    assert error.cause.startswith("line 1 of ")


# --- the feed


def names(feed):
    return sorted(obj["metadata"]["name"] for obj in feed.snapshot().all("Pod"))


def test_a_recording_begins_with_what_was_there(place):
    feed = Recording.read(place(written(HISTORY)))
    assert feed.clock.monotonic() == 100.0
    assert feed.clock.wall() == WALL
    assert [r.number for r in feed.records()] == [1]
    assert names(feed) == ["old"]
    assert feed.upcoming == 102.0
    feed.check()


def test_whoever_waits_sees_each_record_at_its_moment():
    feed, looked = recording(), []

    def look():
        looked.append((feed.clock.monotonic(), len(feed.records())))

    assert wait_on(feed, look, Deadline.after(8, feed.clock), wake_within=1.5) is None
    assert looked == [(100, 1), (101.5, 1), (102, 2), (103.5, 2), (104, 3), (105, 4), (106, 5),
                      (107, 6), (108, 6)]  # fmt: skip
    assert feed.clock.wall() == WALL + timedelta(seconds=8)


def test_what_came_in_one_step_is_seen_in_one():
    history = [record(n, Change.LISTED, pod(f"p{n}"), at=1 + n / 10_000) for n in range(1, 9)]
    feed = recording([*history, record(9, Change.ADDED, pod("late"), at=1.01)])
    feed.clock.wait(feed.changed, 5.0)
    assert len(feed.records()) == 8
    feed.clock.wait(feed.changed, 5.0)
    assert len(feed.records()) == 9
    assert feed.upcoming is None


def test_a_step_does_not_go_on_for_ever():
    history = [record(n, Change.ADDED, pod(f"p{n}"), at=n / 1100) for n in range(1, 200)]
    feed = recording(history)
    feed.clock.wait(feed.changed, 5.0)
    assert 50 < len(feed.records()) < 60


def test_records_are_asked_for_by_kind_and_number():
    feed = recording()
    feed.finish()
    assert [r.number for r in feed.records(after=4)] == [5, 6, 7]
    assert [r.number for r in feed.records("Pod", after=1)] == [2, 4, 5, 7]
    assert [r.number for r in feed.records("Event")] == [6]
    assert feed.records(after=7) == []


def test_a_snapshot_is_what_the_records_add_up_to():
    feed = recording()
    for moment in range(100, 109):
        feed.move_to(float(moment))
        assert feed.snapshot() == Snapshot.of_records(feed.records())
    assert feed.snapshot() is feed.snapshot()


def test_the_deletion_of_a_namesake_deletes_nothing():
    feed = recording([
        record(1, Change.ADDED, pod(uid="new")),
        record(2, Change.DELETED, pod(uid="old")),
    ])  # fmt: skip
    feed.finish()
    assert names(feed) == ["flask"]


def test_time_never_goes_back():
    feed = recording()
    feed.move_to(106.0)
    feed.move_to(101.0)
    assert feed.clock.monotonic() == 106.0
    assert feed.again().clock.monotonic() == 100.0


def test_the_end_is_the_last_thing_that_is_told(place):
    assert recording().end == 107.0
    assert recording(ended=120.0).end == 120.0
    assert recording([]).end == 100.0
    wait = {"line": "wait", "id": 1, "started": 130, "after": 1, "question": {}}
    end = {"line": "end", "id": 1, "ended": 140, "number": 1, "outcome": "satisfied"}
    assert Recording.read(place(written(HISTORY, wait))).end == 130.0
    assert Recording.read(place(written(HISTORY, wait, end))).end == 140.0
