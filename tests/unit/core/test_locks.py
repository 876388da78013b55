"""A lock between processes, and what is said while somebody else has it."""

from __future__ import annotations

import threading
from contextlib import contextmanager

from filelock import FileLock

from seatrial.core.locks import held
from seatrial.core.progress import Quiet


class Told(Quiet):
    def __init__(self):
        self.steps = []
        self.began = threading.Event()

    @contextmanager
    def step(self, title):
        self.steps.append(title)
        self.began.set()
        yield self


def test_a_free_lock_is_taken_without_a_word_and_again_by_its_holder(tmp_path):
    path, told = tmp_path / "locks" / "a.lock", Told()
    with held(path, told, "waiting"), held(path, told, "waiting"):
        assert path.exists()
    assert told.steps == []


def test_a_lock_that_another_has_is_waited_for_and_that_is_told(tmp_path):
    path, told, entered = tmp_path / "a.lock", Told(), threading.Event()

    def enter():
        with held(path, told, "waiting for a"):
            entered.set()

    with FileLock(path):
        thread = threading.Thread(target=enter)
        thread.start()
        assert told.began.wait(10)
        assert not entered.is_set()
    thread.join(10)
    assert entered.is_set()
    assert told.steps == ["waiting for a"]
