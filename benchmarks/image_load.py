"""Loading a large image of which a small layer changed: seatrial beside `kind load docker-image`.

Measured from the finished build to the image in every node, both ways in turn, each with a change
of its own, so that a machine that slows down slows both. Prints a table and may write JSON. Nothing
is asserted.

    seatrial cluster up --name bench
    python benchmarks/image_load.py --cluster bench --runs 5 --json image_load.json
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import docker
import docker.errors
from rich.console import Console
from rich.table import Table

from seatrial.cluster import ClusterHandle, KindProvider
from seatrial.core.errors import ClusterError, CommandError
from seatrial.core.settings import Settings
from seatrial.images import BuildContext, Image, Loaded, build, find, load
from seatrial.report.console import ConsoleProgress
from seatrial.setup.preparing import prepare, prepare_image_base
from seatrial.tools.running import run

REPOSITORY = "seatrial-benchmark-load"
FILES = 3000
CHANGED_FILES = 50

DOCKERFILE = """\
ARG BASE
FROM ${BASE}
COPY below /below
COPY app /app
CMD ["python3"]
"""


@dataclass
class Row:
    """One thing measured both ways, in seconds."""

    what: str
    ours: list[float] = field(default_factory=list)
    kind: list[float] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    """Bytes that seatrial sent to one node."""

    def ratio(self, of: Callable[[Sequence[float]], float]) -> float:
        """How many times longer kind takes."""
        return of(self.kind) / of(self.ours)


@dataclass(frozen=True)
class Bench:
    """An image that changes, and a cluster that takes it."""

    client: docker.DockerClient
    kind: Path
    handle: ClusterHandle
    base: str
    folder: Path
    megabytes: int
    changed_megabytes: int

    def prepare(self) -> None:
        """Write the files of the large layer: half of each is random, half is text."""
        (self.folder / "Dockerfile").write_text(DOCKERFILE)
        (self.folder / "app").mkdir()
        half = self.megabytes * 1_000_000 // FILES // 2
        for number in range(FILES):
            place = self.folder / "below" / str(number % 50) / str(number)
            place.parent.mkdir(parents=True, exist_ok=True)
            text = b"a line of text\n" * (half // 15)
            place.write_bytes(random.Random(number).randbytes(half) + text)  # noqa: S311 - no secret

    def change(self) -> Image:
        """Build the image with another layer on top."""
        size = self.changed_megabytes * 1_000_000 // CHANGED_FILES
        for number in range(CHANGED_FILES):
            (self.folder / "app" / str(number)).write_bytes(os.urandom(size))
        context = BuildContext(path=self.folder, build_args={"BASE": self.base})
        return build(self.client, context, REPOSITORY)

    def load_by_kind(self, image: Image) -> float:
        argv: list[str | Path] = [self.kind, "load", "docker-image"]
        argv += [f"--name={self.handle.name}", image.reference]
        began = time.perf_counter()
        run(argv)
        return time.perf_counter() - began

    def load_by_us(self, image: Image, row: Row) -> None:
        began = time.perf_counter()
        # what the engine calls the image is looked up again: it belongs to a load
        loaded: Loaded = load(
            find(self.client, image.reference), self.handle.nodes, client=self.client
        )
        row.ours.append(time.perf_counter() - began)
        row.sent.append(max(loaded.sent.values()))

    def forget(self, image: Image) -> None:
        """Take it out of the nodes, and out of the engine."""
        for node in self.handle.nodes:
            with suppress(CommandError):
                node.exec(["crictl", "rmi", image.id])
        with suppress(docker.errors.ImageNotFound):
            self.client.images.remove(image.reference)


def measure(bench: Bench, runs: int) -> list[Row]:
    """Of the first image, which no node has a layer of, there is one run each."""
    rows = [Row("new"), Row("unchanged"), Row("one layer changed")]
    new, unchanged, changed = rows
    bench.prepare()
    image = bench.change()
    new.kind.append(bench.load_by_kind(image))
    for node in bench.handle.nodes:
        node.exec(["crictl", "rmi", image.id])
    bench.load_by_us(image, new)
    # it stays, so that the layers below the changed one do
    for _ in range(runs):
        unchanged.kind.append(bench.load_by_kind(image))
        bench.load_by_us(image, unchanged)
        for tool in ("kind", "ours"):
            other = bench.change()
            try:
                if tool == "kind":
                    changed.kind.append(bench.load_by_kind(other))
                else:
                    bench.load_by_us(other, changed)
            finally:
                bench.forget(other)
    bench.forget(image)
    return rows


def show(rows: Sequence[Row], title: str) -> None:
    table = Table(title=title)
    for name in ("", "seatrial", "kind load", "ratio of medians", "of minima", "bytes sent"):
        table.add_column(name, justify="right" if name else "left")
    for row in rows:
        table.add_row(
            row.what,
            f"{statistics.median(row.ours):.3f} s",
            f"{statistics.median(row.kind):.3f} s",
            f"{row.ratio(statistics.median):.1f}",
            f"{row.ratio(min):.1f}",
            f"{max(row.sent):,}",
        )
    Console().print(table)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cluster", required=True, help="name of a cluster of ours that is up")
    parser.add_argument("--runs", type=int, default=5, help="of each measurement (default: 5)")
    parser.add_argument("--size", type=int, default=870, help="of the layer that stays, in MB")
    parser.add_argument("--changed", type=int, default=5, help="of the layer on top, in MB")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    given = parser.parse_args(argv)
    progress = ConsoleProgress()
    settings = Settings.resolve(cli={"cluster_name": given.cluster}, env=os.environ)
    prepared = prepare(settings, progress)
    provider = KindProvider(prepared.client, prepared.kind, prepared.kubectl, settings.state_dir)
    handle = provider.find(given.cluster)
    if handle is None:
        raise ClusterError(
            f"there is no cluster {given.cluster} of ours",
            hint=f"seatrial cluster up --name {given.cluster}",
        )
    base = prepare_image_base(settings, prepared.client, progress) or "python:3.12-slim"
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, progress.step("measuring"):
        bench = Bench(
            prepared.client, prepared.kind, handle, base, Path(folder), given.size, given.changed
        )
        rows = measure(bench, given.runs)
    load_average = (before, os.getloadavg()[0])
    show(
        rows,
        f"{len(handle.nodes)} node(s), {os.cpu_count()} cores; "
        f"load average {load_average[0]:.1f} before, {load_average[1]:.1f} after",
    )
    if given.json:
        document = {
            "nodes": len(handle.nodes),
            "cores": os.cpu_count(),
            "load_average": load_average,
            "rows": [
                {
                    **asdict(row),
                    "ratio_of_medians": row.ratio(statistics.median),
                    "ratio_of_minima": row.ratio(min),
                }
                for row in rows
            ],
        }
        given.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
