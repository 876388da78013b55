"""`seatrial replay`: what it prints, and its status."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from seatrial.cli import main

RECORDINGS = Path(__file__).parent.parent / "recordings" / "1.37.2"
[ROLLOUT] = RECORDINGS.glob("*test_rollout.jsonl")
[PULL] = RECORDINGS.glob("*test_pull.jsonl")
[CRASH] = RECORDINGS.glob("*test_crash.jsonl")


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch, tmp_path):
    """Nothing of this machine that could lead to a cluster."""
    for name in list(os.environ):
        if name.startswith("SEATRIAL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")


def replay(*argv):
    return CliRunner().invoke(main, ["replay", *map(str, argv)])


def changed(tmp_path, path, change):
    """A copy of a recording of which every line has gone through `change`."""
    copy = tmp_path / "copy.jsonl"
    lines = [change(json.loads(line)) for line in path.read_text().splitlines()]
    copy.write_text("".join(f"{json.dumps(line)}\n" for line in lines if line))
    return copy


def test_a_recording_is_shown_and_asked_the_same_once_more():
    result = replay(ROLLOUT)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].endswith("::test_rollout")
    assert "Kubernetes 1.37.2" in lines[1]
    assert any("Pod/flask-" in line and "Started" in line for line in lines)
    assert "1. wait_ready(timeout=60) for Service/flask, Deployment/flask" in lines
    assert len([line for line in lines if line.startswith("   replayed   same: ")]) == 3
    assert any(line.startswith("   expected Pod/flask-*: Pulled after Started") for line in lines)


def test_a_failure_is_told_as_on_the_day():
    result = replay(CRASH)
    assert result.exit_code == 0, result.output
    assert "crashed 2 times with exit code 3" in result.output
    assert "log of container flask of Pod/flask-" in result.output
    assert "     evidence:" in result.output
    assert "     latest events (seconds since the wait began):" in result.output


def test_an_answer_that_differs_from_that_of_the_day_is_status_1(tmp_path):
    def forget(line):
        return None if line.get("kind") == "Pod" else line

    result = replay(changed(tmp_path, CRASH, forget))
    assert result.exit_code == 1
    assert "   replayed   DIFFERS: NotReadyError" in result.output
    assert "   on the day:" in result.output


def test_a_test_that_asked_nothing_is_shown_all_the_same(tmp_path):
    def forget(line):
        return None if line.get("line") in ("wait", "expect", "end") else line

    result = replay(changed(tmp_path, ROLLOUT, forget))
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "the test waited for nothing, and expected nothing"


def test_events_alone():
    result = replay(ROLLOUT, "--events")
    assert result.exit_code == 0
    assert "Scheduled" in result.output
    assert "wait_ready" not in result.output


def test_another_wait_can_be_tried():
    result = replay(ROLLOUT, "--ready", "Deployment/flask", "--ready=Service/flask")
    assert result.exit_code == 0
    assert "Deployment/flask to be ready: satisfied after " in result.output
    assert "Service/flask to be ready: satisfied after " in result.output
    assert "wait_ready" not in result.output
    assert "Scheduled" not in result.output


def test_a_wait_that_fails_is_status_1():
    result = replay(PULL, "--ready", "Deployment/flask", "--events")
    assert result.exit_code == 1
    assert "Deployment/flask to be ready: NotReadyError after " in result.output
    assert "\n   Pod/flask-" in result.output
    assert 'image "registry.invalid/team/flask:nope" cannot be pulled' in result.output
    assert "Scheduled" in result.output


def test_a_ready_made_sequence_can_be_looked_for():
    result = replay(ROLLOUT, "--expect", "FRESH_ROLLOUT:Deployment/flask")
    assert result.exit_code == 0
    assert "FRESH_ROLLOUT:Deployment/flask: satisfied" in result.output
    result = replay(ROLLOUT, "--expect", "CRASH_LOOP")
    assert result.exit_code == 1
    assert "CRASH_LOOP: EventMismatchError" in result.output


def error(*argv):
    result = replay(*argv)
    assert result.exit_code == 1
    assert result.stdout == ""
    return result.stderr


def test_a_sequence_that_does_not_exist_is_refused_with_those_that_do():
    text = error(ROLLOUT, "--expect", "BREAKFAST")
    assert text.startswith("error: there is no sequence BREAKFAST\n-> the sequences are ")
    assert "FRESH_ROLLOUT" in text
    assert "ROLLING_UPDATE" in error(ROLLOUT, "--expect", "ROLLING_UPDAET")


def test_what_names_no_object_is_refused():
    assert error(ROLLOUT, "--ready", "flask").startswith('error: "flask" does not name an object')


def test_what_is_no_recording_is_one_clear_error(tmp_path):
    assert error(tmp_path / "no").startswith(f"error: cannot read {tmp_path}/no: ")
    (tmp_path / "x").write_text("x")
    assert f"error: {tmp_path}/x is not a recording\n-> " in error(tmp_path / "x")


def test_a_recording_that_is_cut_off_is_replayed_as_far_as_it_goes(tmp_path):
    text = CRASH.read_text()
    (tmp_path / "x").write_text(text[: text.index('"Unhealthy"') if '"Unhealthy"' in text
                                     else text.index('"BackOff"')])  # fmt: skip
    result = replay(tmp_path / "x")
    assert result.exit_code == 0, result.output
    assert "not whole   line " in result.output
    assert "not whole   it broke off" in result.output
    assert "on the day no answer, as the recording broke off" in result.output
    assert "not compared: the recording ends " in result.output


def test_the_help_says_where_recordings_come_from():
    result = replay("--help")
    assert "--seatrial-record" in result.output
    assert "Needs no cluster." in " ".join(result.output.split())
