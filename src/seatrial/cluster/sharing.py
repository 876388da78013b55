"""One cluster for several sessions and workers: the first makes it, the last one out removes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from seatrial.cluster.provider import ClusterHandle, ClusterOptions, Provider
from seatrial.core.errors import ClusterError, SeatrialError
from seatrial.core.leases import Leases
from seatrial.core.locks import held
from seatrial.core.processes import ProcessId, Run
from seatrial.core.progress import Progress
from seatrial.tools import orphans

__all__ = ["Sharing"]


@dataclass(frozen=True)
class Sharing:
    """Joins and leaves the clusters of a provider. All of it is safe across processes."""

    provider: Provider
    state_dir: Path

    @property
    def leases(self) -> Leases:
        return Leases(self.state_dir)

    def key(self, name: str) -> str:
        """What the leases and the locks of a cluster are found by."""
        # no cluster's name has a dot in it
        return f"{name}.{self.provider.realm}" if self.provider.realm else name

    def join(
        self, options: ClusterOptions, progress: Progress, run: Run, *, keep: bool = False
    ) -> ClusterHandle:
        """Give a usable cluster: the one that others of this run or of another have made, or a new
        one. It is ours as well, until `leave`.

        A session that does not want to `keep` a cluster takes over one that was kept.

        Raises `ClusterError`, for a cluster that another process of the run could not make as well.
        """
        name, leases = options.name, self.leases
        key = self.key(name)
        with self.lock(name, progress):
            if leases.prune(key):
                # a command of a killed session may be at work on the cluster
                for orphan in orphans.find():
                    orphan.end()
            if failure := leases.failure(key, run.token):
                raise ClusterError(
                    f"another worker could not set up cluster {name}", details=failure
                )
            alone = not leases.living(key)
            # before there is anything to be left behind
            leases.take(key, run.token, run.holders)
            try:
                handle = self.provider.ensure(options, progress)
            except BaseException as error:
                self._withdraw(name, run)
                if run.starter and isinstance(error, SeatrialError):
                    leases.note_failure(key, run.token, str(error))
                raise
            if alone and not keep:
                leases.unkeep(key)
        return handle

    def leave(self, name: str, progress: Progress, run: Run, *, keep: bool) -> bool:
        """Give the cluster up; it goes unless others use it, or it is to be kept. Whether it went.

        Raises `ClusterError` if it cannot be deleted.
        """
        leases, key = self.leases, self.key(name)
        with self.lock(name, progress):
            joined = any(lease.run == run.token for lease in leases.of(key))
            leases.release(key, run.token)
            leases.prune(key)
            if not joined:
                return False
            if keep:
                leases.keep(key)
            elif others := leases.living(key):
                users = ", ".join(sorted({str(lease.holder) for lease in others}))
                progress.note(f"cluster {name} stays: {users} uses it")
            elif not leases.is_kept(key):
                self.provider.delete(name, progress)
                leases.forget(key)
                return True
        return False

    def _withdraw(self, name: str, run: Run) -> None:
        leases, key, mine = self.leases, self.key(name), ProcessId.mine()
        leases.withdraw(key, run.token, mine)
        held = {lease.holder for lease in leases.of(key) if lease.run == run.token}
        if run.starter and held <= {run.starter}:
            leases.withdraw(key, run.token, run.starter)

    @contextmanager
    def lock(self, name: str, progress: Progress) -> Iterator[None]:
        """Let one process at a time decide on the cluster's fate; say so if it has to be waited."""
        path = self.state_dir / "locks" / f"{self.key(name)}.sharing.lock"
        with held(path, progress, f"waiting for another session's work on cluster {name}"):
            yield
