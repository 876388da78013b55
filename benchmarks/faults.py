"""At least 200 faults on a real cluster, while rollouts go on: nothing lost, nothing twice.

The hub's connections go through a proxy of this benchmark on 127.0.0.1. In batches, connections are
cut, kept silent or delayed, lines are delivered twice, the API server is killed and frozen, etcd is
compacted, the node is restarted, and the consumer is slow. After each batch every Event is read
from etcd itself and compared with the timeline, every watched object with what the API server
lists, and every rollout's verdict with the Deployment.

    python -m benchmarks.faults

Exits with 1 if an event is missing and no gap was reported, one was told twice, an object differs,
a verdict was wrong, or there were fewer than 200 faults. It sends nothing but to 127.0.0.0/8 and
ends no process but its own cluster's.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import yaml
from benchmarks.etcd_events import Etcd
from benchmarks.ledger import Ledger, Tally
from benchmarks.meddling import MeddledConnection, Meddler
from benchmarks.proxy import Pair, Proxy
from benchmarks.voyage import Fleet
from rich.console import Console
from rich.table import Table

from seatrial.cluster import ClusterOptions, KindProvider
from seatrial.core.clock import Deadline, SystemClock
from seatrial.core.errors import ApiError, CommandError
from seatrial.core.settings import Settings
from seatrial.events import Timeline
from seatrial.harness import Cluster
from seatrial.harness.cluster import WATCHED
from seatrial.kube import connect
from seatrial.report.console import ConsoleProgress
from seatrial.setup.preparing import Prepared, prepare
from seatrial.watch import Hub

NAMESPACE = "voyage"
#: at least so many faults in one run, or it proves too little
ENOUGH = 200
#: seconds for the whole run; what has not begun by then is left out
LONGEST = 15 * 60.0
EVENTS = "/api/v1/events"


@dataclass
class Bench:
    """The cluster, the hub behind the proxy, and what is to be done to both."""

    cluster: Cluster
    prepared: Prepared
    proxy: Proxy
    meddler: Meddler
    connection: MeddledConnection
    hub: Hub
    etcd: Etcd
    fleet: Fleet
    dice: random.Random
    injected: Counter[str] = field(default_factory=Counter)

    def count(self, what: str, times: int = 1) -> None:
        self.injected[what] += times

    def pair(self, path: str = "") -> Pair | None:
        """The connection of one watch, or of a random one."""
        port = self.connection.ports.get(path)
        if path:
            return next((pair for pair in self.proxy.pairs if pair.port == port), None)
        ports = set(self.connection.ports.values())
        pairs = [pair for pair in self.proxy.pairs if pair.port in ports]
        return self.dice.choice(pairs) if pairs else None

    def crictl(self, *argv: str) -> str:
        # its own patience is 2 s, which a busy machine may need for anything
        return self.cluster.nodes[0].exec(["crictl", "--timeout=60s", *argv])

    def signal(self, name: str, container: str) -> None:
        """Send a signal to the process of a container."""
        template = "--template={{.info.pid}}"
        pid = self.crictl("inspect", "--output=go-template", template, container).strip()
        self.cluster.nodes[0].exec(["kill", f"-{name}", pid])

    def api_server(self, other_than: str = "") -> str:
        """The id of the running API server's container; waits for one."""
        deadline = Deadline.after(120, SystemClock())
        while True:
            found = ""
            with suppress(CommandError):  # the node is starting
                found = self.crictl("ps", "--name=^kube-apiserver$", "--quiet").strip()
            if found and found != other_than:
                return found
            if deadline.passed:
                raise RuntimeError("there was no API server for two minutes")
            time.sleep(0.3)  # crictl cannot watch

    def await_ready(self) -> None:
        """Wait until the API server is ready, asked past the proxy."""
        deadline = Deadline.after(180, SystemClock())
        while True:
            try:
                self.cluster.connection.healthy("/readyz")
            except ApiError:
                if deadline.passed:
                    raise
            else:
                return
            time.sleep(0.3)  # nothing tells when a server that is away will be back


def pace(low: float, high: float, dice: random.Random) -> None:
    """Between two faults, so that each hits something that is going on."""
    time.sleep(dice.uniform(low, high))


CUTS: Mapping[str, Callable[[Pair], None]] = {
    "reset": Pair.reset,
    "reset midway": Pair.reset_midway,
    "ended": Pair.finish,
    "bytes late": lambda pair: pair.delay(1.0),
}


# --- the batches: each injects its faults and returns


def cuts(bench: Bench) -> None:
    """Connections are reset, ended without a good-bye, cut in the middle of a line."""
    acts = ["reset"] * 45 + ["reset midway"] * 30 + ["ended"] * 15 + ["bytes late"] * 15
    bench.dice.shuffle(acts)
    for act in acts:
        # every second one is the stream of events
        pair = bench.pair(EVENTS if bench.dice.random() < 0.5 else "")
        if pair is not None:
            CUTS[act](pair)
            bench.count(f"connection {act}")
        pace(0.2, 0.8, bench.dice)


