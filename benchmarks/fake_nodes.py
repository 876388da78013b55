"""Nodes and pods without kubelets: KWOK, built from its pinned Go module and run on this machine.

https://kwok.sigs.k8s.io. KWOK sets what a kubelet would set (a Node is Ready, a Pod is Running) and
runs nothing, so that thousands of pods fit on a machine that could run dozens.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seatrial.core.progress import Progress
from seatrial.kube import Objects
from seatrial.tools.artifacts import Artifacts
from seatrial.tools.golang import GoBuild
from seatrial.tools.running import run

MODULE = Path(__file__).resolve().parent / "kwok"
ANNOTATION = "kwok.x-k8s.io/node"
#: seconds; the kubelet's own default. Nodes without a lease are taken for dead after 50 s, and KWOK
#: does not make their pods ready again
LEASE = 40

#: what a pod and a node go through, of KWOK's own stages
STAGES = (
    "kustomize/stage/pod/fast/pod-ready.yaml",
    "kustomize/stage/pod/fast/pod-delete.yaml",
    "kustomize/stage/node/fast/node-initialize.yaml",
)

BUILD = GoBuild(
    name="kwok",
    sources=(MODULE / "go.mod", MODULE / "go.sum"),
    packages=("sigs.k8s.io/kwok/cmd/kwok",),
)


@contextmanager
def fake_kubelets(
    kubeconfig: Path, log: Path, artifacts: Artifacts, progress: Progress
) -> Iterator[None]:
    """Run KWOK beside the cluster; it looks after the Nodes that `create_nodes` makes."""
    executable = BUILD.run(artifacts, progress) / "kwok"
    listed = run(["go", "list", "-m", "-json", "sigs.k8s.io/kwok"], cwd=MODULE).stdout
    source = Path(json.loads(listed)["Dir"])
    argv = [str(executable), f"--kubeconfig={kubeconfig}",
            f"--manage-nodes-with-annotation-selector={ANNOTATION}=fake",
            f"--node-lease-duration-seconds={LEASE}",
            *(f"--config={source / stage}" for stage in STAGES)]  # fmt: skip
    with log.open("wb") as output, subprocess.Popen(argv, stdout=output, stderr=output) as process:
        try:
            yield
        finally:
            process.terminate()


def create_nodes(objects: Objects, count: int) -> None:
    """Make that many fake Nodes, tainted so that only pods that are meant for them come."""
    for number in range(count):
        objects.apply(
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {
                    "name": f"fake-{number}",
                    "annotations": {ANNOTATION: "fake"},
                    "labels": {"type": "kwok", "kubernetes.io/hostname": f"fake-{number}"},
                },
                "spec": {"taints": [{"key": ANNOTATION, "value": "fake", "effect": "NoSchedule"}]},
            },
            field_manager="benchmark",
        )
