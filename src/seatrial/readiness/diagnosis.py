"""Diagnosis: from a snapshot to the reasons why something is not ready, the root cause first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from seatrial.core.model import ObjectRef, Snapshot
from seatrial.readiness.causes import (
    claims,
    crashing,
    images,
    nodes,
    probing,
    refusals,
    rollouts,
    scheduling,
    starting,
    target_ports,
    volumes,
)
from seatrial.readiness.finding import Finding, LogTail, read_log
from seatrial.readiness.wording import listed
from seatrial.readiness.workload import Workload

__all__ = ["diagnose"]

#: in the order of a pod's life: what fails earlier is the cause of what fails later
_FAMILIES: tuple[Callable[[Workload], Iterator[Finding]], ...] = (
    refusals.find,
    claims.find,
    scheduling.find,
    nodes.find,
    volumes.find,
    images.find,
    starting.find,
    crashing.find,
    probing.find,
    target_ports.find,
)


def diagnose(snapshot: Snapshot, root: ObjectRef, log_tail: LogTail | None = None) -> list[Finding]:
    """Why `root` (a Deployment, another workload, a Service or a Pod) is not ready.

    Gives one finding per cause, owner and container, the root cause first; nothing where nothing
    is known to be wrong. Only objects of the snapshot are looked at: the more kinds are watched
    (Events above all, then Nodes and ConfigMaps), the more it knows. Without `log_tail` it is pure;
    with it, it is called at most once, for the first finding that has a log.
    """
    workload = Workload.of(snapshot, root)
    if workload is None:
        return []
    found = [each for family in _FAMILIES for each in family(workload.current)]
    findings = _merged([*found, *rollouts.find(workload)])
    for position, finding in enumerate(findings):
        if log_tail is not None and finding.log is not None:
            findings[position] = read_log(finding, log_tail)
            break
    return findings


def _merged(findings: Iterable[Finding]) -> list[Finding]:
    """Replicas fail alike: one finding for all of them, about the one that crashed most."""
    groups: dict[tuple[str, ObjectRef, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.key, []).append(finding)
    merged = []
    for group in groups.values():
        first = max(group, key=lambda finding: finding.crashes)
        others = [str(finding.object) for finding in group if finding is not first]
        if others:
            line = f"the same holds for {listed(others)}"
            first = replace(first, evidence=(*first.evidence, line))
        merged.append(first)
    return merged
