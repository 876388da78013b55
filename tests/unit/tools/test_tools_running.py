"""Commands: what they print, what they are given, and that none of them is left behind."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from seatrial.core.errors import CommandError, ImageError
from seatrial.tools import run, running


def sh(script, *args):
    return ["sh", "-c", script, "sh", *args]


def is_alive(pid):
    """Whether a process is there that is not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_what_a_command_prints_is_given_back():
    done = run(sh("echo one; echo two"))
    assert done.stdout == "one\ntwo"
    assert done.output == "one\ntwo"
    assert done.status == 0
    assert done.argv[:2] == ("sh", "-c")


def test_both_streams_are_in_the_output_in_the_order_in_which_their_lines_came(tmp_path):
    # each line is printed only when the one before it has arrived here
    def arrived(line):
        (tmp_path / line).touch()

    waits = 'await() { while [ ! -e "$1" ]; do sleep 0.005; done; }; '
    done = run(
        sh(waits + "echo a; await a; echo b >&2; await b; echo c"), cwd=tmp_path, on_line=arrived
    )
    assert done.output == "a\nb\nc"
    assert done.stdout == "a\nc"


def test_each_line_is_told_while_the_command_still_runs(tmp_path):
    go_on = tmp_path / "go-on"
    told = []

    def on_line(line):
        told.append(line)
        go_on.touch()

    run(sh('echo first; while [ ! -e "$1" ]; do sleep 0.005; done; echo last', str(go_on)),
        on_line=on_line, timeout=20)  # fmt: skip
    assert told == ["first", "last"]


def test_a_line_is_stripped_of_its_end_and_of_what_is_not_text():
    done = run(sh(r"printf 'caf\351\r\nplain'"))
    assert done.stdout == "caf\ufffd\nplain"


def test_arguments_may_be_paths_and_are_not_read_by_a_shell(tmp_path):
    assert run(["echo", tmp_path, "$HOME; *"]).stdout == f"{tmp_path} $HOME; *"


def test_a_command_runs_in_the_folder_it_is_given(tmp_path):
    assert run(["pwd", "-P"], cwd=tmp_path).stdout == str(tmp_path.resolve())


def test_added_environment_is_the_childs_alone(monkeypatch):
    monkeypatch.setenv("KEPT", "of before")
    before = dict(os.environ)
    done = run(sh("echo $KEPT $ADDED"), env={"ADDED": "for the child"})
    assert done.stdout == "of before for the child"
    assert dict(os.environ) == before


def test_a_command_that_is_given_nothing_reads_nothing():
    assert run(["cat"], timeout=20).stdout == ""


def test_standard_input_is_streamed_and_never_held_as_a_whole():
    # the second piece is made only when the command has answered to the first
    answered = threading.Event()

    def pieces():
        yield b"x" * 200_000
        assert answered.wait(20)
        yield b"y" * 200_000

    done = run(
        sh("head -c 100000 | wc -c; cat >/dev/null; echo all"),
        stdin=pieces(),
        on_line=lambda _: answered.set(),
    )
    assert done.stdout.split() == ["100000", "all"]


def test_a_command_may_leave_its_input_unread():
    done = run(["true"], stdin=(b"x" * 100_000 for _ in range(100)))
    assert done.status == 0


def test_an_input_that_breaks_off_is_never_taken_for_the_whole(tmp_path):
    def pieces():
        yield b"half of it"
        raise ImageError("the engine went away")

    taken = tmp_path / "taken"
    with pytest.raises(ImageError, match="the engine went away"):
        run(sh('cat >/dev/null; touch "$1"', str(taken)), stdin=pieces(), timeout=20)
    assert not taken.exists()


def test_an_error_of_who_is_told_the_lines_ends_the_command():
    def refuse(line):
        raise ValueError(f"cannot show {line}")

    before = time.monotonic()
    with pytest.raises(ValueError, match="cannot show one"):
        run(sh("echo one; exec sleep 60"), on_line=refuse)
    assert time.monotonic() - before < 20


