"""Locks between processes that say so where they have to be waited for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from seatrial.core.progress import Progress

__all__ = ["held"]


@contextmanager
def held(path: Path, progress: Progress, waiting: str) -> Iterator[None]:
    """Hold the lock in that file; a step with the title `waiting` is shown while another has it.

    Whoever holds it may take it again in the same thread.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, is_singleton=True)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        with progress.step(waiting):
            lock.acquire()
    try:
        yield
    finally:
        lock.release()
