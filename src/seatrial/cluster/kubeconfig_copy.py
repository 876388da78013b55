"""A session's own copy of one context of somebody's kubeconfig.

It has credentials in it, so nobody else can read it, and it goes with the session. One whose
session was killed is found by the next: each is locked for as long as its process lives.
"""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml
from filelock import FileLock, Timeout

from seatrial.kube import Target

__all__ = ["KubeconfigCopy"]


@dataclass(frozen=True)
class KubeconfigCopy:
    """`path` is a kubeconfig with one context, readable by its owner alone, until `close`."""

    path: Path
    _alive: FileLock

    @classmethod
    def of(cls, target: Target, place: Path) -> KubeconfigCopy:
        """Write a copy below `place`; copies there whose process has ended are removed."""
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        # nobody else looks for ended ones while this one is made, and not locked yet
        with FileLock(place / "making.lock"):
            _remove_ended(place)
            folder = place / secrets.token_hex(6)
            alive = FileLock(_lock_of(folder))
            alive.acquire(timeout=0)
            copy = cls(folder / "kubeconfig", alive)
            try:
                folder.mkdir(mode=0o700)
                made = os.open(copy.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(made, "w", encoding="utf-8") as file:
                    yaml.safe_dump(dict(target.document), file, sort_keys=False)
            except BaseException:
                copy.close()
                raise
        return copy

    @property
    def folder(self) -> Path:
        """For files of this session alone; it goes with the copy."""
        return self.path.parent

    def close(self) -> None:
        """Remove the copy and its folder; any number of times."""
        shutil.rmtree(self.folder, ignore_errors=True)
        _lock_of(self.folder).unlink(missing_ok=True)
        self._alive.release()


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.alive")


def _remove_ended(place: Path) -> None:
    for path in place.glob("*.alive"):
        lock = FileLock(path)
        with suppress(Timeout):
            lock.acquire(timeout=0)
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            path.unlink(missing_ok=True)
            lock.release()
