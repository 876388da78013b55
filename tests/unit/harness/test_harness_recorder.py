"""Recording a test while it runs, and asking the recording the same once more."""

from __future__ import annotations

import json
import re
import threading
from datetime import datetime, timezone

import pytest
from harness_kit import NAMESPACE, crashed, deployment, pod, replica_set, service

from seatrial.core.errors import (
    ConfigurationError,
    EventMismatchError,
    ManifestError,
    NotReadyError,
)
from seatrial.core.model import Change
from seatrial.core.recording import Recording
from seatrial.core.recording_file import Asked, Contents, Header
from seatrial.events import event, in_order, never
from seatrial.harness.recorder import (
    CLOSE_TIMEOUT,
    RecordedDeployer,
    RecordedTimeline,
    Recorder,
    recording_path,
)
from seatrial.harness.release import Deployer
from seatrial.harness.replaying import _alike, expect_sequence, replay, replay_all, wait_for
from seatrial.testing import ScriptedFeed


def raw(reason, name="flask-1", *, message="", namespace=NAMESPACE, number=1):
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"e-{reason}-{number}",
            "namespace": namespace,
            "uid": f"uid-{reason}-{number}",
        },
        "involvedObject": {"kind": "Pod", "name": name, "namespace": namespace},
        "reason": reason,
        "message": message,
        "type": "Normal",
    }


def node(name="n1", **more):
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": name}, **more}


def started(folder, feed, test="test_x.py::test_it"):
    return Recorder(folder, feed, test=test, namespace=NAMESPACE, kubernetes="1.37.2", tie=2.0)


@pytest.fixture
def feed():
    return ScriptedFeed()


@pytest.fixture
def recorder(tmp_path, feed):
    recorder = started(tmp_path, feed)
    yield recorder
    recorder.close()
    assert recorder.trouble == ""


def read(recorder):
    recorder.close()
    return Recording.read(recorder.path)


# --- where


@pytest.mark.parametrize(
    ("test", "name"),
    [
        ("tests/e2e/test_x.py::TestA::test_it", "tests-e2e-test_x.py-TestA-test_it"),
        ("test_x.py::test_it[a b/../c-é]", "test_x.py-test_it-a-b-..-c"),
        ("/etc/passwd", "etc-passwd"),
        ("../..", "test"),
        ("::", "test"),
        ("x" * 400 + "::test_it", "x" * 142 + "-test_it"),
    ],
)
def test_a_recording_has_the_name_of_its_test(tmp_path, test, name):
    assert recording_path(tmp_path, test) == tmp_path / f"{name}.jsonl"


def test_no_recording_is_written_into_another(tmp_path, feed):
    recorders = [started(tmp_path / "a" / "b", feed) for _ in range(3)]
    for each in recorders:
        each.close()
    assert [each.path.name for each in recorders] == [
        "test_x.py-test_it.jsonl",
        "test_x.py-test_it-2.jsonl",
        "test_x.py-test_it-3.jsonl",
    ]


def test_a_folder_that_cannot_be_written_to_is_one_clear_error(tmp_path, feed):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError) as raised:
        started(tmp_path / "file" / "x", feed)
    assert raised.value.cause == f"cannot record into {tmp_path}/file/x: Not a directory"
    assert "--seatrial-record" in raised.value.hint


# --- what the streams bring


def test_all_that_the_feed_has_is_written(recorder, feed):
    feed.at(0, Change.ADDED, pod("flask-1")).at(1, Change.GAP, kind="Event", note="410 Gone")
    feed.at(2, Change.ADDED, raw("Scheduled"))
    feed.clock.advance(3)
    recording = read(recorder)
    recording.finish()
    assert recording.records() == feed.records()
    assert recording.contents.ended == 3.0
    header = recording.header
    assert (header.test, header.namespace, header.kubernetes, header.tie, header.started) == (
        "test_x.py::test_it", NAMESPACE, "1.37.2", 2.0, 0.0,
    )  # fmt: skip


