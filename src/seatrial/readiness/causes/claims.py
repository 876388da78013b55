"""PersistentVolumeClaims that are not bound to a volume.

The volume controller and the provisioners say why in events, and only there. They stay after it has
healed, so they count only for a claim that is not bound, and only the latest of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from seatrial.core.model import ObjectRef, Snapshot, dig
from seatrial.readiness.events import event_line, events_about
from seatrial.readiness.finding import Finding
from seatrial.readiness.wording import one_line
from seatrial.readiness.workload import Workload

__all__ = ["Unbound", "find", "why_unbound"]

#: seconds: a storage class that the same manifests may bring
APPLIED = 5.0
#: seconds: the volume controller looks at an unbound claim every 15 s, so a volume that comes five
#: seconds late is bound by then
RESYNC = 20.0
#: seconds: what a provisioner may take to make a volume, or to succeed where it failed before
PROVISIONING = 60.0

_CLASS = re.compile(r'storageclass\.storage\.k8s\.io "([^"]+)" not found')
_PROVISIONER = re.compile(r"external provisioner '([^']+)'")


@dataclass(frozen=True)
class Unbound:
    """Why a claim is not bound."""

    text: str
    hint: str
    grace: float
    """Seconds, as in `Finding.grace`."""
    evidence: str


def find(workload: Workload) -> Iterator[Finding]:
    """What is wrong with a claim that is waited for itself."""
    ref = workload.root
    if ref.kind != "PersistentVolumeClaim" or dig(workload.object, "status", "phase") == "Bound":
        return
    if found := why_unbound(workload.snapshot, ref):
        yield Finding(
            "VolumeClaimPending",
            ref,
            f"{ref} is not bound: {found.text}",
            evidence=(found.evidence,),
            hint=found.hint,
            grace=found.grace,
        )


def why_unbound(snapshot: Snapshot, claim: ObjectRef) -> Unbound | None:
    """What the latest event about the claim says is wrong; None if nothing is known to be."""
    events = events_about(snapshot, claim)
    if not events:
        return None
    message, line = one_line(str(events[-1].get("message", ""))), event_line(events[-1])
    reason = events[-1].get("reason")
    if found := _CLASS.search(message):
        classes = [str(dig(each, "metadata", "name")) for each in snapshot.all("StorageClass")]
        there = f"; there is {', '.join(classes)}" if classes else ""
        text = f'storage class "{found[1]}" does not exist{there}'
        return Unbound(text, "kubectl get storageclass shows those there are", APPLIED, line)
    if reason == "FailedBinding":
        return Unbound(
            "no PersistentVolume fits, and it names no storage class that would make one",
            "leave storageClassName out to use the cluster's default class, or apply a "
            "PersistentVolume of its size, class and access modes",
            RESYNC,
            line,
        )
    if reason == "ProvisioningFailed":
        hint = "the provisioner's own log tells more"
        return Unbound(f"its provisioner fails: {message}", hint, PROVISIONING, line)
    if reason == "ExternalProvisioning":
        name = found[1] if (found := _PROVISIONER.search(message)) else "its provisioner"
        return Unbound(
            f"{name} has made no volume yet",
            "is the provisioner running? kubectl get pods -A",
            PROVISIONING,
            line,
        )
    return None
