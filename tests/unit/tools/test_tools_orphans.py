"""Commands whose process was killed are found; daemons, and what somebody waits for, are not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from seatrial.tools import orphans
from seatrial.tools.running import run

#: runs a command as seatrial does, and says which process it is
PARENT = """
import sys
from seatrial.tools.running import run
run([sys.executable, "-c", {child!r}], on_line=lambda line: print(line, flush=True))
"""
CHILD = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
DAEMON = "import os; os.setsid() if os.fork() == 0 else os._exit(0);" + CHILD


def the_orphans(pid):
    return [orphan for orphan in orphans.find() if orphan.process.pid == pid]


def parent(child):
    return subprocess.Popen(
        [sys.executable, "-c", PARENT.format(child=child)], stdout=subprocess.PIPE, text=True
    )


def test_a_command_whose_process_was_killed_is_an_orphan():
    with parent(CHILD) as running:
        pid = int(running.stdout.readline())
        assert the_orphans(pid) == []
        running.send_signal(signal.SIGKILL)
    [orphan] = the_orphans(pid)
    assert orphan.owner.pid == running.pid
    assert "time.sleep(60)" in orphan.command
    orphan.end()
    orphan.end()
    assert the_orphans(pid) == []


def test_a_daemon_is_meant_to_stay():
    with parent(DAEMON) as running:
        pid = int(running.stdout.readline())
        running.send_signal(signal.SIGKILL)
    try:
        assert the_orphans(pid) == []
    finally:
        os.kill(pid, signal.SIGKILL)


def test_what_a_child_has_started_ends_with_it():
    grandchild = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"
    pids = []

    def stop(line):
        pids.append(int(line))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run([sys.executable, "-c", grandchild], on_line=stop)
    # killed, and with nobody left who would ask how it ended
    deadline = time.monotonic() + 10
    while (there := orphans.ProcessId.of(pids[0])) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert there is None
