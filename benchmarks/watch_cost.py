"""What holding the watch costs at 100, 1,000 and 5,000 pods, beside the usual alternative.

On a real cluster whose pods have no kubelets (KWOK). Three processes watch at the same time: ours
and the official client's with the same kinds, and `kubectl get pods --watch`. For each number of
pods there is a steady part, in which a fiftieth of the pods changes its status each second, and a
rollout of everything. The figures are the processes' own: what the cluster uses is not in them.

    python -m benchmarks.watch_cost --json benchmarks/watch_cost.json

Exits with 1 if a goal is missed: under 5 % of a core and under 100 MB at 1,000 pods, and a cost at
5,000 that is not more than linear.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.fake_nodes import ANNOTATION, create_nodes, fake_kubelets
from rich.console import Console
from rich.table import Table

from seatrial.cluster import ClusterOptions, KindProvider
from seatrial.core.clock import Deadline, SystemClock
from seatrial.core.feed import wait_on
from seatrial.core.model import dig
from seatrial.core.settings import Settings
from seatrial.harness import Cluster
from seatrial.report.console import ConsoleProgress
from seatrial.setup.preparing import artifacts_of, prepare

REPOSITORY = Path(__file__).resolve().parents[1]
NAMESPACE = "crowd"

#: pods of one Deployment, and pods on one fake node
REPLICAS, PER_NODE = 50, 250
#: of all pods this part changes its status each second: 20 of 1,000
CHURN = 1 / 50
#: seconds that a rollout of everything is looked at; at 5,000 pods it may take longer
ROLLOUT = 120.0
#: seconds for pods to be made
PATIENCE = 900.0
#: bytes of a megabyte
MB = 1e6

#: what the goals are: percent of a core and bytes at 1,000 pods, and how far over linear is
#: measurement noise
CORE_GOAL, MEMORY_GOAL, NOISE = 5.0, 100 * MB, 1.15


@dataclass
class Figures:
    """What one process cost in one part."""

    who: str
    pods: int
    part: str
    seconds: float
    cpu: float
    """Seconds of a processor, user and system."""
    rss: float
    """Bytes at the end of the part."""
    grown: float
    """Bytes more than with nothing but the imports."""
    told: int
    """Changes that it was told of in this part."""
    objects: int
    load: float
    """The machine's load average over a minute, at the end."""

    @property
    def core(self) -> float:
        """Percent of one core."""
        return 100 * self.cpu / self.seconds


class Watcher:
    """A process that watches, and can be asked what it has cost so far."""

    def __init__(self, who: str, kubeconfig: Path) -> None:
        self.who = who
        argv = [sys.executable, "-m", "benchmarks.watchers", who, str(kubeconfig)]
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
        )
        self.idle = self._answer()
        self.listed = self._answer()

    def ask(self) -> dict[str, float]:
        assert self._process.stdin is not None  # noqa: S101 - a pipe, as it was asked for
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None  # noqa: S101 - a pipe, as it was asked for
        answer: dict[str, float] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.communicate()


class Kubectl:
    """`kubectl get pods --watch`; what it costs is read from outside."""

    who = "kubectl"

    def __init__(self, kubectl: Path, kubeconfig: Path) -> None:
        argv = [str(kubectl), f"--kubeconfig={kubeconfig}", "get", "pods", "-A", "--watch"]
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        self.idle = self.listed = {"cpu": 0.0, "rss": 0.0}

    def ask(self) -> dict[str, float]:
        folder = Path("/proc") / str(self._process.pid)
        # after the command's name, which may hold anything but `)`: proc(5)
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        return {
            "cpu": ticks / os.sysconf("SC_CLK_TCK"),
            "rss": int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
            "told": 0,
            "objects": 0,
        }

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