def outages(bench: Bench) -> None:
    """All connections are reset and none is accepted for a while."""
    for _ in range(5):
        bench.proxy.refusing = True
        for pair in bench.proxy.pairs:
            pair.reset()
        pace(1.0, 4.0, bench.dice)
        bench.proxy.refusing = False
        bench.count("server unreachable for seconds")
        pace(1.0, 2.0, bench.dice)


def meddle(bench: Bench) -> None:
    """Lines are delivered twice, five of them again, or late."""
    acts = ["twice"] * 25 + ["replay"] * 25 + ["late"] * 15
    bench.dice.shuffle(acts)
    for act in acts:
        bench.meddler.order(act)
        pace(0.1, 0.6, bench.dice)
    deadline = Deadline.after(30, SystemClock())
    while bench.meddler.open and not deadline.passed:
        time.sleep(0.2)  # for lines that carry out what is ordered
    for act, times in bench.meddler.done.items():
        bench.count(f"line {act}", times - bench.injected[f"line {act}"])


def slow(bench: Bench) -> None:
    """Somebody holds the hub's lock, so that nothing can be delivered."""
    for _ in range(8):
        with bench.hub.changed:
            time.sleep(bench.dice.uniform(1.0, 4.0))
        bench.count("slow consumer")
        pace(0.5, 1.0, bench.dice)


def server_killed(bench: Bench) -> None:
    """The API server's container is killed; the kubelet makes another."""
    # each time the kubelet waits longer before it does: 0, 10, 20 s
    for _ in range(3):
        running = bench.api_server()
        bench.signal("KILL", running)
        bench.count("API server killed")
        bench.api_server(other_than=running)
        bench.await_ready()
        pace(2.0, 4.0, bench.dice)


def server_frozen(bench: Bench) -> None:
    """The API server stands still for some seconds: connections are open and nothing comes."""
    for _ in range(3):
        running = bench.api_server()
        bench.signal("STOP", running)
        try:
            pace(3.0, 6.0, bench.dice)
        finally:
            bench.signal("CONT", running)
        bench.count("API server frozen for seconds")
        bench.await_ready()
        pace(1.0, 2.0, bench.dice)


def compactions(bench: Bench) -> None:
    """etcd forgets what was written while the stream of events was cut off."""
    for _ in range(10):
        bench.proxy.refusing = True
        for pair in bench.proxy.pairs:
            pair.reset()
        pace(1.5, 3.0, bench.dice)
        bench.etcd.compact()
        bench.count("etcd compacted while cut off")
        bench.proxy.refusing = False
        pace(2.0, 4.0, bench.dice)


def half_open(bench: Bench) -> None:
    """Every watch goes silent with its connection open: only time tells that it is dead."""
    for path in [*bench.connection.ports]:
        pair = bench.pair(path)
        if pair is not None:
            pair.silence()
            bench.count("connection half-open")
    pace(20, 25, bench.dice)


def node_restarted(bench: Bench) -> None:
    """The node's container is stopped and started."""
    container = bench.prepared.client.containers.get(bench.cluster.nodes[0].name)
    # On cgroup v1 runc freezes a container while it makes it. If the node goes down right then, the
    # frozen process cannot be killed, and the engine cannot stop the node at all.
    bench.fleet.rest()
    container.stop(timeout=60)
    bench.fleet.go()
    pace(1.0, 2.0, bench.dice)
    container.start()
    bench.count("node restarted")
    bench.await_ready()


BATCHES: Sequence[tuple[str, Callable[[Bench], None]]] = (
    ("connections cut", cuts),
    ("lines twice, again, late", meddle),
    ("slow consumer", slow),
    ("server unreachable", outages),
    ("API server killed", server_killed),
    ("compaction while cut off", compactions),
    ("half-open connections", half_open),
    ("node restarted", node_restarted),
    ("API server frozen", server_frozen),
    ("API server killed", server_killed),
    ("node restarted", node_restarted),
    ("API server killed", server_killed),
)


@dataclass
class Batch:
    """One batch of faults and what was found after it."""

    name: str
    seconds: float
    injected: dict[str, int]
    tally: Tally
    verdicts: int
    wrong: list[str]


def run_batches(bench: Bench, ledger: Ledger, names: Sequence[str]) -> list[Batch]:
    fleet = bench.fleet
    done: list[Batch] = []
    began = time.monotonic()
    for name, inject in BATCHES:
        if names and inject.__name__ not in names:
            continue
        if time.monotonic() - began > LONGEST - 120:
            print(f"… no time for: {name}", file=sys.stderr, flush=True)
            continue
        print(f"… {name}", file=sys.stderr, flush=True)
        started = time.monotonic()
        before, judged, wrong = Counter(bench.injected), fleet.verdicts.total(), len(fleet.wrong)
        fleet.go()
        pace(1.0, 2.0, bench.dice)
        inject(bench)
        fleet.rest()
        tally = ledger.compare()
        done.append(
            Batch(
                name=name,
                seconds=time.monotonic() - started,
                injected=dict(bench.injected - before),
                tally=tally,
                verdicts=fleet.verdicts.total() - judged,
                wrong=fleet.wrong[wrong:],
            )
        )
        print(json.dumps(asdict(done[-1])), file=sys.stderr, flush=True)
    return done


