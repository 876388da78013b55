"""HTTP to the application, by each way, beside pytest-kind and beside no cluster at all.

First: from "ready" to the first 200 on port 5000, beside pytest-kind's `port_forward`. Second: many
requests by node port and by port-forward, beside the same application as a process of this
machine. The ways take turns in small blocks, so that a machine that slows down slows all of them.

Nothing is asserted: a number is for looking at. All requests go to 127.0.0.1.

    python benchmarks/http_routes.py --runs 3 --requests 10000 --json http.json
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import requests
from pytest_kind import KindCluster  # type: ignore[import-untyped]  # it has no type hints
from rich.console import Console
from rich.table import Table

from seatrial.cluster import ClusterOptions, KindProvider
from seatrial.core.settings import Settings
from seatrial.harness import Cluster, Deployer, Http, ImageFactory
from seatrial.images import Image
from seatrial.report.console import ConsoleProgress
from seatrial.setup.preparing import prepare, prepare_image_base

REPOSITORY = Path(__file__).resolve().parents[1]
MANIFESTS = REPOSITORY / "fixtures" / "manifests"
NAME = "seatrial-benchmark-http"

#: requests by one way before it is another one's turn
BLOCK = 250
#: seconds without a byte after which a request counts as failed
TIMEOUT = 5.0


def timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


# --- the first answer


@dataclass
class FirstAnswer:
    """Seconds to the first 200: from `wait_ready`, or from the asking for those that come later."""

    node_port: list[float] = field(default_factory=list)
    port_forward: list[float] = field(default_factory=list)
    pytest_kind: list[float] = field(default_factory=list)
    pytest_kind_failed: int = 0
    """How often it gave up: it waits a second for each of its ten kubectls, on a busy machine too
    little for one of them to listen."""


def first_answers(cluster: Cluster, image: Image, runs: int) -> FirstAnswer:
    """Each run has a deployment of its own. Ours is asked at once, when kube-proxy may not have
    heard of the pod yet; the others come after it, and so have no such delay in them."""
    seconds = FirstAnswer()
    kind = KindCluster(
        cluster.name,
        cluster.kubeconfig_path,
        kind_path=cluster.kind_path,
        kubectl_path=cluster.kubectl_path,
    )
    for _ in range(runs):
        with deployed(cluster, image) as namespace:
            way = Http(cluster, namespace, timeout=30)
            seconds.node_port.append(timed(lambda w=way: answered(w, "node-port")))  # type: ignore[misc]
            seconds.port_forward.append(timed(lambda w=way: answered(w, "port-forward")))  # type: ignore[misc]
            try:
                seconds.pytest_kind.append(timed(lambda n=namespace: forwarded(kind, n)))  # type: ignore[misc]
            except (OSError, requests.RequestException) as error:
                print(f"pytest-kind gave up: {error}", file=sys.stderr)
                seconds.pytest_kind_failed += 1
                end_children()
    return seconds


def end_children() -> None:
    """End the kubectl that pytest-kind leaves behind when it gives up."""
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            if Path(f"/proc/{pid}/comm").read_text().strip() == "kubectl":
                os.kill(int(pid), signal.SIGTERM)


def answered(way: Http, route: str) -> None:
    with way.service("flask", port=5000, route=route) as endpoint:
        endpoint.expect()


def forwarded(kind: KindCluster, namespace: str) -> None:
    with kind.port_forward("service/flask", 5000, "-n", namespace) as port:
        requests.get(f"http://127.0.0.1:{port}/", timeout=TIMEOUT).raise_for_status()


# --- many requests


@dataclass
class Way:
    """One way to the application: what its requests took, and how the failed ones failed."""

    name: str
    url: str
    kept: bool
    """Whether connections are used again."""
    seconds: list[float] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)

    def ask(self, count: int) -> None:
        where = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=TIMEOUT)
        try:
            for _ in range(count):
                self._ask(connection)
        finally:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        began = time.perf_counter()
        try:
            connection.request("GET", "/", headers={} if self.kept else {"Connection": "close"})
            with connection.getresponse() as answer:
                answer.read()
            failed = "" if answer.status == 200 else str(answer.status)
        except (OSError, http.client.HTTPException) as error:
            failed = type(error).__name__
            connection.close()
        self.seconds.append(time.perf_counter() - began)
        if failed:
            self.failures[failed] = self.failures.get(failed, 0) + 1
        if not self.kept:
            connection.close()

    def percentile(self, percent: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def many(cluster: Cluster, image: Image, count: int) -> list[Way]:
    ways = []
    with ExitStack() as stack:
        namespace = stack.enter_context(deployed(cluster, image))
        way = Http(cluster, namespace, timeout=30)
        urls = {"direct": stack.enter_context(process())}
        for route in ("node-port", "port-forward"):
            endpoint = stack.enter_context(way.service("flask", port=5000, route=route))
            endpoint.expect()
            urls[route] = endpoint.url
        for kept in (True, False):
            group = [Way(name, url, kept) for name, url in urls.items()]
            for each in group:
                each.ask(BLOCK)  # to warm up
                each.seconds.clear()
                each.failures.clear()
            while len(group[-1].seconds) < count:
                for each in group:
                    each.ask(min(BLOCK, count - len(each.seconds)))
            ways += group
    return ways


@contextmanager
def process() -> Iterator[str]:
    """The application as a process of this machine, at a port of 127.0.0.1 alone."""
    # its own main listens everywhere, as a pod has to
    code = (
        "import logging, os, sys; from app import create_app, server\n"
        "logging.basicConfig(stream=sys.stdout, level=logging.INFO)\n"
        "server.serve(create_app(os.environ), host='127.0.0.1', port=0)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    with tempfile.TemporaryFile("w") as log, child:
        try:
            assert child.stdout is not None  # noqa: S101 - it was asked for
            for line in child.stdout:
                if found := re.search(r"listening on port (\d+)", line):
                    break
            else:
                raise RuntimeError("the application does not start as a process")
            # its access log has to go somewhere, as a container's does
            drain = subprocess.Popen(["cat"], stdin=child.stdout, stdout=log)
            try:
                yield f"http://127.0.0.1:{found[1]}"
            finally:
                child.terminate()
                child.wait()
                drain.wait()
        finally:
            if child.poll() is None:
                child.kill()


@contextmanager
def deployed(cluster: Cluster, image: Image) -> Iterator[str]:
    """A namespace in which the application has just become ready."""
    name = cluster.namespaces.create("benchmark")
    try:
        Deployer(cluster, name)([MANIFESTS], images={"flask": image}).wait_ready(timeout=120)
        yield name
    finally:
        cluster.namespaces.delete(name)
        # pods that are still ending would be in the next measurement's way
        cluster.namespaces.await_deleted()


# --- the whole


def show(first: FirstAnswer, ways: Sequence[Way]) -> None:
    console = Console()
    table = Table(title="first 200 on port 5000 after readiness, seconds")
    for title in ("way", "median", "min", "max", "pytest-kind takes"):
        table.add_column(title, justify="left" if title == "way" else "right")
    theirs = statistics.median(first.pytest_kind or [math.nan])
    for name in ("node_port", "port_forward", "pytest_kind"):
        seconds: list[float] = getattr(first, name) or [math.nan]
        middle = statistics.median(seconds)
        ratio = f"{theirs / middle:.1f} times as long"
        cells = (f"{value:.3f}" for value in (middle, min(seconds), max(seconds)))
        table.add_row(name.replace("_", "-"), *cells, ratio)
    console.print(table)
    if first.pytest_kind_failed:
        print(f"pytest-kind gave up {first.pytest_kind_failed} times, which is not in its figures")
    table = Table(title="requests one after another, milliseconds")
    for title in ("connections", "way", "requests", "failed", "p50", "p99", "p99 / direct"):
        table.add_column(title, justify="left" if title in ("connections", "way") else "right")
    for way in ways:
        direct = next(each for each in ways if each.name == "direct" and each.kept == way.kept)
        failed = ", ".join(f"{name} {count}" for name, count in way.failures.items()) or "0"
        table.add_row(
            "kept" if way.kept else "new each time",
            way.name,
            f"{len(way.seconds):,}",
            failed,
            f"{way.percentile(50) * 1000:.2f}",
            f"{way.percentile(99) * 1000:.2f}",
            f"{way.percentile(99) / direct.percentile(99):.2f}",
        )
    console.print(table)
    print("load average:", *(f"{value:.1f}" for value in os.getloadavg()))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="of the first answer (default: 3)")
    parser.add_argument("--requests", type=int, default=10_000, help="by each way")
    parser.add_argument("--cluster-name", default=NAME, help="a cluster there is is kept")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    given = parser.parse_args(argv)
    results = given.json.absolute() if given.json else None
    progress = ConsoleProgress()
    settings = Settings.resolve(cli={"cluster_name": given.cluster_name}, env=os.environ)
    prepared = prepare(settings, progress)
    provider = KindProvider(prepared.client, prepared.kind, prepared.kubectl, settings.state_dir)
    there = provider.find(settings.cluster_name) is not None
    options = ClusterOptions(
        name=settings.cluster_name,
        kubernetes=prepared.kubernetes,
        node_image=prepared.node_image,
    )
    cluster = Cluster(
        provider.ensure(options, progress),
        kind=prepared.kind,
        kubectl=prepared.kubectl,
        node_image=options.node_image,
        client=prepared.client,
    )
    try:
        base = prepare_image_base(settings, prepared.client, progress)
        factory = ImageFactory(cluster, progress, base=base, extra_ca=settings.extra_ca)
        image = factory(path=REPOSITORY, repository="flask")
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)  # pytest-kind keeps a folder of its own in the working directory
            try:
                first = first_answers(cluster, image, given.runs)
                ways = many(cluster, image, given.requests)
            finally:
                os.chdir(REPOSITORY)
    finally:
        cluster.close()
        if not there:
            provider.delete(settings.cluster_name, progress)
    show(first, ways)
    if results:
        figures = [
            {
                "way": way.name,
                "kept": way.kept,
                "requests": len(way.seconds),
                "failures": way.failures,
                "p50": way.percentile(50),
                "p99": way.percentile(99),
            }
            for way in ways
        ]
        document = {"first": vars(first), "ways": figures, "load": os.getloadavg()}
        results.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