class Crowd:
    """The pods: Deployments of 50, on fake nodes."""

    def __init__(self, cluster: Cluster) -> None:
        self.objects = cluster.objects
        self._hub = cluster.hub
        self._nodes = 0
        self._deployments = 0
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        self.objects.apply(namespace, field_manager="benchmark")

    def grow(self, pods: int) -> None:
        """Have so many pods, and wait until all are ready."""
        nodes = max(1, pods // PER_NODE)
        if nodes > self._nodes:
            create_nodes(self.objects, nodes)
            self._nodes = nodes
        while self._deployments < pods // REPLICAS:
            self.objects.apply(_deployment(self._deployments), field_manager="benchmark")
            self._deployments += 1
        self.settle(PATIENCE)

    def settle(self, timeout: float) -> bool:
        """Wait until every Deployment is rolled out, for so many seconds at most."""
        view = self._hub.view(NAMESPACE)

        def look() -> bool | None:
            done = [_rolled_out(each) for each in view.snapshot().all("Deployment")]
            return True if len(done) == self._deployments and all(done) else None

        return bool(wait_on(view, look, Deadline.after(timeout, SystemClock()), wake_within=5))

    def pods(self) -> list[str]:
        view = self._hub.view(NAMESPACE)
        return [pod["metadata"]["name"] for pod in view.snapshot().all("Pod", NAMESPACE)]

    def roll_out(self, mark: str) -> None:
        """Replace every pod."""
        annotations = {"metadata": {"annotations": {"mark": mark}}}
        for number in range(self._deployments):
            self.objects.patch(
                "apps/v1",
                "Deployment",
                f"crowd-{number}",
                {"spec": {"template": annotations}},
                namespace=NAMESPACE,
            )

    def churn(self, rate: float, seconds: float) -> int:
        """Change the status of `rate` pods a second, evenly; gives how many were changed."""
        names = self.pods()
        began = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            waiting = []
            for number in range(int(rate * seconds)):
                # a schedule, not a wait for something
                time.sleep(max(0.0, began + number / rate - time.monotonic()))
                if time.monotonic() > began + seconds:
                    break
                waiting.append(pool.submit(self._touch, names[number % len(names)], number))
            return sum(each.result() for each in waiting)

    def _touch(self, name: str, number: int) -> bool:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        condition = {"type": "Benchmark", "status": "True", "message": f"turn {number}",
                     "lastTransitionTime": stamp}  # fmt: skip
        pod = self.objects.get("v1", "Pod", name, NAMESPACE)
        if pod is None:
            return False
        others = [each for each in dig(pod, "status", "conditions", default=[])
                  if each["type"] != "Benchmark"]  # fmt: skip
        change = {"status": {"conditions": [*others, condition]}}
        self.objects.patch("v1", "Pod", name, change, namespace=NAMESPACE, subresource="status")
        return True


def _rolled_out(deployment: Any) -> bool:
    wanted = dig(deployment, "spec", "replicas", default=0)
    status = dig(deployment, "status", default={})
    return bool(
        status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        and status.get("updatedReplicas", 0) == wanted
        and status.get("replicas", 0) == wanted
        and status.get("availableReplicas", 0) == wanted
    )


def _deployment(number: int) -> dict[str, Any]:
    """As large as an ordinary one: what a Pod object weighs is what its spec weighs."""
    name = f"crowd-{number}"
    probe = {"httpGet": {"path": "/", "port": 5000}, "periodSeconds": 10}
    container = {
        "name": "web",
        "image": "registry.example/web:1",
        "ports": [{"containerPort": 5000, "name": "http"}],
        "env": [{"name": f"SETTING_{n}", "value": f"value-{n}"} for n in range(10)],
        "readinessProbe": probe,
        "livenessProbe": probe,
        "resources": {
            "requests": {"cpu": "10m", "memory": "16Mi"},
            "limits": {"memory": "64Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
        },
        "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],  # noqa: S108 - in the pod
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name}},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "nodeSelector": {"type": "kwok"},
                    "tolerations": [{"key": ANNOTATION, "operator": "Exists"}],
                    "containers": [container],
                    "volumes": [{"name": "scratch", "emptyDir": {}}],
                },
            },
        },
    }


def measure(cluster: Cluster, crowd: Crowd, pods: int, seconds: float) -> Iterator[Figures]:
    """Watch that many pods with each of the three, first steadily, then through a rollout."""
    print(f"… {pods} pods", file=sys.stderr, flush=True)
    crowd.grow(pods)
    with ExitStack() as stack:
        watchers: list[Watcher | Kubectl] = [
            Watcher("seatrial", cluster.kubeconfig_path),
            Watcher("client", cluster.kubeconfig_path),
            Kubectl(cluster.kubectl_path, cluster.kubeconfig_path),
        ]
        for watcher in watchers:
            stack.callback(watcher.close)
        time.sleep(3)  # kubectl's list: nothing tells that it is done
        with part(watchers, pods, "steady") as figures:
            crowd.churn(pods * CHURN, seconds)
        yield from figures
        with part(watchers, pods, "rollout") as figures:
            crowd.roll_out(str(time.time_ns()))
            crowd.settle(ROLLOUT)
        yield from figures
    # what is still under way would be in the next measurement
    crowd.settle(PATIENCE)


