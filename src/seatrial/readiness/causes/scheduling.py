"""Pods that no node can take.

The scheduler puts its reasons into the PodScheduled condition, counted per node:
`0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. preemption: …`.
The condition stays for as long as they hold, so no event is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from seatrial.core.model import Object, ObjectRef, dig
from seatrial.readiness.causes.claims import why_unbound
from seatrial.readiness.causes.nodes import (
    LOST,
    NODE_HINT,
    labels_beside,
    node_troubles,
    selection_of,
    untolerated_taints,
)
from seatrial.readiness.events import event_line
from seatrial.readiness.finding import Finding
from seatrial.readiness.pods import PodView
from seatrial.readiness.rules.storage import claims_of
from seatrial.readiness.wording import listed
from seatrial.readiness.workload import Workload

__all__ = ["find"]

#: seconds: what only a person changes (labels of nodes, a pod's selector)
FIXED = 3.0
#: seconds: an object that the same manifests may bring
APPLIED = 5.0
#: seconds: what other pods free when they end
FREED = 10.0
#: seconds: what a node that is starting, or a volume's provisioner, still has to do
STARTING = 30.0

_PREFIX = re.compile(r"^\d+/(\d+) nodes are available: ?")
_COUNTED = re.compile(r"^(\d+) (.+)$")
_TAINT = re.compile(r"taint \{([^:}]+)")
_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)" not found')
#: taints under these prefixes are put on and taken off by Kubernetes itself
_PASSING = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")

#: what the scheduler says -> the only reason; one of several; grace in seconds; hint
_PLAIN = (
    ("node(s) were unschedulable", "every node is cordoned", "cordoned", STARTING, ""),
    ("Too many pods", "every node runs as many pods as it may", "full of pods", FREED, ""),
    (
        "free ports for the requested pod ports",
        "no node has its host port free",
        "host port in use",
        FREED,
        "leave hostPort out: a Service needs none",
    ),
    (
        "anti-affinity rules",
        "no node satisfies the pods' anti-affinity",
        "excluded by anti-affinity",
        FREED,
        "a required anti-affinity needs a node of its own for every replica",
    ),
    (
        "pod affinity rules",
        "no node satisfies its pod affinity",
        "excluded by pod affinity",
        FREED,
        "",
    ),
    (
        "topology spread constraints",
        "no node satisfies its topology spread constraints",
        "excluded by topology spread",
        FREED,
        "",
    ),
    (
        "available persistent volumes to bind",
        "no PersistentVolume fits its claim",
        "no PersistentVolume that fits its claim",
        STARTING,
        "compare the claim's size, class and access modes with kubectl get pv",
    ),
    (
        "olume node affinity conflict",
        "its volume is on another node than it may run on",
        "its volume is elsewhere",
        FIXED,
        "a local volume ties its pods to one node",
    ),
    (
        "PersistentVolume's node affinity",
        "its volume is on another node than it may run on",
        "its volume is elsewhere",
        FIXED,
        "a local volume ties its pods to one node",
    ),
    (
        "no nodes available to schedule pods",
        "the cluster has no node",
        "no node",
        STARTING,
        "",
    ),
)


@dataclass(frozen=True)
class _Reason:
    """One of the scheduler's reasons, in our words."""

    alone: str
    """As a sentence, where it is the only reason."""
    among: str
    """As a phrase, where it is one of several."""
    grace: float
    hint: str = ""
    cause: str = "Unschedulable"
    evidence: tuple[str, ...] = ()


def find(workload: Workload) -> Iterator[Finding]:
    """One per pod that has no node yet and was told why."""
    for pod in workload.pods:
        condition = pod.condition("PodScheduled")
        if condition.get("status") == "False" and condition.get("message"):
            yield _finding(pod, condition)


