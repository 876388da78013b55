"""`--seatrial-record`: a file for each test with a namespace, and where those of failures are."""

from __future__ import annotations

import pytest

from seatrial.core.recording import Recording
from seatrial.harness.replaying import replay_all

HAPPENS = """
    import pytest
    from seatrial import event

    def happens(k8s_cluster, namespace, reason):
        body = {
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": reason.lower()},
            "type": "Normal", "reason": reason, "message": "token=hunter2-and-more",
            "involvedObject": {"kind": "Pod", "name": "flask-1", "namespace": namespace},
        }
        k8s_cluster.objects.create(body, namespace=namespace)

    @pytest.fixture
    def scheduled(k8s_cluster, k8s_namespace, k8s_events):
        happens(k8s_cluster, k8s_namespace, "Scheduled")
        k8s_events.expect("Scheduled", within=10)
"""


@pytest.fixture
def recordings(machine):
    """Runs tests with a folder for recordings, and reads what is in it by the names of tests."""

    def run(tests, *args, **kwargs):
        result = machine.tests(f"{HAPPENS}\n{tests}", "--seatrial-record=rec", *args, **kwargs)
        paths = sorted((machine.pytester.path / "rec").glob("*"))
        return result, {path.name.partition("-")[2]: Recording.read(path) for path in paths}

    return run


def test_each_test_with_a_namespace_is_recorded_and_no_other(recordings):
    result, found = recordings("""
    def test_a(scheduled): pass
    def test_b(scheduled, k8s_events):
        k8s_events.expect("Started")
    def test_c(k8s_cluster): pass
    def test_d(): pass
    """)
    result.assert_outcomes(passed=3, failed=1)
    assert sorted(found) == ["test_a.jsonl", "test_b.jsonl"]
    first, second = found.values()
    assert [asked.outcome for asked in first.asked] == ["satisfied"]
    assert [asked.outcome for asked in second.asked] == ["satisfied", "EventMismatchError"]
    assert [answer.same for answer in replay_all(second)] == [True, True]
    assert first.header.test.endswith("::test_a")
    assert first.header.kubernetes[0].isdigit()
    assert [phase["outcome"] for phase in first.contents.phases] == ["passed", "passed"]
    [_, failed] = second.contents.phases
    assert failed["message"].startswith("seatrial.core.errors.EventMismatchError: ")
    assert second.contents.ended is not None


def test_nothing_is_recorded_unless_it_is_asked_for(machine):
    machine.tests(f"{HAPPENS}\n    def test_a(scheduled): pass").assert_outcomes(passed=1)
    assert not list(machine.pytester.path.glob("**/*.jsonl"))


def test_no_secret_is_recorded(recordings, machine):
    recordings("    def test_a(scheduled): pass")
    [path] = (machine.pytester.path / "rec").glob("*")
    assert "token=<hidden>" in path.read_text()
    assert "hunter2" not in path.read_text()


def test_the_summary_says_how_to_look_at_the_recordings_of_failed_tests(recordings, machine):
    result, _ = recordings("""
    def test_a(scheduled): pass
    def test_b(scheduled): assert False
    @pytest.fixture
    def broken(scheduled): raise OSError("no")
    def test_c(broken): pass
    @pytest.fixture
    def late(scheduled):
        yield
        raise OSError("no")
    def test_d(late): pass
    """)
    module = next(machine.pytester.path.glob("test_*.py")).name
    result.stdout.fnmatch_lines([
        "*= recordings of failed tests =*",
        f"{module}::test_b",
        f"    seatrial replay rec/{module}-test_b.jsonl",
        f"{module}::test_c",
        f"    seatrial replay rec/{module}-test_c.jsonl",
        f"{module}::test_d",
        f"    seatrial replay rec/{module}-test_d.jsonl",
    ])  # fmt: skip
    result.stdout.no_fnmatch_line("*test_a.jsonl*")


def test_without_a_failure_the_summary_says_nothing(recordings):
    result, _ = recordings("    def test_a(scheduled): pass")
    result.stdout.no_fnmatch_line("*recording*")


def test_a_folder_elsewhere_is_told_whole_and_can_be_pasted(machine, tmp_path):
    folder = tmp_path / "with space"
    result = machine.tests(
        f"{HAPPENS}\n    def test_b(scheduled): assert False", f"--seatrial-record={folder}"
    )
    result.stdout.fnmatch_lines([f"    seatrial replay '{folder}/*-test_b.jsonl'"])


def test_a_second_run_leaves_the_recordings_of_the_first(recordings):
    recordings("    def test_a(scheduled): pass")
    _, found = recordings("    def test_a(scheduled): pass")
    assert sorted(found) == ["test_a-2.jsonl", "test_a.jsonl"]


def test_a_test_that_is_interrupted_is_recorded_up_to_there(recordings):
    _, found = recordings(
        "    def test_a(scheduled): raise KeyboardInterrupt", no_reraise_ctrlc=True
    )
    [recording] = found.values()
    assert [asked.outcome for asked in recording.asked] == ["satisfied"]
    assert recording.contents.ended is not None


def test_a_folder_that_cannot_be_written_to_is_an_error_and_leaves_no_namespace(machine):
    (machine.pytester.path / "rec").mkdir()
    (machine.pytester.path / "rec" / "file").write_text("")
    result = machine.tests("def test_a(k8s_namespace): pass", "--seatrial-record=rec/file/x")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E*ConfigurationError: cannot record into *: Not a directory"])
    assert len(machine.api.seen("DELETE")) == 1


def test_a_recording_that_broke_off_is_told_of(recordings):
    result, _ = recordings("""
    def test_a(scheduled, request, monkeypatch):
        from seatrial.plugin import recording
        recorder = request.node.stash[recording._RECORDER]
        recorder.trouble = "No space left on device"
    """)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([
        "seatrial: the recording of *::test_a broke off: No space left on device"
    ])  # fmt: skip


def test_the_place_of_a_recording_is_in_junits_file(recordings, machine):
    recordings("    def test_a(scheduled): pass", "--junitxml=junit.xml")
    junit = (machine.pytester.path / "junit.xml").read_text()
    assert '<property name="seatrial_recording" value="' in junit
    assert 'test_a.jsonl" />' in junit


def test_what_is_deployed_is_waited_for_on_record(machine):
    machine.tests(
        """
        CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "look"}}

        def test_it(k8s_deploy, k8s_namespace):
            release = k8s_deploy(CONFIG)
            release.wait_ready()
            assert release.namespace == k8s_namespace
        """,
        "--seatrial-record=rec",
    ).assert_outcomes(passed=1)
    [path] = (machine.pytester.path / "rec").glob("*")
    [asked] = Recording.read(path).asked
    assert (asked.kind, asked.outcome) == ("wait", "satisfied")
