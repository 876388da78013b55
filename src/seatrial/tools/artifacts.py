"""A folder of built things, each under the hash of what it was made from.

The same inputs are built once: a second call finds the folder. A build works in a folder beside it,
which is renamed into place when it is whole, so an interrupted one leaves nothing that could be
mistaken for a result. Two builds of the same thing at once share one: the second waits.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["Artifacts", "fingerprint"]


def fingerprint(parts: Iterable[str | bytes]) -> str:
    """A hash over the parts and their boundaries, 16 hex digits long."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()[:16]


class Artifacts:
    """Built things under one root folder, as `NAME-KEY/`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str, key: str) -> Path:
        """Where the thing of that name and key is, once it is built."""
        return self.root / f"{name}-{key}"

    def lock(self, name: str) -> FileLock:
        """A lock over processes, let go of by the kernel when its holder dies."""
        self.root.mkdir(parents=True, exist_ok=True)
        return FileLock(self.root / f".{name}.lock")

    def get(self, name: str, key: str, build: Callable[[Path], None]) -> Path:
        """The folder of the thing; `build(folder)` fills it if it is not there yet.

        Whatever `build` raises is passed on, and what it had made is removed.
        """
        place = self.path(name, key)
        if place.is_dir():
            return place
        with self.lock(f"{name}-{key}"):
            if place.is_dir():
                return place
            with self.workspace(f"{name}-{key}") as work:
                built = work / "built"
                built.mkdir()
                build(built)
                built.rename(place)
        return place

    def leftovers(self) -> Iterator[Path]:
        """Folders of builds whose process has died, each while its lock is held."""
        for work in sorted(self.root.glob(".*.work")):
            lock = self.lock(work.name[1 : -len(".work")])
            with suppress(Timeout), lock.acquire(blocking=False):
                yield work

    @contextmanager
    def workspace(self, name: str) -> Iterator[Path]:
        """An empty folder that is gone afterwards; only for who holds the lock of that name."""
        work = self.root / f".{name}.work"
        # the lock is ours, so a folder that is there belongs to a process that died
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
