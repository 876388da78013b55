"""Nodes that are not ready, and what a pod asks of nodes beside what those there are have."""

from __future__ import annotations

from collections.abc import Iterator

from seatrial.core.model import Object, ObjectRef, dig
from seatrial.readiness.finding import Finding
from seatrial.readiness.pods import PodView
from seatrial.readiness.wording import one_line
from seatrial.readiness.workload import Workload

__all__ = [
    "LOST",
    "NODE_HINT",
    "find",
    "labels_beside",
    "node_troubles",
    "selection_of",
    "untolerated_taints",
]

#: taints that Kubernetes puts on a node which is not ready
LOST = frozenset({"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"})
NODE_HINT = "kubectl describe nodes shows their conditions; on the node: journalctl -u kubelet"

#: seconds: a node that says itself that it is not ready is starting, as a rule
STARTING = 30.0
#: seconds: one that was silent for 40 s and more (node-monitor-grace-period) has had its time
SILENT = 10.0

_OPERATORS = {"In": "in", "NotIn": "not in", "Gt": ">", "Lt": "<"}


def find(workload: Workload) -> Iterator[Finding]:
    """One per pod that is not ready, on a node that is not."""
    for pod in workload.pods:
        name = dig(pod.object, "spec", "nodeName", default="")
        node = pod.snapshot.get("Node", name) if name else None
        if node is None or pod.condition("Ready").get("status") == "True":
            continue
        if trouble := _trouble(node):
            yield pod.finding(
                "NodeNotReady",
                f"{pod.ref} is not ready, and neither is the node it is on: {trouble[0]}",
                hint=NODE_HINT,
                grace=trouble[1],
            )


def node_troubles(pod: PodView) -> list[tuple[str, float]]:
    """Of every node that is not ready, what it says of that, and the grace in seconds."""
    return [found for node in pod.snapshot.all("Node") if (found := _trouble(node))]


def _trouble(node: Object) -> tuple[str, float] | None:
    for condition in dig(node, "status", "conditions", default=[]):
        if condition.get("type") == "Ready" and condition.get("status") != "True":
            said = condition.get("message") or condition.get("reason") or "it does not say why"
            silent = condition.get("status") == "Unknown"
            return f"{ObjectRef.of(node)}: {one_line(str(said))}", SILENT if silent else STARTING
    return None


def _required_terms(pod: Object) -> list[Object]:
    terms: list[Object] = dig(
        pod,
        "spec",
        "affinity",
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
        default=[],
    )
    return terms


def selection_of(pod: Object) -> str:
    """`nodeSelector disk=ssd`, `node affinity zone in (a, b)`, or both."""
    parts = []
    if selector := dig(pod, "spec", "nodeSelector", default={}):
        parts.append(f"nodeSelector {', '.join(f'{k}={v}' for k, v in sorted(selector.items()))}")
    terms = [
        " and ".join(
            _expression(expression)
            for field in ("matchExpressions", "matchFields")
            for expression in term.get(field, [])
        )
        for term in _required_terms(pod)
    ]
    if terms:
        parts.append(f"node affinity {' or '.join(terms)}")
    return " and ".join(parts) or "node affinity or selector"


def _expression(expression: Object) -> str:
    key, operator = expression.get("key", "?"), expression.get("operator", "?")
    if operator == "Exists":
        return f"{key} is set"
    if operator == "DoesNotExist":
        return f"{key} is not set"
    values = ", ".join(str(value) for value in expression.get("values", []))
    return f"{key} {_OPERATORS.get(operator, operator)} ({values})"


def labels_beside(pod: PodView) -> tuple[str, ...]:
    """For every node the labels that the pod selects by; nothing where nodes are not watched."""
    keys = set(dig(pod.object, "spec", "nodeSelector", default={}))
    for term in _required_terms(pod.object):
        keys |= {str(expression.get("key")) for expression in term.get("matchExpressions", [])}
    lines = []
    for node in pod.snapshot.all("Node") if keys else ():
        labels = dig(node, "metadata", "labels", default={})
        shown = [f"{key}={labels[key]}" if key in labels else f"no {key}" for key in sorted(keys)]
        lines.append(f"{ObjectRef.of(node)} has {', '.join(shown)}")
    return tuple(lines) if len(lines) <= 5 else (*lines[:5], f"{len(lines) - 5} more nodes")


def untolerated_taints(pod: PodView) -> list[str]:
    """Keys of the taints that keep the pod off some node, each once."""
    tolerations = dig(pod.object, "spec", "tolerations", default=[])
    found = {
        str(taint.get("key"))
        for node in pod.snapshot.all("Node")
        for taint in dig(node, "spec", "taints", default=[])
        if taint.get("effect") in ("NoSchedule", "NoExecute")
        and not any(_tolerates(toleration, taint) for toleration in tolerations)
    }
    return sorted(found)


def _tolerates(toleration: Object, taint: Object) -> bool:
    """The rule of the API's `Toleration`: an empty key, effect or operator has a meaning."""
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    key = toleration.get("key") or ""
    if toleration.get("operator", "Equal") == "Exists":
        return key in ("", taint.get("key"))
    return key == taint.get("key") and toleration.get("value", "") == taint.get("value", "")