def show(batches: Sequence[Batch], injected: Counter[str]) -> None:
    table = Table(title="after each batch")
    for title in ("batch", "faults", "s", "events", "writes", "told", "merged", "gaps", "missing,\n"
                  "doubled,\ndiffering", "verdicts", "wrong", "all there\nafter, s"):  # fmt: skip
        table.add_column(title, justify="left" if title == "batch" else "right")
    for each in batches:
        tally = each.tally
        row = (sum(each.injected.values()), round(each.seconds), tally.events, tally.writes,
               tally.told, tally.merged, tally.gaps, len(tally.faults), each.verdicts,
               len(each.wrong), round(tally.seconds, 1))  # fmt: skip
        table.add_row(each.name, *map(str, row))
    console = Console(width=120)
    console.print(table)
    kinds = Table(title="faults")
    kinds.add_column("kind")
    kinds.add_column("injected", justify="right")
    for kind, times in sorted(injected.items()):
        kinds.add_row(kind, str(times))
    kinds.add_row("all", str(injected.total()), style="bold")
    console.print(kinds)


def violations(batches: Sequence[Batch], injected: Counter[str], enough: int) -> list[str]:
    found = [f"{each.name}: {line}" for each in batches for line in each.tally.faults + each.wrong]
    if injected.total() < enough:
        found.append(f"only {injected.total()} faults, not {enough}")
    return found


def through(proxy: Proxy, kubeconfig: Path, folder: Path) -> Path:
    """The same kubeconfig, with the proxy's address."""
    document = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    for each in document["clusters"]:
        each["cluster"]["server"] = f"https://127.0.0.1:{proxy.port}"
    place = folder / "kubeconfig"
    place.touch(mode=0o600)
    place.write_text(yaml.safe_dump(document), encoding="utf-8")
    return place


def trial(cluster: Cluster, prepared: Prepared, given: argparse.Namespace) -> int:
    server_port = int(cluster.connection.host.rpartition(":")[2])
    objects, etcd, meddler = cluster.objects, Etcd(cluster.nodes[0]), Meddler()
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    objects.apply(namespace, field_manager="benchmark")
    with tempfile.TemporaryDirectory() as folder, Proxy(server_port) as proxy:
        kubeconfig = through(proxy, cluster.kubeconfig_path, Path(folder))
        connection = MeddledConnection(connect(kubeconfig), meddler)
        with Hub(connection, kept=1_000_000) as hub:
            for kind, version in WATCHED:
                hub.open(kind, version)
            _, since = etcd.events()
            fleet = Fleet(hub, objects, NAMESPACE, given.deployments, given.seed)
            bench = Bench(
                cluster,
                prepared,
                proxy,
                meddler,
                connection,
                hub,
                etcd,
                fleet,
                random.Random(given.seed),  # noqa: S311 - dice, to be thrown again
            )
            ledger = Ledger(hub, Timeline(hub), etcd, objects, since)
            try:
                batches = run_batches(bench, ledger, given.only)
            finally:
                fleet.end()
    show(batches, bench.injected)
    print(f"verdicts: {dict(fleet.verdicts)}; of these not done in time, as live: {fleet.late}")
    found = violations(batches, bench.injected, 1 if given.only else ENOUGH)
    for line in found:
        print(f"violated: {line}")
    if given.json:
        document = {
            "injected": dict(bench.injected),
            "verdicts": dict(fleet.verdicts),
            "late": fleet.late,
            "batches": [asdict(each) for each in batches],
            "violations": found,
        }
        given.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 1 if found else 0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--name", default="faults", help="of the cluster (default: faults)")
    parser.add_argument("--seed", type=int, default=1, help="of the dice")
    parser.add_argument("--deployments", type=int, default=3)
    parser.add_argument(
        "--only",
        nargs="*",
        default=[],
        metavar="BATCH",
        help="of " + ", ".join(dict.fromkeys(b.__name__ for _, b in BATCHES)),
    )
    parser.add_argument("--keep", action="store_true", help="leave the cluster as it is")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    given = parser.parse_args(argv)
    settings = Settings.resolve(cli={"cluster_name": given.name}, env=os.environ)
    progress = ConsoleProgress()
    prepared = prepare(settings, progress)
    provider = KindProvider(prepared.client, prepared.kind, prepared.kubectl, settings.state_dir)
    options = ClusterOptions(
        name=given.name, kubernetes=prepared.kubernetes, node_image=prepared.node_image
    )
    cluster = Cluster(
        provider.ensure(options, progress),
        kind=prepared.kind,
        kubectl=prepared.kubectl,
        node_image=prepared.node_image,
        client=prepared.client,
    )
    try:
        return trial(cluster, prepared, given)
    finally:
        cluster.close()
        if not given.keep:
            provider.delete(given.name, progress)


if __name__ == "__main__":
    sys.exit(main())
