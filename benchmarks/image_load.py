"""Loading a large image of which a small layer changed, in three ways side by side.

seatrial sends each node an archive of the layers that it lacks; `kind load docker-image` saves and
imports all of the image; the third way is a registry on 127.0.0.1 that the nodes pull from.
Measured from the finished build to the image in every node, each way in turn and with a change of
its own, so that a machine that slows down slows all. Prints a table and may write JSON. Nothing is
asserted.

    python -m benchmarks.image_load --runs 5 --nodes 1 --json image_load.json

makes a cluster of its own and deletes it; `--cluster NAME` takes one of ours that is up.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import docker
import docker.errors
from benchmarks.local_registry import LocalRegistry, local_registry
from rich.console import Console
from rich.table import Table

from seatrial.cluster import ClusterHandle
from seatrial.core.clock import Deadline, SystemClock
from seatrial.core.errors import ClusterError
from seatrial.core.settings import Settings
from seatrial.images import BuildContext, Image, build, find, load
from seatrial.images.layers import chain_ids, lowest_missing
from seatrial.images.missing import CTR, inventory_of
from seatrial.report.console import ConsoleProgress
from seatrial.setup.preparing import artifacts_of, prepare_image_base
from seatrial.setup.provision import Provision, provision
from seatrial.tools.running import run

REPOSITORY = "seatrial-benchmark-load"
NAME = "seatrial-image-load"
FILES = 3000
CHANGED_FILES = 50
#: seconds for containerd to collect what an image leaves behind
COLLECTED_WITHIN = 120.0

OURS, KIND, REGISTRY = WAYS = ("seatrial", "kind load", "registry")

DOCKERFILE = """\
ARG BASE
FROM ${BASE}
COPY below /below
COPY app /app
CMD ["python3"]
"""


@dataclass
class Row:
    """One thing measured in each way, in seconds."""

    what: str
    seconds: dict[str, list[float]] = field(default_factory=lambda: {way: [] for way in WAYS})
    sent: list[int] = field(default_factory=list)
    """Bytes that seatrial sent to one node."""

    def ratio(self, way: str, of: Callable[[Sequence[float]], float] = statistics.median) -> float:
        """How many times longer that way takes than ours."""
        return of(self.seconds[way]) / of(self.seconds[OURS])


@dataclass(frozen=True)
class Bench:
    """An image that changes, and a cluster that takes it."""

    client: docker.DockerClient
    kind: Path
    handle: ClusterHandle
    registry: LocalRegistry
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

    def load(self, way: str, image: Image, row: Row) -> None:
        """Load the image in one way, and note how long it took."""
        began = time.perf_counter()
        if way == OURS:
            # what the engine calls the image is looked up again: it belongs to a load
            found = find(self.client, image.reference)
            loaded = load(found, self.handle.nodes, client=self.client)
            row.sent.append(max(loaded.sent.values()))
        elif way == KIND:
            name = f"--name={self.handle.name}"
            run([self.kind, "load", "docker-image", name, image.reference])
        else:
            self.registry.push(image)
            with ThreadPoolExecutor(len(self.handle.nodes)) as pool:
                for _ in pool.map(lambda node: self.registry.pull(node, image), self.handle.nodes):
                    pass
        row.seconds[way].append(time.perf_counter() - began)

    def forget(self, image: Image) -> None:
        """Take it out of the nodes, and out of the engine."""
        self.forget_names(image)
        for remove in (self.registry.forget, lambda it: self.client.images.remove(it.reference)):
            with suppress(docker.errors.ImageNotFound):
                remove(image)

    def forget_names(self, image: Image) -> None:
        """Take all of its names from the nodes, and let them collect what is left of it.

        Each way gives it a manifest of its own and names of its own, of which the kubelet's view
        shows but some.
        """
        for node in self.handle.nodes:
            listed = node.exec([*CTR, "images", "list", "--quiet"]).split()
            names = [
                name for name in listed
                if REPOSITORY in name or name == image.id or name.startswith("import-")
            ]  # fmt: skip
            if names:
                node.exec([*CTR, "images", "remove", "--sync", *names])

    def layers_there(self, image: Image) -> list[int]:
        """How many layers of it each node has, counted from the lowest."""
        described = self.client.api.inspect_image(image.id)  # type: ignore[no-untyped-call]  # so are its stubs
        chain = chain_ids(described["RootFS"]["Layers"])
        return [lowest_missing(chain, inventory_of(node).chain_ids) for node in self.handle.nodes]

    def forget_layers(self, image: Image, before: Sequence[int]) -> None:
        """Take it out of the nodes, and wait until they have no more of it than before."""
        self.forget_names(image)
        deadline = Deadline.after(COLLECTED_WITHIN, SystemClock())
        while any(now > was for now, was in zip(self.layers_there(image), before, strict=True)):
            if deadline.passed:
                raise ClusterError(f"the nodes still have layers of {image}")


def measure(bench: Bench, runs: int) -> list[Row]:
    """Of the first image, which no node has a layer of, there is one run each."""
    rows = [Row("new"), Row("unchanged"), Row("one layer changed")]
    new, unchanged, changed = rows
    bench.prepare()
    image = bench.change()
    before = bench.layers_there(image)
    for way in (KIND, REGISTRY, OURS):
        bench.load(way, image, new)
        if way != OURS:
            # at last it stays, so that the layers below the changed one do
            bench.forget_layers(image, before)
    for _ in range(runs):
        for way in WAYS:
            # the way before it gave the image another manifest, under the same name
            bench.load(way, image, Row("its own"))
            bench.load(way, image, unchanged)
        for way in WAYS:
            other = bench.change()
            try:
                bench.load(way, other, changed)
            finally:
                bench.forget(other)
    bench.forget(image)
    return rows


def show(rows: Sequence[Row], title: str) -> None:
    table = Table(title=title)
    for name in (
        "",
        *(f"{way}, s" for way in WAYS),
        "kind / ours",
        "registry / ours",
        "bytes sent",
    ):
        table.add_column(name, justify="right" if name else "left")
    for row in rows:
        table.add_row(
            row.what,
            *(f"{statistics.median(row.seconds[way]):.3f}" for way in WAYS),
            *(f"{row.ratio(way):.1f}" for way in (KIND, REGISTRY)),
            f"{max(row.sent):,}",
        )
    Console(width=110).print(table)


@contextmanager
def _cluster(provided: Provision, given: argparse.Namespace) -> Iterator[ClusterHandle]:
    """The cluster that is named, or one that is gone afterwards."""
    progress, provider = ConsoleProgress(), provided.provider
    if given.cluster:
        found = provider.find(given.cluster)
        if found is None:
            raise ClusterError(
                f"there is no cluster {given.cluster} of ours",
                hint=f"seatrial cluster up --name {given.cluster}",
            )
        yield found
        return
    try:
        yield provider.ensure(provided.options(name=NAME, workers=given.nodes - 1), progress)
    finally:
        provider.delete(NAME, progress)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cluster", help="name of a cluster of ours that is up")
    parser.add_argument("--nodes", type=int, default=1, help="of its own cluster (default: 1)")
    parser.add_argument("--runs", type=int, default=5, help="of each measurement (default: 5)")
    parser.add_argument("--size", type=int, default=870, help="of the layer that stays, in MB")
    parser.add_argument("--changed", type=int, default=5, help="of the layer on top, in MB")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    given = parser.parse_args(argv)
    progress = ConsoleProgress()
    settings = Settings.resolve(cli={"provider": "kind"}, env=os.environ)
    provided = provision(settings, progress)
    if provided.kind is None or provided.client is None:
        raise ClusterError("`kind load` is measured on a cluster that kind makes")
    base = prepare_image_base(settings, provided.client, progress) or "python:3.12-slim"
    before = os.getloadavg()[0]
    with (
        _cluster(provided, given) as handle,
        tempfile.TemporaryDirectory() as folder,
        local_registry(
            provided.client,
            f"seatrial-{handle.name}",
            artifacts_of(settings),
            settings.debian_mirror,
            progress,
        ) as registry,
        progress.step("measuring"),
    ):
        nodes = len(handle.nodes)
        bench = Bench(
            provided.client, provided.kind, handle, registry, base, Path(folder), given.size,
            given.changed,
        )  # fmt: skip
        rows = measure(bench, given.runs)
    load_average = (before, os.getloadavg()[0])
    show(
        rows,
        f"{nodes} node(s), {os.cpu_count()} cores; medians of {given.runs}; "
        f"load average {load_average[0]:.1f} before, {load_average[1]:.1f} after",
    )
    if given.json:
        document = {
            "nodes": nodes,
            "cores": os.cpu_count(),
            "load_average": load_average,
            "megabytes": {"all": given.size, "changed": given.changed},
            "rows": [
                {
                    "what": row.what,
                    "seconds": row.seconds,
                    "bytes_sent": row.sent,
                    "ratio_of_medians": {way: row.ratio(way) for way in WAYS},
                    "ratio_of_minima": {way: row.ratio(way, min) for way in WAYS},
                }
                for row in rows
            ],
        }
        given.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