def test_of_what_was_before_only_the_latest_is_written(tmp_path, feed):
    feed.at(1, Change.LISTED, node("n1", status=1)).at(1, Change.LISTED, node("gone"))
    feed.at(2, Change.MODIFIED, node("n1", status=2)).at(2, Change.DELETED, node("gone"))
    feed.at(2, Change.GAP, kind="Event").at(2, Change.ADDED, pod("flask-1"))
    feed.at(2, Change.MODIFIED, pod("flask-1", ready=False))
    feed.clock.advance(3)
    recorder = started(tmp_path, feed)
    feed.at(4, Change.MODIFIED, node("n1", status=3)).at(5, Change.MODIFIED, node("n1", status=4))
    feed.clock.advance(2)
    recording = read(recorder)
    # Pods of the test's own namespace stay as they are
    assert [r.number for r in recording.records()] == [3, 5, 6, 7]
    recording.finish()
    assert [r.number for r in recording.records()] == [3, 5, 6, 7, 8, 9]
    assert recording.snapshot() == feed.snapshot()


def test_it_is_written_while_the_test_runs(recorder, feed):
    # as on a real feed: whoever delivers also notifies
    with feed.changed:
        feed.at(0, Change.ADDED, pod("flask-1"))
        feed.changed.notify_all()
    seen = threading.Event()
    for _ in range(200):
        if "flask-1" in recorder.path.read_text():
            break
        seen.wait(0.01)
    recording = Recording.read(recorder.path)
    assert [r.ref.name for r in recording.records()] == ["flask-1"]
    assert recording.contents.ended is None


class SlowFile:
    """A file on a disk that takes its time."""

    def __init__(self, file):
        self.file = file
        self.closed = False
        self.go = threading.Event()

    def write(self, text):
        assert self.go.wait(10)
        self.file.write(text)

    def flush(self):
        self.file.flush()

    def close(self):
        self.file.close()


def test_a_slow_disk_does_not_hold_up_the_feed(tmp_path, feed, monkeypatch):
    recorder = started(tmp_path, feed)
    slow = SlowFile(recorder._file)
    recorder._file = recorder._writer._file = slow
    for number in range(1000):
        with feed.changed:
            feed.at(0, Change.ADDED, pod(f"p{number}"))
            feed.changed.notify_all()
    # neither a stream nor a test is ever kept from the lock
    assert recorder.question("wait", {}) == 1
    assert len(feed.records()) == 1000
    monkeypatch.setattr("seatrial.harness.recorder.CLOSE_TIMEOUT", 0.05)
    recorder.close()
    assert recorder.trouble == "the disk did not take it within 0.05 s"
    slow.go.set()
    recorder._thread.join(CLOSE_TIMEOUT)
    slow.close()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("odd")])
def test_what_cannot_be_written_ends_the_recording_not_the_test(tmp_path, feed, error):
    recorder = started(tmp_path, feed)

    def fail(line):
        raise error

    recorder._writer.line = fail
    feed.at(0, Change.ADDED, pod("flask-1"))
    recorder.phase("call", "passed")
    recorder.close()
    assert str(error) in recorder.trouble
    assert Recording.read(recorder.path).contents.ended is None


def test_a_disk_that_is_full_in_the_end_is_told_of(tmp_path, feed):
    recorder = started(tmp_path, feed)
    line = recorder._writer.line

    def fail(written):
        if written.get("line") == "close":
            raise OSError(28, "No space left on device")
        line(written)

    recorder._writer.line = fail
    recorder.close()
    assert "No space left" in recorder.trouble


def test_what_became_of_the_test_is_written(recorder):
    recorder.phase("setup", "passed")
    recorder.phase("call", "failed", "ValueError: password=hunter2\nmore")
    assert read(recorder).contents.phases == [
        {"line": "phase", "when": "setup", "outcome": "passed"},
        {
            "line": "phase", "when": "call", "outcome": "failed",
            "message": "ValueError: password=<hidden>\nmore",
        },
    ]  # fmt: skip


# --- expectations


def expecting(recorder, *patterns, within=0.0):
    return RecordedTimeline(recorder, tie=2.0).expect(*patterns, within=within)


def test_an_expectation_is_recorded_and_replayed(recorder, feed):
    feed.at(1, Change.ADDED, raw("Scheduled")).at(2, Change.ADDED, raw("Started"))
    pattern = in_order(event("Scheduled", on="Pod/flask-*"), "Started")
    match = expecting(recorder, pattern, never(event("BackOff")), within=5)
    assert len(match) == 2
    recording = read(recorder)
    [asked] = recording.asked
    assert (asked.kind, asked.outcome, asked.started, asked.ended) == (
        "expect", "satisfied", 0.0, 5.0,
    )  # fmt: skip
    [answer] = replay_all(recording)
    assert (answer.outcome, answer.same, answer.seconds) == ("satisfied", True, 5.0)


