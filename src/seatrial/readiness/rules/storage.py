"""Claims and volumes: PersistentVolumeClaim and PersistentVolume."""

from __future__ import annotations

from collections.abc import Iterator

from seatrial.core.model import Object, ObjectRef, Snapshot, Verdict, dig
from seatrial.readiness.events import events_about

__all__ = ["claim", "claims_of", "volume"]


def claim(obj: Object, ref: ObjectRef, snapshot: Snapshot) -> Verdict:
    """It is bound. One whose class waits for the first pod is ready while no pod uses it.

    That a class waits is known from the StorageClass (`WaitForFirstConsumer`), where these are
    watched, or else from the event that says so.
    """
    phase = str(dig(obj, "status", "phase", default="Pending"))
    if phase == "Bound":
        volume = dig(obj, "spec", "volumeName", default="?")
        return Verdict.satisfied("Bound", f"Phase: Bound to {volume}", object=ref)
    if phase == "Lost":
        message = "Phase: Lost, as the volume that it was bound to is gone"
        return Verdict.impossible("Lost", message, object=ref)
    users = [str(ObjectRef.of(pod)) for pod in _users(snapshot, ref)]
    if not users and _waits_for_first(obj, ref, snapshot):
        message = f"Phase: {phase}, until a first pod uses it (WaitForFirstConsumer)"
        return Verdict.satisfied("WaitsForFirstConsumer", message, object=ref)
    return Verdict.waiting("NotBound", f"Phase: {phase}", object=ref)


def _users(snapshot: Snapshot, ref: ObjectRef) -> Iterator[Object]:
    for pod in snapshot.all("Pod", ref.namespace):
        if ref.name in claims_of(pod):
            yield pod


def claims_of(pod: Object) -> list[str]:
    """The names of the claims that a pod's volumes are; an ephemeral one is named after both."""
    names = []
    for volume in dig(pod, "spec", "volumes", default=[]):
        if name := dig(volume, "persistentVolumeClaim", "claimName"):
            names.append(str(name))
        elif "ephemeral" in volume:
            names.append(f"{dig(pod, 'metadata', 'name')}-{volume.get('name')}")
    return names


def _waits_for_first(obj: Object, ref: ObjectRef, snapshot: Snapshot) -> bool:
    name = dig(obj, "spec", "storageClassName", default="")
    storage_class = snapshot.get("StorageClass", name) if name else None
    if storage_class is not None:
        return bool(dig(storage_class, "volumeBindingMode") == "WaitForFirstConsumer")
    events = events_about(snapshot, ref)
    return bool(events) and events[-1].get("reason") == "WaitForFirstConsumer"


def volume(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    phase = str(dig(obj, "status", "phase", default="Pending"))
    if phase in ("Available", "Bound"):
        return Verdict.satisfied(phase, f"Phase: {phase}", object=ref)
    if phase == "Failed":
        message = str(dig(obj, "status", "message", default="it does not say why"))
        return Verdict.impossible("Failed", f"Phase: Failed: {message}", object=ref)
    return Verdict.waiting("NotAvailable", f"Phase: {phase}", object=ref)