def test_a_command_that_fails_can_be_pasted_and_shows_status_and_output():
    with pytest.raises(CommandError) as caught:
        run(sh("echo out; exit 7", "a b"), hint="try harder")
    assert str(caught.value).splitlines() == [
        "sh ended with status 7",
        "  $ sh -c 'echo out; exit 7' sh 'a b'",
        "  out",
        "-> try harder",
    ]
    assert caught.value.status == 7


def test_only_the_last_lines_of_a_long_output_are_shown():
    with pytest.raises(CommandError) as caught:
        run(sh("seq 1 100; exit 1"))
    lines = str(caught.value).splitlines()
    assert lines[2:4] == ["  … 60 lines before this …", "  61"]
    assert lines[-1] == "  100"
    assert caught.value.output.startswith("1\n2\n")


def test_a_status_that_is_not_checked_is_given_back():
    done = run(sh("echo no >&2; exit 3"), check=False)
    assert (done.status, done.stdout, done.output) == (3, "", "no")


def test_a_command_that_is_not_there_says_so():
    with pytest.raises(CommandError) as caught:
        run(["no-such-command", "--now"], hint="install it")
    assert str(caught.value).splitlines() == [
        "no-such-command cannot be started: No such file or directory",
        "  $ no-such-command --now",
        "-> install it",
    ]
    assert caught.value.status is None
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_a_file_that_cannot_be_executed_says_so(tmp_path):
    (tmp_path / "tool").write_text("not a program")
    with pytest.raises(CommandError, match="tool cannot be started: Permission denied"):
        run([tmp_path / "tool"])


def test_a_command_that_takes_too_long_is_killed_and_its_output_shown():
    with pytest.raises(CommandError) as caught:
        run(sh("echo $$; exec sleep 60"), timeout=0.2, hint="wait longer")
    lines = str(caught.value).splitlines()
    assert lines[0] == "sh did not end within 0.2 s"
    assert lines[-1] == "-> wait longer"
    assert caught.value.status is None
    assert not is_alive(int(caught.value.output))


@pytest.fixture
def interruptible():
    """A shell has what it starts in the background ignore SIGINT, and so us as well."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_leaves_no_child(interruptible):
    pids = []

    def interrupt(line):
        pids.append(int(line))
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(sh("echo $$; exec sleep 60"), on_line=interrupt)
    assert not is_alive(pids[0])


@pytest.mark.parametrize("begun", [0, 1, 2])
def test_an_interrupt_before_all_is_begun_leaves_no_child_and_no_open_pipe(monkeypatch, begun):
    children, threads, late = [], [], []
    start, popen = threading.Thread.start, running.subprocess.Popen

    def interrupted(thread):
        if len(threads) == begun:
            late.append(thread)
            raise KeyboardInterrupt
        threads.append(thread)
        start(thread)

    def remembered(*args, **more):
        children.append(popen(*args, **more))
        return children[-1]

    monkeypatch.setattr(running.subprocess, "Popen", remembered)
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(["sleep", "60"], stdin=[b"x"])
    monkeypatch.undo()
    [child] = children
    assert child.returncode == -signal.SIGKILL
    assert all(pipe.closed for pipe in (child.stdin, child.stdout, child.stderr))
    # it may have been on its way all the same: then it finds nothing to do, and no closed pipe
    late[0].start()
    late[0].join(20)


def test_a_daemon_that_keeps_the_pipe_open_does_not_keep_the_caller(monkeypatch):
    monkeypatch.setattr(running, "LAST_OUTPUT", 0.1)
    before = time.monotonic()
    done = run(sh("sleep 60 & echo $!"))
    os.kill(int(done.stdout), signal.SIGKILL)
    assert time.monotonic() - before < 20
    assert done.status == 0
