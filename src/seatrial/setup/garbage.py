"""What sessions that died have left behind: found, said, and removed.

Only what is known to be ours, and whose session is known to have ended, is garbage. What belongs to
another machine, to another state folder or to a container's own processes is left alone.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import docker
import docker.errors
from filelock import FileLock, Timeout

from seatrial.cluster import Sharing
from seatrial.cluster.kind import CLUSTER_LABEL, STATE_LABEL
from seatrial.core.leases import Leases
from seatrial.core.processes import OWNER_LABEL, ProcessId, is_leftover
from seatrial.core.progress import Progress
from seatrial.images import CONTEXT_LABEL
from seatrial.setup.node_recipe import Recipe, known_versions
from seatrial.tools import orphans
from seatrial.tools.artifacts import Artifacts

__all__ = ["Collector", "Garbage"]

#: on node images that were made here
RECIPE_LABEL = "seatrial.dev/recipe"

#: an image younger than this may be about to be loaded
YOUNG = timedelta(hours=1)


@dataclass(frozen=True)
class Garbage:
    """One thing that nobody needs any more."""

    what: str
    why: str
    remove: Callable[[], None]


@dataclass(frozen=True)
class Collector:
    """Finds garbage, in the order in which it has to be removed."""

    client: docker.DockerClient
    sharing: Sharing
    artifacts: Artifacts
    progress: Progress

    @property
    def state_dir(self) -> Path:
        return self.sharing.state_dir

    @property
    def leases(self) -> Leases:
        return self.sharing.leases

    def find(self, *, images: bool = True) -> Iterator[Garbage]:
        """All garbage. What is given is to be removed, or not, before the next is asked for."""
        # first, as one may be making what is looked for next
        yield from self._processes()
        yield from self._clusters()
        yield from self._containers()
        if images:
            yield from self._node_images()
            yield from self._content_tags()
        yield from self._files()

    # --- processes

    def _processes(self) -> Iterator[Garbage]:
        for orphan in orphans.find():
            yield Garbage(
                f"process {orphan.process.pid} ({orphan.command[:60]})",
                f"{orphan.owner}, which started it, has ended",
                orphan.end,
            )

    # --- clusters

    def _clusters(self) -> Iterator[Garbage]:
        networks = {
            network.attrs["Labels"][CLUSTER_LABEL]: network.attrs["Labels"]
            for network in self.client.networks.list(filters={"label": CLUSTER_LABEL})
        }
        ours = {n for n, labels in networks.items() if labels.get(STATE_LABEL) == self._state}
        known = self._mine([*self.leases.clusters(), *self._folders()])
        for name in sorted(ours | known):
            labels = networks.get(name)
            if labels is not None and name not in ours:
                # of another state folder, whose leases are not seen here
                continue
            yield from self._cluster(name, labels)

    def _cluster(self, name: str, labels: dict[str, str] | None) -> Iterator[Garbage]:
        if self._is_used(name, labels):
            return
        dead = self.leases.of(self.sharing.key(name))
        if self.leases.is_kept(self.sharing.key(name)):
            if dead:
                yield Garbage(
                    f"lease of {dead[0].holder} on cluster {name}, which is kept",
                    "that process has ended",
                    lambda: self._prune(name),
                )
            return
        who = f"{dead[0].holder} has ended" if dead else "nobody uses it"
        what = f"cluster {name}" if labels is not None else f"what is left of cluster {name}"
        yield Garbage(what, who, lambda: self._delete(name))

    def _is_used(self, name: str, labels: dict[str, str] | None) -> bool:
        if self.leases.living(self.sharing.key(name)):
            return True
        maker = ProcessId.of_label((labels or {}).get(OWNER_LABEL))
        if labels is not None:
            # one without a maker is of a version that wrote down none, and so of an unknown user
            return maker is None or not maker.is_dead
        lock = FileLock(self._locks / f"{self.sharing.key(name)}.lock")
        try:
            # being made this moment, by somebody who takes no lease
            lock.acquire(blocking=False)
        except Timeout:
            return True
        lock.release()
        return False

    def _delete(self, name: str) -> None:
        with self.sharing.lock(name, self.progress):
            if not self.leases.living(self.sharing.key(name)):
                self.sharing.provider.delete(name, self.progress)
                self.leases.forget(self.sharing.key(name))

    def _prune(self, name: str) -> None:
        with self.sharing.lock(name, self.progress):
            self.leases.prune(self.sharing.key(name))

    def _mine(self, keys: Iterable[str]) -> set[str]:
        """The names of clusters of this provider: of others nothing is known here."""
        parts = (key.partition(".") for key in keys)
        return {name for name, _, realm in parts if realm == self.sharing.provider.realm}

    def _folders(self) -> set[str]:
        root = self.state_dir / "clusters"
        return {path.name for path in root.iterdir()} if root.is_dir() else set()

    # --- containers beside clusters

    def _containers(self) -> Iterator[Garbage]:
        found = self.client.containers.list(
            all=True, filters={"label": OWNER_LABEL}, ignore_removed=True
        )
        for container in found:
            owner = ProcessId.of_label(container.labels.get(OWNER_LABEL))
            if owner is not None and owner.is_dead:
                yield Garbage(
                    f"container {container.name}",
                    f"{owner}, which made it, has ended",
                    lambda container=container: _remove_container(container),  # type: ignore[misc]
                )

    # --- images

    def _node_images(self) -> Iterator[Garbage]:
        current = {Recipe(version).reference for version in known_versions()}
        for image in self.client.images.list(filters={"label": RECIPE_LABEL}):
            for tag in image.tags:
                version = str(image.labels.get("seatrial.dev/kubernetes"))
                newer = [each for each in current if each.startswith(f"seatrial/node:v{version}-")]
                # not before there is one in its place
                if tag not in current and newer and self._has(newer[0]):
                    yield self._image(tag, f"{newer[0]} has taken its place")

    def _content_tags(self) -> Iterator[Garbage]:
        newest: dict[str, tuple[str, str]] = {}
        tagged: list[tuple[str, str, str]] = []
        for image in self.client.images.list(filters={"label": CONTEXT_LABEL}):
            for tag in image.tags:
                repository, _, version = tag.rpartition(":")
                if not version.startswith("sha-"):
                    continue
                created = str(image.attrs["Created"])
                tagged.append((repository, created, tag))
                newest[repository] = max(newest.get(repository, ("", "")), (created, tag))
        for repository, created, tag in sorted(tagged):
            if tag != newest[repository][1] and _age(created) > YOUNG:
                yield self._image(tag, f"{newest[repository][1]} is newer")

    def _image(self, tag: str, why: str) -> Garbage:
        def remove() -> None:
            try:
                self.client.images.remove(tag)
            except docker.errors.ImageNotFound:
                pass
            except docker.errors.APIError as error:
                if error.status_code != 409:
                    raise
                self.progress.note(f"image {tag} is in use, and stays")

        return Garbage(f"image {tag}", why, remove)

    def _has(self, reference: str) -> bool:
        return bool(self.client.images.list(name=reference))

    # --- files

    def _files(self) -> Iterator[Garbage]:
        for work in self.artifacts.leftovers():
            yield Garbage(f"folder {work}", "the build in it was killed", lambda w=work: _rm(w))  # type: ignore[misc]
        for draft in sorted((self.state_dir / "leases").glob("*/*.new")):
            yield Garbage(f"file {draft}", "it was never whole", lambda d=draft: _rm(d))  # type: ignore[misc]
        for path in sorted(Path(tempfile.gettempdir()).glob("seatrial-*")):
            if is_leftover(path.name) and path.stat().st_uid == _user():
                yield Garbage(f"file {path}", "its process has ended", lambda p=path: _rm(p))  # type: ignore[misc]
        names = {*self.sharing.provider.list(), *self._mine(self.leases.clusters())}
        for path in sorted(self._locks.glob("*.lock")):
            key = path.name.removesuffix(".lock")
            for more in (".sharing", ".images"):
                key = key.removesuffix(more)
            if self._mine([key]) - names:
                yield Garbage(f"lock {path}", "there is no such cluster", lambda p=path: _unlock(p))  # type: ignore[misc]

    @property
    def _locks(self) -> Path:
        folder = self.state_dir / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def _state(self) -> str:
        return str(self.state_dir)


def _remove_container(container: Any) -> None:
    with suppress(docker.errors.NotFound):
        container.remove(force=True, v=True)


def _age(created: str) -> timedelta:
    # the engine writes nanoseconds, which Python 3.10 does not read
    moment = datetime.fromisoformat(created[:19]).replace(tzinfo=timezone.utc)
    return datetime.now(timezone.utc) - moment


def _rm(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _unlock(path: Path) -> None:
    # whoever waits for it finds, once it has it, that it is no file any more, and begins anew
    with suppress(Timeout), FileLock(path).acquire(blocking=False):
        path.unlink(missing_ok=True)


def _user() -> int:
    return Path("/proc/self").stat().st_uid
