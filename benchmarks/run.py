"""seatrial beside the tools that people use today, on one real cluster, in one run.

Prints a table and writes JSON. Nothing is asserted: a number is for looking at. Each measurement
is taken in turn with its alternative, so that a machine that slows down slows both.

    python benchmarks/run.py --runs 3 --json benchmarks/results.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import requests
from pytest_kind import KindCluster  # type: ignore[import-untyped]  # it has no type hints
from rich.console import Console
from rich.table import Table

from seatrial import NotReadyError
from seatrial.cluster import (
    Bootstrap,
    ClusterOptions,
    ContainerNode,
    KindProvider,
    kind_config,
    probe,
)
from seatrial.core.progress import Quiet
from seatrial.core.settings import Settings
from seatrial.harness import Cluster, Deployer, Http, ImageFactory
from seatrial.images import Image
from seatrial.report.console import ConsoleProgress
from seatrial.setup.preparing import Prepared, prepare, prepare_image_base
from seatrial.tools.running import run

REPOSITORY = Path(__file__).resolve().parents[1]
MANIFESTS = REPOSITORY / "fixtures" / "manifests"
NAME = "seatrial-benchmark"

#: `kubectl rollout status` does not look at why a pod waits: it would go on for 600 s. It is ended
#: here, and the figure is a lower bound.
PATIENCE = 30.0


@dataclass
class Row:
    """One thing measured both ways, in seconds."""

    what: str
    alternative: str
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def ratio(self) -> float:
        """How many times longer the alternative takes, by the medians."""
        return statistics.median(self.theirs) / statistics.median(self.ours)


def timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


@dataclass
class Bench:
    """A prepared machine, one cluster, and the application's image."""

    prepared: Prepared
    provider: KindProvider
    options: ClusterOptions
    settings: Settings
    runs: int
    rows: list[Row] = field(default_factory=list)

    def row(self, what: str, alternative: str, note: str = "") -> Row:
        self.rows.append(Row(what, alternative, note=note))
        print(f"… {what}", file=sys.stderr, flush=True)
        return self.rows[-1]

    def open(self) -> Cluster:
        handle = self.provider.ensure(self.options, Quiet())
        return Cluster(
            handle,
            kind=self.prepared.kind,
            kubectl=self.prepared.kubectl,
            node_image=self.options.node_image,
            client=self.prepared.client,
        )

    def kubectl(self, *args: str) -> str:
        kubeconfig = self.settings.state_dir / "clusters" / NAME / "kubeconfig"
        return run([self.prepared.kubectl, f"--kubeconfig={kubeconfig}", *args]).stdout


# --- session start


def cold_start(bench: Bench) -> None:
    row = bench.row(
        "cold start, until the cluster is usable",
        "pytest-kind create()",
        "pytest-kind neither waits nor patches for this machine: it was given our configuration, "
        "and the same pod network and waits after it",
    )
    for _ in range(min(bench.runs, 2)):
        bench.provider.delete(NAME, Quiet())
        with _pytest_kind(bench) as (cluster, config):
            row.theirs.append(timed(lambda c=cluster, f=config: _create(bench, c, f)))  # type: ignore[misc]
        row.ours.append(timed(lambda: bench.provider.ensure(bench.options, Quiet())))


@contextmanager
def _pytest_kind(bench: Bench) -> Iterator[tuple[Any, Path]]:
    """pytest-kind's own class with our tools and a configuration that this machine can run."""
    networks = {network.id for network in bench.prepared.client.networks.list()}
    with tempfile.TemporaryDirectory() as folder:
        facts = probe(bench.prepared.client, bench.options.node_image)
        config = Path(folder) / "kind.yaml"
        config.write_text(kind_config(bench.options, facts, own_network=True))
        cluster = KindCluster(
            f"{NAME}-pk",
            Path(folder) / "kubeconfig",
            image=bench.options.node_image,
            kind_path=bench.prepared.kind,
            kubectl_path=bench.prepared.kubectl,
        )
        try:
            yield cluster, config
        finally:
            cluster.delete()
            # kind leaves the network that it makes; one that was there is somebody's
            for network in bench.prepared.client.networks.list(names=["kind"]):
                if network.id not in networks:
                    network.remove()


def _create(bench: Bench, cluster: Any, config: Path) -> None:
    cluster.create(config)
    bootstrap = Bootstrap(bench.prepared.kubectl, cluster.kubeconfig_path)
    bootstrap.set_up_network([ContainerNode(f"{cluster.name}-control-plane")])
    bootstrap.wait_until_usable()


_TRIVIAL = "def test_first({0}):\n    assert {0}.kubectl('get', 'nodes')\n"
TRIVIAL = {
    "seatrial": _TRIVIAL.format("k8s_cluster"),
    "pytest-kind": _TRIVIAL.format("kind_cluster"),
}