def test_an_unmet_expectation_is_recorded_and_replayed(recorder, feed):
    feed.at(1, Change.ADDED, raw("Started")).at(9, Change.ADDED, raw("Scheduled"))
    with pytest.raises(EventMismatchError) as raised:
        expecting(recorder, in_order("Scheduled", "Started"), within=3)
    feed.clock.advance(20)
    [answer] = replay_all(read(recorder))
    assert (answer.outcome, answer.same) == ("EventMismatchError", True)
    assert answer.text == str(raised.value)
    assert answer.asked.text == str(raised.value)


def test_what_only_a_function_can_decide_cannot_be_replayed(recorder, feed):
    feed.at(0, Change.ADDED, raw("Started"))

    def is_fine(message):
        return True

    expecting(recorder, event("Started", message=is_fine))
    expecting(recorder, event("Started", message=re.compile("^$")))
    first, second = replay_all(read(recorder))
    assert (first.outcome, first.same) == ("", None)
    assert first.cause == (
        "it cannot be asked again: is_fine is a function, which a recording cannot hold"
    )
    assert second.same is True


def test_what_was_ended_by_something_else_cannot_be_replayed(recorder, feed):
    feed.failure = ManifestError("the stream ended")
    with pytest.raises(ManifestError):
        expecting(recorder, "Started", within=5)
    feed.failure = None
    [answer] = replay_all(read(recorder))
    assert answer.cause == "it was ended by ManifestError, not by what was seen"
    assert answer.same is None
    assert answer.asked.cause == "the stream ended"


def test_what_had_no_answer_when_the_run_was_killed_is_said(recorder, feed):
    feed.at(1, Change.ADDED, raw("Scheduled")).at(4, Change.ADDED, raw("Pulled"))
    for patterns in (["Started"], ["Pulled"]):
        recorder.question("expect", {"patterns": patterns, "within": 60})
    feed.clock.advance(5)
    first, second = replay_all(read(recorder))
    assert (first.outcome, first.same, first.unfinished) == ("", None, True)
    assert first.cause.startswith("the recording ends 5.0 s after it began: expected Started")
    assert (second.outcome, second.same, second.unfinished) == ("satisfied", None, False)


def test_an_answer_that_differs_is_told():
    asked = Asked("expect", {"patterns": ["Started"], "within": 0.0}, 0.0, 0, 1.0, "satisfied")
    recording = Recording(Contents(_header(), (), (asked,)))
    [answer] = replay_all(recording)
    assert (answer.outcome, answer.same) == ("EventMismatchError", False)


def _header():
    return Header("t", NAMESPACE, "1.37.2", "0", 0.0, datetime(2030, 1, 1, tzinfo=timezone.utc), 2)


@pytest.mark.parametrize(
    ("day", "now", "same"),
    [
        ("not seen within 5 s", "not seen within 5.1 s", True),
        ("Pod/a: x", "Pod/b: x", False),
        ("log: <hidden> (a)", "log: hunter2 (a)", True),
        ("log: <hidden> (a)", "log: hunter2 (b)", False),
    ],
)
def test_first_lines_are_compared_without_durations_and_hidden_parts(day, now, same):
    assert _alike(day, now) is same


# --- waits


@pytest.fixture
def deploy(world, tmp_path):
    """A deployer whose waits are recorded; `deploy.recording()` ends that."""
    recorder = started(tmp_path / "rec", world.hub)
    plain = Deployer(world.cluster, NAMESPACE, {"x": "y"}, 30.0)
    deployer = RecordedDeployer.of(plain, recorder)
    world.recording = lambda: read(recorder)
    world.recorder = recorder
    yield deployer
    recorder.close()
    assert recorder.trouble == ""


def test_a_wait_is_recorded_and_replayed(world, deploy):
    world.rolls_out(2.0)
    release = deploy(deployment())
    verdict = release.wait_ready(timeout=20, holds_for=1, graces={"CrashLoop": 3.0})
    recording = world.recording()
    [asked] = recording.asked
    assert (asked.kind, asked.outcome) == ("wait", "satisfied")
    assert asked.cause == f"{verdict.reason}: {verdict.message}"
    question = {key: value for key, value in asked.question.items() if key != "condition"}
    assert question == {
        "ref": "", "timeout": 20, "holds_for": 1, "graces": {"CrashLoop": 3.0},
        "expect_restarts": 0,
    }  # fmt: skip
    [answer] = replay_all(recording)
    assert answer.same is True
    assert answer.seconds == asked.ended - asked.started == 3.0
    assert answer.cause == asked.cause


