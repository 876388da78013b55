"""Whether a process that was written down still lives."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from seatrial.core.processes import ProcessId, Run


def test_this_process_lives_and_is_the_same_when_read_again():
    mine = ProcessId.mine()
    assert mine.pid == os.getpid()
    assert not mine.is_dead
    assert ProcessId.read(mine.asdict()) == mine
    assert str(mine) == f"process {os.getpid()}"


def test_a_process_that_has_ended_is_dead_even_before_its_parent_has_asked():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        theirs = ProcessId.of(child.pid)
        assert not theirs.is_dead
        child.kill()
        # waits for the end, and leaves the zombie
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert theirs.is_dead
    assert theirs.is_dead
    assert ProcessId.of(child.pid) is None


@pytest.mark.parametrize(
    ("change", "dead"),
    [
        ({"started": 1}, True),
        ({"boot": "another"}, True),
        ({"space": "pid:[1]"}, False),
        ({"host": "elsewhere/1"}, False),
        ({"host": "elsewhere/1", "boot": "another", "pid": 2**22 + 1}, False),
    ],
    ids=["a pid given out again", "a boot before", "another container", "elsewhere", "far away"],
)
def test_what_cannot_be_known_counts_as_living(change, dead):
    assert replace(ProcessId.mine(), **change).is_dead is dead


def test_a_process_of_another_machine_is_named_with_it():
    assert str(replace(ProcessId.mine(), pid=7, host="ci-3/abc")) == "process 7 on ci-3"


@pytest.mark.parametrize("written", [None, {}, {"pid": "x"}, [], "text"])
def test_what_is_no_process_is_read_as_none(written):
    assert ProcessId.read(written) is None


def test_a_run_is_known_by_the_process_that_began_it_as_well():
    mine = ProcessId.mine()
    starter = replace(mine, pid=1)
    assert Run().holders == [mine]
    assert Run(starter=starter).holders == [starter, mine]
    assert Run().token != Run().token
