"""Who uses which cluster: a file for each process, which outlives it if it is killed.

A run is one call of pytest, or of `seatrial`; with pytest-xdist it is several processes, each with
a lease of its own and one for the process that started them. A lease says nothing once all
processes of its run are dead: `seatrial gc`, and the next run, take it for what it is.

Files are written and read under the cluster's lock (see `sharing`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seatrial.core.processes import ProcessId

__all__ = ["Lease", "Leases"]


@dataclass(frozen=True)
class Lease:
    """That a process uses a cluster."""

    cluster: str
    run: str
    holder: ProcessId
    ends_it: bool = False
    """Whether the process only ends the run, and leaves the use to its workers."""


@dataclass(frozen=True)
class Leases:
    """The leases below a state folder."""

    state_dir: Path

    def take(self, cluster: str, run: str, holders: Sequence[ProcessId]) -> None:
        """Write down that these processes of a run use the cluster; the last is the one that does,
        any before it ends the run."""
        folder = self._folder(cluster)
        folder.mkdir(parents=True, exist_ok=True)
        for holder in holders:
            place = folder / f"{run}.{holder.pid}.json"
            # readers need no lock: what they find is whole
            draft = place.with_suffix(".new")
            ends_it = holder != holders[-1]
            written = {"run": run, "holder": holder.asdict(), "ends_it": ends_it}
            draft.write_text(json.dumps(written))
            draft.replace(place)

    def of(self, cluster: str) -> Sequence[Lease]:
        """All leases of a cluster, those of the dead among them."""
        found = []
        for path in sorted(self._folder(cluster).glob("*.json")):
            try:
                written = json.loads(path.read_text())
            except FileNotFoundError:
                continue
            except ValueError:
                written = {}
            if holder := ProcessId.read(written.get("holder")):
                run, ends_it = str(written["run"]), bool(written.get("ends_it"))
                found.append(Lease(cluster, run, holder, ends_it))
        return found

    def living(self, cluster: str) -> Sequence[Lease]:
        """The leases whose processes are not known to have ended."""
        return [lease for lease in self.of(cluster) if not lease.holder.is_dead]

    def users(self, cluster: str, run: str = "") -> Sequence[ProcessId]:
        """The other processes that are at work on the cluster; those of one run, if it is named."""
        mine = ProcessId.mine()
        return [
            lease.holder
            for lease in self.living(cluster)
            if not lease.ends_it and lease.holder != mine and run in ("", lease.run)
        ]

    def clusters(self) -> Sequence[str]:
        """The clusters that have leases, or are marked to be kept."""
        root = self.state_dir / "leases"
        return sorted(path.name for path in root.iterdir()) if root.is_dir() else []

    def of_run(self, run: str) -> Sequence[str]:
        """The clusters that a run has leases of, or could not make."""
        root = self.state_dir / "leases"
        return sorted({path.parent.name for path in root.glob(f"*/{run}.*")})

    def release(self, cluster: str, run: str) -> None:
        """Give up the leases of a run."""
        for path in self._folder(cluster).glob(f"{run}.*"):
            path.unlink(missing_ok=True)
        self._tidy(cluster)

    def withdraw(self, cluster: str, run: str, holder: ProcessId) -> None:
        """Give up what one process of a run holds."""
        self._place(Lease(cluster, run, holder)).unlink(missing_ok=True)
        self._tidy(cluster)

    def prune(self, cluster: str) -> Sequence[Lease]:
        """Take away the leases of the dead, and give them."""
        dead = [lease for lease in self.of(cluster) if lease.holder.is_dead]
        living = {lease.run for lease in self.living(cluster)}
        for lease in dead:
            if lease.run in living:
                # a worker that crashed, in a run that goes on
                self._place(lease).unlink(missing_ok=True)
            else:
                self.release(cluster, lease.run)
        return dead

    def forget(self, cluster: str) -> None:
        """Take away all that is written of a cluster that is gone."""
        shutil.rmtree(self._folder(cluster), ignore_errors=True)

    # --- what outlives its session

    def keep(self, cluster: str) -> None:
        """Mark a cluster that is to outlive its sessions."""
        self._folder(cluster).mkdir(parents=True, exist_ok=True)
        (self._folder(cluster) / "kept").touch()

    def is_kept(self, cluster: str) -> bool:
        return (self._folder(cluster) / "kept").exists()

    def unkeep(self, cluster: str) -> None:
        (self._folder(cluster) / "kept").unlink(missing_ok=True)
        self._tidy(cluster)

    # --- a failure that the other workers of a run need not repeat

    def note_failure(self, cluster: str, run: str, text: str) -> None:
        self._folder(cluster).mkdir(parents=True, exist_ok=True)
        (self._folder(cluster) / f"{run}.failed").write_text(text)

    def failure(self, cluster: str, run: str) -> str:
        """What another process of the run could not do, or nothing."""
        try:
            return (self._folder(cluster) / f"{run}.failed").read_text()
        except OSError:
            return ""

    def _tidy(self, cluster: str) -> None:
        folder = self._folder(cluster)
        if folder.is_dir() and not os.listdir(folder):  # noqa: PTH208 - the short way to "empty"
            folder.rmdir()

    def _place(self, lease: Lease) -> Path:
        return self._folder(lease.cluster) / f"{lease.run}.{lease.holder.pid}.json"

    def _folder(self, cluster: str) -> Path:
        return self.state_dir / "leases" / cluster