def test_the_settling_of_an_unprobed_workload_is_replayed(world, deploy):
    world.rolls_out(2.0)
    release = deploy(deployment(probe={}))
    release.wait_ready()
    [answer] = replay_all(world.recording())
    assert (answer.same, answer.seconds) == (True, 4.0)


def crash(world, release):
    obj = world.objects.stored["Deployment", NAMESPACE, "flask"]
    world.hub.shows({**obj, "status": {"observedGeneration": 1}})
    owned = replica_set(obj)
    world.hub.shows(owned)
    name = owned["metadata"]["name"]
    status = crashed(3)
    world.hub.shows(
        pod(f"{name}-x", owner=owned["metadata"]["uid"], status=status, ready=False), 1.0
    )


def test_a_failed_wait_is_recorded_and_replayed_with_its_log(world, deploy):
    release = deploy(deployment())
    crash(world, release)
    world.objects.text_of_log = "no database with password=hunter2"
    with pytest.raises(NotReadyError) as raised:
        release.wait_ready()
    assert "hunter2" in str(raised.value)
    text = deploy.recorder.path.read_text()
    recording = world.recording()
    [answer] = replay_all(recording)
    assert (answer.outcome, answer.same) == ("NotReadyError", True)
    assert "no database with password=<hidden>" in answer.text
    assert answer.text.splitlines()[1:3] == str(raised.value).splitlines()[1:3]
    assert "hunter2" not in text + deploy.recorder.path.read_text()


def test_a_log_that_could_not_be_read_is_replayed_as_such(world, deploy):
    release = deploy(deployment())
    crash(world, release)
    with pytest.raises(NotReadyError) as raised:
        release.wait_ready()
    recording = world.recording()
    [answer] = replay_all(recording)
    assert answer.same is True
    assert "cannot be read: the API server refused to show the logs" in answer.text
    assert answer.text == str(raised.value)
    [asked] = recording.asked
    lost = Recording(Contents(recording.header, recording.contents.records))
    others = {"logs": [[NAMESPACE, "another", "flask", False, "hello"]]}
    answer = replay(
        lost, Asked("wait", asked.question, asked.started, 0, 9.0, "NotReadyError", more=others)
    )
    assert "it is not in the recording" in answer.text


def missing_secret(world, release):
    obj = world.objects.stored["Deployment", NAMESPACE, "flask"]
    owned = replica_set(obj)
    world.hub.shows({**obj, "status": {"observedGeneration": 1}})
    world.hub.shows(owned)
    message = 'secret "credentials" not found'
    status = {"state": {"waiting": {"reason": "CreateContainerConfigError", "message": message}}}
    lost = pod(
        "flask-1-x", owner=owned["metadata"]["uid"], status={"ready": False, **status}, ready=False
    )
    lost["spec"]["containers"] = [
        {"name": "flask", "envFrom": [{"secretRef": {"name": "credentials"}}]}
    ]
    lost["status"]["containerStatuses"][0]["name"] = "flask"
    world.hub.shows(lost)


def test_what_the_api_server_said_of_a_secret_is_replayed(world, deploy):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "credentials"}}
    release = deploy(deployment())
    missing_secret(world, release)
    # there at first, as far as the API server knows, and gone later
    world.objects.stored["Secret", NAMESPACE, "credentials"] = secret
    world.clock.on_move.append(
        lambda now: now > 17 and world.objects.stored.pop(("Secret", NAMESPACE, "credentials"), 0)
    )
    with pytest.raises(NotReadyError):
        release.wait_ready()
    recording = world.recording()
    [asked] = recording.asked
    said = [line[5] for line in asked.more["existed"]]
    assert said[0] is True
    assert said[-1] is False
    [answer] = replay_all(recording)
    assert answer.same is True
    assert answer.seconds == pytest.approx(asked.ended - asked.started, abs=0.5)
    # without what was said, it would be taken for missing at once
    forgot = Asked("wait", asked.question, asked.started, 0, 9.0, "NotReadyError", asked.cause)
    assert replay(recording, forgot).seconds < answer.seconds