def _finding(pod: PodView, condition: Object) -> Finding:
    message = str(condition["message"])
    prefix = _PREFIX.match(message)
    body = message[prefix.end() :] if prefix else message
    reasons, phrases = [], []
    for part in body.split(". ")[0].rstrip(".").split(", "):
        counted = _COUNTED.match(part)
        reason = _reason(pod, counted[2] if counted else part)
        reasons.append(reason)
        phrases.append(f"{reason.among} ({counted[1]})" if counted else reason.among)
    if len(reasons) == 1:
        text = reasons[0].alone
    else:
        total = prefix[1] if prefix else "all"
        text = f"none of {total} nodes fits: {', '.join(phrases)}"
    return pod.finding(
        reasons[0].cause,
        f"{pod.ref} cannot be scheduled: {text}",
        evidence=(
            f"PodScheduled is False: {message}",
            *(event_line(event) for event in pod.events_of("FailedScheduling")[-1:]),
            *(line for reason in reasons for line in reason.evidence),
            *labels_beside(pod),
        ),
        hint=next((reason.hint for reason in reasons if reason.hint), ""),
        # One node that may still come is enough for the pod: the longest grace holds for all.
        grace=max(reason.grace for reason in reasons),
    )


def _reason(pod: PodView, said: str) -> _Reason:
    if "node affinity/selector" in said:
        selection = selection_of(pod.object)
        return _Reason(
            f"no node matches its {selection}",
            f"not matching its {selection}",
            FIXED,
            "label a node accordingly, or correct the selector; "
            "kubectl get nodes --show-labels shows the labels there are",
        )
    if said.startswith("Insufficient "):
        resource = said.removeprefix("Insufficient ")
        request = _request(pod.object, resource)
        return _Reason(
            f"no node has enough {resource} left{request}",
            f"not enough {resource} left{request}",
            FREED,
            "lower the containers' requests, or give the cluster more or larger nodes",
        )
    if "taint" in said:
        return _taint_reason(pod, said)
    if "ersistent" in said and (reason := _claim_reason(pod, said)):
        return reason
    for words, alone, among, grace, hint in _PLAIN:
        if words in said:
            return _Reason(alone, among, grace, hint)
    return _Reason(said, said, STARTING)


def _claim_reason(pod: PodView, said: str) -> _Reason | None:
    if found := _CLAIM.search(said):
        text = f'it needs PersistentVolumeClaim "{found[1]}", which does not exist'
        hint = f"apply the PersistentVolumeClaim into namespace {pod.namespace}"
        return _Reason(text, text, APPLIED, hint, "VolumeClaimMissing")
    if "unbound immediate PersistentVolumeClaims" not in said:
        return None
    for name in claims_of(pod.object):
        claim = ObjectRef("PersistentVolumeClaim", name, pod.namespace)
        if why := why_unbound(pod.snapshot, claim):
            text = f'its PersistentVolumeClaim "{name}" is not bound: {why.text}'
            return _Reason(text, text, why.grace, why.hint, "VolumeClaimPending", (why.evidence,))
    return _Reason(
        "its PersistentVolumeClaim is not bound to a volume",
        "claim not bound",
        STARTING,
        "does the cluster have the claim's storage class, and a provisioner for it?",
        "VolumeClaimPending",
    )


def _taint_reason(pod: PodView, said: str) -> _Reason:
    """Up to 1.34 or so the scheduler named the taint; since then only the nodes tell."""
    named = _TAINT.findall(said)
    taints = named or untolerated_taints(pod)
    lasting = bool(taints) and not any(taint.startswith(_PASSING) for taint in taints)
    which = f" ({listed(taints)})" if taints else ""
    if taints and all(taint in LOST for taint in taints) and (troubles := node_troubles(pod)):
        text = f"no node is ready ({listed([told for told, _ in troubles], 2)})"
        grace = min(grace for _, grace in troubles)
        return _Reason(text, text, grace, NODE_HINT, "NodeNotReady")
    return _Reason(
        f"every node has a taint that it does not tolerate{which}",
        f"taint not tolerated{which}",
        FIXED if lasting else STARTING,
        "add a toleration to the pod template, or take the taint off a node"
        if lasting
        else "are the nodes Ready? kubectl describe nodes shows their taints and conditions",
    )


def _request(pod: Object, resource: str) -> str:
    """` for its request of 4 (web)`, as it stands in the manifest."""
    requests = [
        f"{dig(container, 'resources', 'requests', resource)} ({container.get('name')})"
        for container in dig(pod, "spec", "containers", default=[])
        if dig(container, "resources", "requests", resource)
    ]
    return f" for its request of {listed(requests)}" if requests else ""
