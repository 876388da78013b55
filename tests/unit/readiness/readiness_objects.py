"""Objects for the tests of readiness: tables name only what differs from `tables/frame.yaml`."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from seatrial.core.model import ObjectRef, Snapshot

TABLES = Path(__file__).parent / "tables"


def merged(base: Any, more: Any) -> Any:
    """`base` with `more` put over it: mappings key by key, lists of named things by name."""
    if isinstance(base, dict) and isinstance(more, dict):
        result = dict(base)
        for key, value in more.items():
            result[key] = merged(base[key], value) if key in base else value
        return {key: value for key, value in result.items() if value is not None}
    return copy.deepcopy(more)


def load(name: str) -> Any:
    return yaml.safe_load((TABLES / f"{name}.yaml").read_text())


FRAME = load("frame")


def pod(more: dict[str, Any] | None = None, number: int = 0) -> dict[str, Any]:
    """A pod of the frame's ReplicaSet, `flask-7d4-x` the first."""
    base = merged({}, FRAME["pod"])
    if number:
        name = f"flask-7d4-{'xyzvw'[number]}"
        base = merged(base, {"metadata": {"name": name, "uid": f"uid-pod-{number}"}})
    return merged(base, more or {})


def deployment(more: dict[str, Any] | None = None) -> dict[str, Any]:
    return merged(FRAME["deployment"], more or {})


def replica_set(more: dict[str, Any] | None = None) -> dict[str, Any]:
    return merged(FRAME["replicaset"], more or {})


def event(more: dict[str, Any], number: int = 1) -> dict[str, Any]:
    """An event about the frame's pod; `about: replicaset` makes it one about that; `in: web` is the
    container."""
    more = dict(more)
    about = FRAME[more.pop("about", "pod")]
    container = more.pop("in", None)
    involved = {
        "kind": about["kind"],
        "namespace": about["metadata"]["namespace"],
        "name": about["metadata"]["name"],
        "uid": about["metadata"]["uid"],
    }
    if container:
        field = "initContainers" if container == "prepare" else "containers"
        involved["fieldPath"] = f"spec.{field}{{{container}}}"
    base = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{involved['name']}.{number:x}",
            "namespace": "shop",
            "resourceVersion": str(1000 + number),
        },
        "type": "Warning",
        "involvedObject": involved,
    }
    return merged(base, more)


def objects_of(case: dict[str, Any]) -> list[dict[str, Any]]:
    """All objects of one case of a table."""
    objects = list(case.get("objects", []))
    if "pods" in case:
        objects += [pod(more, number) for number, more in enumerate(case["pods"])]
    if case.get("framed", True):
        objects += [
            deployment(case.get("deployment")),
            replica_set(case.get("replicaset")),
        ]
    objects += [event(more, number) for number, more in enumerate(case.get("events", []), 1)]
    return objects


def snapshot_of(case: dict[str, Any]) -> Snapshot:
    return Snapshot.of(*objects_of(case))


def root_of(case: dict[str, Any], default: str = "Deployment/flask") -> ObjectRef:
    kind, name = case.get("root", default).split("/")
    return ObjectRef(kind, name, case.get("namespace", "shop"))