def test_a_secret_that_was_deployed_is_waited_for_as_on_the_day(world, deploy):
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
        "stringData": {"a": "hunter2-and-more"},
    }  # fmt: skip
    world.rolls_out(1.0)
    release = deploy([secret, deployment()])
    release.wait_ready()
    world.hub.at(0, Change.ADDED, raw("Failed", message="bad login: hunter2-and-more"))
    [answer] = replay_all(world.recording())
    assert answer.same is True
    assert "hunter2-and-more" not in deploy.recorder.path.read_text()


def test_what_comes_while_something_is_deployed_is_written_when_its_secrets_are_known(
    world, deploy
):
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
        "stringData": {"a": "hunter2-and-more"},
    }  # fmt: skip

    def tells(obj):
        world.hub.at(0, Change.ADDED, raw("Failed", message="bad login: hunter2-and-more"))
        world.recorder._drain()
        assert "bad login" not in world.recorder.path.read_text()

    world.objects.on_write.append(tells)
    deploy(secret)
    world.recording()
    assert "bad login: <hidden>" in world.recorder.path.read_text()


def test_a_rollout_is_recorded_as_the_wait_that_it_is(world, deploy):
    world.rolls_out(1.0)
    release = deploy(deployment())
    release.wait_ready("Deployment/flask")
    release.rollout(patch={"spec": {"replicas": 2}})
    answers = replay_all(world.recording())
    assert [answer.same for answer in answers] == [True, True]


def test_what_is_refused_before_it_is_asked_is_not_recorded(world, deploy):
    release = deploy(service())
    with pytest.raises(ConfigurationError):
        release.wait_ready("Deployment/flaks")
    with pytest.raises(ConfigurationError):
        release.wait_ready(graces={"NoSuchCause": 1})
    recording = world.recording()
    # the second was asked, and refused by the wait itself
    assert [asked.outcome for asked in recording.asked] == ["ConfigurationError"]
    assert replay_all(recording)[0].same is None


def test_a_recorded_release_is_what_the_release_was(world, deploy):
    world.rolls_out(1.0)
    release = deploy(deployment(), images={"flask": "flask:2"})
    assert [str(ref) for ref in release.refs] == ["Deployment/flask"]
    assert release["Deployment/flask"]["metadata"]["labels"] == {"x": "y"}
    release.wait_ready()
    assert len(release.pods()) == 1
    release.delete()


# --- asked for the first time


def test_another_wait_can_be_tried_on_a_recording(world, deploy):
    world.rolls_out(2.0)
    deploy(deployment())
    world.clock.advance(5)
    recording = world.recording()
    assert wait_for(recording, "Deployment/flask").outcome == "satisfied"
    other = wait_for(recording, "Deployment/flaks")
    assert other.outcome == "NotReadyError"
    assert other.same is None
    with pytest.raises(ConfigurationError):
        wait_for(recording, "flask")


def test_a_ready_made_sequence_is_looked_for_by_its_name(world, deploy):
    recording = world.recording()
    assert expect_sequence(recording, "FRESH_ROLLOUT").outcome == "EventMismatchError"
    of = expect_sequence(recording, "FRESH_ROLLOUT:Deployment/flask")
    assert of.outcome == "EventMismatchError"
    with pytest.raises(ConfigurationError) as raised:
        expect_sequence(recording, "FRESH_ROLLOUTS")
    assert raised.value.cause == "there is no sequence FRESH_ROLLOUTS"
    assert "FRESH_ROLLOUT" in raised.value.hint
    with pytest.raises(ConfigurationError) as raised:
        expect_sequence(recording, "nothing")
    assert "NODE_START" in raised.value.hint


def test_lines_stand_between_the_records_that_they_came_between(recorder, feed):
    feed.at(0, Change.ADDED, raw("Scheduled", number=1))
    with recorder.held():
        recorder.question("expect", {"patterns": ["Started"], "within": 1})
        feed.at(0, Change.ADDED, raw("Started", number=2))
        recorder.phase("call", "passed")
    recorder.close()
    lines = [json.loads(line) for line in recorder.path.read_text().splitlines()]
    assert [line.get("line") for line in lines] == [
        None, "record", "expect", "record", "phase", "close",
    ]  # fmt: skip