@contextmanager
def part(watchers: Sequence[Watcher | Kubectl], pods: int, name: str) -> Iterator[list[Figures]]:
    found: list[Figures] = []
    before = [watcher.ask() for watcher in watchers]
    began = time.monotonic()
    yield found
    seconds = time.monotonic() - began
    for watcher, at_first in zip(watchers, before, strict=True):
        now = watcher.ask()
        found.append(
            Figures(
                who=watcher.who,
                pods=pods,
                part=name,
                seconds=seconds,
                cpu=now["cpu"] - at_first["cpu"],
                rss=now["rss"],
                grown=now["rss"] - watcher.idle["rss"],
                told=int(now["told"] - at_first["told"]),
                objects=int(now["objects"]),
                load=os.getloadavg()[0],
            )
        )


def show(figures: Sequence[Figures]) -> None:
    table = Table(title="what holding the watch costs one process")
    for title in ("pods", "part", "who", "% of a core", "ms/change", "told", "MB", "MB grown",
                  "objects", "load"):  # fmt: skip
        table.add_column(title, justify="left" if title in ("part", "who") else "right")
    for each in figures:
        table.add_row(
            f"{each.pods:,}",
            each.part,
            each.who,
            f"{each.core:.2f}",
            f"{1000 * each.cpu / each.told:.2f}" if each.told else "",
            f"{each.told:,}" if each.told else "",
            f"{each.rss / MB:.1f}",
            f"{each.grown / MB:.1f}",
            f"{each.objects:,}" if each.objects else "",
            f"{each.load:.1f}",
        )
    Console(width=110).print(table)


def misses(figures: Sequence[Figures]) -> list[str]:
    """The goals that were not reached, each as a line."""
    ours = {(each.pods, each.part): each for each in figures if each.who == "seatrial"}
    found = []
    steady = ours.get((1000, "steady"))
    if steady and steady.core >= CORE_GOAL:
        found.append(f"{steady.core:.1f} % of a core at 1,000 pods, not under {CORE_GOAL:g} %")
    for at in ("steady", "rollout"):
        if (1000, at) in ours and ours[1000, at].rss >= MEMORY_GOAL:
            found.append(f"{ours[1000, at].rss / MB:.0f} MB at 1,000 pods after the {at} part")
        low, high = ours.get((min(each.pods for each in figures), at)), ours.get((5000, at))
        if low and high and low is not high:
            for what in ("cpu", "grown"):
                times = getattr(high, what) / getattr(low, what)
                linear = high.pods / low.pods
                print(f"{at}, {what}: {times:.1f} times at {linear:g} times the pods")
                if times > linear * NOISE:
                    found.append(f"{what} grew {times:.0f} times in the {at} part")
    return found


def speed_up(cluster: Cluster) -> None:
    """Let the controllers and the scheduler write faster than their 20 and 50 requests a second.

    They were chosen for larger clusters on slower disks: 5,000 pods would take four minutes.
    """
    for name in ("kube-controller-manager", "kube-scheduler"):
        place = f"/etc/kubernetes/manifests/{name}.yaml"
        flags = r"&\n    - --kube-api-qps=300\n    - --kube-api-burst=600"
        script = f"grep -q kube-api-qps {place} || sed -i 's/^    - {name}$/{flags}/' {place}"
        cluster.nodes[0].exec(["sh", "-c", script])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pods", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--seconds", type=float, default=60, help="of the steady part")
    parser.add_argument("--name", default="kwok", help="of the cluster (default: kwok)")
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
    figures: list[Figures] = []
    try:
        speed_up(cluster)
        with (
            tempfile.TemporaryDirectory() as folder,
            fake_kubelets(
                cluster.kubeconfig_path, Path(folder) / "kwok.log", artifacts_of(settings), progress
            ),
        ):
            crowd = Crowd(cluster)
            for pods in given.pods:
                for each in measure(cluster, crowd, pods, given.seconds):
                    figures.append(each)
                    print(json.dumps(asdict(each)), file=sys.stderr, flush=True)
    finally:
        cluster.close()
        if not given.keep:
            provider.delete(given.name, progress)
    show(figures)
    if given.json:
        machine = {"processor": platform.machine(), "system": platform.platform(),
                   "python": platform.python_version()}  # fmt: skip
        rows = [{**asdict(each), "core": each.core} for each in figures]
        given.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")
    missed = misses(figures)
    for line in missed:
        print(f"goal missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