def warm_start(bench: Bench) -> None:
    row = bench.row("warm start, a session of one test on a kept cluster", "pytest --keep-cluster")
    kubeconfig = bench.settings.state_dir / "clusters" / NAME / "kubeconfig"
    arguments = {
        "seatrial": [f"--seatrial-cluster-name={NAME}", "--seatrial-keep=always"],
        "pytest-kind": [
            # without our plugin, as pytest-kind's own users have it
            "-p", "no:seatrial", "--keep-cluster", f"--cluster-name={NAME}",
            f"--kubeconfig={kubeconfig}", f"--kind-bin={bench.prepared.kind}",
            f"--kind-kubectl-bin={bench.prepared.kubectl}",
        ],
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for tool, test in TRIVIAL.items():
            place = Path(folder) / tool
            place.mkdir()
            (place / "test_first.py").write_text(test)
        for _ in range(bench.runs + 1):
            for tool, seconds in (("pytest-kind", row.theirs), ("seatrial", row.ours)):
                argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
                place = Path(folder) / tool
                command = [*argv, *arguments[tool], "test_first.py"]
                seconds.append(timed(lambda c=command, p=place: run(c, cwd=p)))  # type: ignore[misc]
    # the first run of each reads everything from the disk
    del row.theirs[0], row.ours[0]


# --- images


@contextmanager
def changed_application(number: int) -> Iterator[Path]:
    """A copy of the application in which one line of code differs."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "context"
        place.mkdir()
        for name in ("app", "Dockerfile", ".dockerignore"):
            source = REPOSITORY / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, place / name)
        with (place / "app" / "__init__.py").open("a") as file:
            file.write(f"\nCHANGE = {number}\n")
        yield place


def image_loads(bench: Bench, cluster: Cluster, build: Callable[..., Image], image: Image) -> None:
    def kind_load(reference: str) -> None:
        run([bench.prepared.kind, "load", "docker-image", f"--name={NAME}", reference])

    def forget(image: Image) -> None:
        for node in cluster.nodes:
            node.exec(["crictl", "rmi", image.id])

    rows = {
        what: bench.row(f"image load, {what}", "kind load docker-image")
        for what in ("new", "unchanged", "only the app layer changed")
    }
    for number in range(bench.runs):
        for tool in ("theirs", "ours"):
            load = (
                (lambda i: kind_load(i.reference)) if tool == "theirs" else cluster.load_image
            )  # fmt: skip
            forget(image)
            getattr(rows["new"], tool).append(timed(lambda load=load: load(image)))  # type: ignore[misc]
            getattr(rows["unchanged"], tool).append(timed(lambda load=load: load(image)))  # type: ignore[misc]
            with changed_application(time.time_ns()) as context:
                changed = build(path=context, repository="flask", load=False)
            seconds = timed(lambda load=load, changed=changed: load(changed))  # type: ignore[misc]
            getattr(rows["only the app layer changed"], tool).append(seconds)
            forget(changed)
            bench.prepared.client.images.remove(changed.reference)
        del number


# --- deployments


def time_to_ready(bench: Bench, cluster: Cluster, image: Image) -> None:
    row = bench.row("apply until ready", "kubectl apply; kubectl rollout status")
    text = _manifest(image.reference)
    for _ in range(bench.runs):
        with _namespace(cluster) as namespace:
            row.theirs.append(
                timed(lambda n=namespace: _apply_and_wait(bench, n, text, timeout=120))  # type: ignore[misc]
            )
        with _namespace(cluster) as namespace:
            deployer = Deployer(cluster, namespace)
            row.ours.append(timed(lambda d=deployer: d(text).wait_ready()))  # type: ignore[misc]


def time_to_named_failure(bench: Bench, cluster: Cluster) -> None:
    row = bench.row(
        "a wrong image name, until the cause is named",
        "kubectl rollout status",
        f"ended after {PATIENCE:g} s, and had named no cause by then: a lower bound",
    )
    text = _manifest("registry.invalid/flask:nope")
    with _namespace(cluster) as namespace:
        row.theirs.append(timed(lambda: _apply_and_wait(bench, namespace, text, timeout=PATIENCE)))
    for _ in range(bench.runs):
        with _namespace(cluster) as namespace:
            row.ours.append(timed(lambda n=namespace: _fails(Deployer(cluster, n), text)))  # type: ignore[misc]


def _fails(deployer: Deployer, text: str) -> None:
    try:
        deployer(text).wait_ready(timeout=120)
    except NotReadyError:
        return
    raise RuntimeError("a Deployment of an image that does not exist became ready")


def first_answer(bench: Bench, cluster: Cluster, image: Image) -> None:
    forwarded = bench.row("first 200 after ready", "kubectl port-forward, asked until it answers")
    with_kind = bench.row("first 200 after ready", "pytest-kind port_forward()")
    kind = KindCluster(
        NAME,
        cluster.kubeconfig_path,
        kind_path=bench.prepared.kind,
        kubectl_path=bench.prepared.kubectl,
    )
    with _namespace(cluster) as namespace:
        Deployer(cluster, namespace)([MANIFESTS], images={"flask": image}).wait_ready()
        http = Http(cluster, namespace)
        for _ in range(bench.runs):
            forwarded.theirs.append(timed(lambda: _port_forward(bench, namespace)))
            with_kind.theirs.append(timed(lambda: _pytest_kind_forward(kind, namespace)))
            seconds = timed(lambda: http.service("flask", port=5000).get("/").raise_for_status())
            forwarded.ours.append(seconds)
            with_kind.ours.append(seconds)


def _port_forward(bench: Bench, namespace: str) -> None:
    kubeconfig = bench.settings.state_dir / "clusters" / NAME / "kubeconfig"
    child = subprocess.Popen(
        [bench.prepared.kubectl, f"--kubeconfig={kubeconfig}", f"--namespace={namespace}",
         "port-forward", "service/flask", "15000:5000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        ends = time.monotonic() + 30
        while time.monotonic() < ends:
            try:
                requests.get("http://127.0.0.1:15000/", timeout=5).raise_for_status()
            except requests.ConnectionError:
                time.sleep(0.02)  # what a script around kubectl does; it has no other way
            else:
                return
        raise RuntimeError("kubectl port-forward did not answer within 30 s")
    finally:
        child.terminate()
        child.wait()


def _pytest_kind_forward(kind: KindCluster, namespace: str) -> None:
    with kind.port_forward("service/flask", 5000, "-n", namespace) as port:
        requests.get(f"http://127.0.0.1:{port}/", timeout=5).raise_for_status()


def _apply_and_wait(bench: Bench, namespace: str, text: str, *, timeout: float) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        bench.kubectl("apply", f"--namespace={namespace}", f"--filename={file.name}")
    status = [f"--namespace={namespace}", "rollout", "status", "deployment/flask"]
    kubeconfig = bench.settings.state_dir / "clusters" / NAME / "kubeconfig"
    run(
        [bench.prepared.kubectl, f"--kubeconfig={kubeconfig}", *status, f"--timeout={timeout:g}s"],
        check=False,
    )


def _manifest(image: str) -> str:
    return (MANIFESTS / "deployment.yaml").read_text().replace("flask:dev", image)


@contextmanager
def _namespace(cluster: Cluster) -> Iterator[str]:
    name = cluster.namespaces.create("benchmark")
    try:
        yield name
    finally:
        cluster.namespaces.delete(name)
        # pods that are still ending would be in the next measurement's way
        cluster.namespaces.await_deleted()


# --- the whole


def measure(bench: Bench) -> None:
    progress = ConsoleProgress()
    base = prepare_image_base(bench.settings, bench.prepared.client, progress)
    try:
        cold_start(bench)
        warm_start(bench)
        cluster = bench.open()
        factory = ImageFactory(cluster, progress, base=base, extra_ca=bench.settings.extra_ca)
        image = factory(path=REPOSITORY, repository="flask")
        image_loads(bench, cluster, factory, image)
        cluster.load_image(image)
        time_to_ready(bench, cluster, image)
        time_to_named_failure(bench, cluster)
        first_answer(bench, cluster, image)
        cluster.close()
    finally:
        bench.provider.delete(NAME, progress)


def show(rows: Sequence[Row]) -> None:
    table = Table(title="seconds, median of the runs")
    for title in ("what", "seatrial", "alternative", "", "ratio"):
        table.add_column(title, justify="right" if title in ("seatrial", "", "ratio") else "left")
    for row in rows:
        table.add_row(
            row.what,
            f"{statistics.median(row.ours):.2f}",
            row.alternative,
            f"{statistics.median(row.theirs):.2f}",
            f"{row.ratio:.1f}",
        )
    console = Console()
    console.print(table)
    for row in rows:
        if row.note:
            console.print(f"{row.what}: {row.note}.")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="of each measurement (default: 3)")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    given = parser.parse_args(argv)
    # pytest-kind keeps a folder of its own, and its kubectl a cache, in the working directory
    results = given.json.absolute() if given.json else None
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            compare(given.runs, results)
        finally:
            os.chdir(REPOSITORY)


def compare(runs: int, results: Path | None) -> None:
    settings = Settings.resolve(cli={"cluster_name": NAME}, env=os.environ)
    prepared = prepare(settings, ConsoleProgress())
    provider = KindProvider(prepared.client, prepared.kind, prepared.kubectl, settings.state_dir)
    options = ClusterOptions(
        name=NAME, kubernetes=prepared.kubernetes, node_image=prepared.node_image
    )
    bench = Bench(prepared, provider, options, settings, runs)
    measure(bench)
    show(bench.rows)
    if results:
        document: dict[str, Any] = {
            "machine": {"processor": platform.machine(), "system": platform.platform()},
            "rows": [{**asdict(row), "ratio": row.ratio} for row in bench.rows],
        }
        results.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
