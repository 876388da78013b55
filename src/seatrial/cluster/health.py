"""What ails a cluster that was kept, as pure functions of what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["FULL", "ailments", "disk_ailments"]

#: percent; a kind node is told to evict nothing, so a full disk shows as errors of writing only
FULL = 98


def ailments(listed: Mapping[str, Any]) -> Sequence[str]:
    """What is wrong by the list of nodes and of the Deployments of kube-system."""
    found = []
    nodes = [item for item in listed["items"] if item["kind"] == "Node"]
    if not nodes:
        found.append("it has no nodes")
    for node in nodes:
        name = node["metadata"]["name"]
        conditions = _conditions(node)
        if conditions.get("Ready") != "True":
            found.append(f"node {name} is not ready")
        found += [
            f"node {name} has {kind}"
            for kind in ("DiskPressure", "MemoryPressure", "PIDPressure")
            if conditions.get(kind) == "True"
        ]
    dns = [
        item
        for item in listed["items"]
        if item["kind"] == "Deployment" and item["metadata"]["name"] == "coredns"
    ]
    if not any(_conditions(item).get("Available") == "True" for item in dns):
        found.append("its DNS is not available")
    return found


def disk_ailments(node: str, df: str) -> Sequence[str]:
    """What is wrong by `df --output=pcent,ipcent /var` of a node."""
    words = df.splitlines()[-1].split() if df.strip() else []
    found = []
    for what, word in zip(("disk space", "inodes"), words, strict=False):
        used = word.rstrip("%")
        # a file system without inodes says "-"
        if used.isdigit() and int(used) >= FULL:
            found.append(f"node {node} has {used} % of its {what} in use")
    return found


def _conditions(obj: Mapping[str, Any]) -> Mapping[str, str]:
    conditions = (obj.get("status") or {}).get("conditions") or []
    return {each["type"]: each["status"] for each in conditions}
