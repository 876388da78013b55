"""Volumes that cannot be mounted, and sandboxes (the pod's network) that cannot be set up.

The kubelet tells of both only in events, which stay after it has succeeded; so they count only for
a pod that shows no sign of having got further.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from seatrial.core.model import Object
from seatrial.readiness.causes.references import missing_reference
from seatrial.readiness.events import event_line
from seatrial.readiness.finding import Finding
from seatrial.readiness.pods import PodView
from seatrial.readiness.wording import one_line
from seatrial.readiness.workload import Workload

__all__ = ["find"]

#: seconds: the kubelet tries a mount again and again; drivers and other nodes take their time
MOUNT_GRACE = 30.0
#: seconds: a node's network plugin may come up after its first pods
SANDBOX_GRACE = 30.0

#: seconds for a runtime handler that the node's container runtime does not know
HANDLER_GRACE = 3.0

_HANDLER = re.compile(r'no runtime for "([^"]+)" is configured')
_VOLUME = re.compile(r'for volume "([^"]+)" : (.+)')


def find(workload: Workload) -> Iterator[Finding]:
    """Per pod without a sandbox: every volume that fails, or else the sandbox."""
    for pod in workload.pods:
        if pod.has_sandbox or pod.phase != "Pending":
            continue
        mounts = pod.events_of("FailedMount", "FailedAttachVolume", "FailedMapVolume")
        sandboxes = pod.events_of("FailedCreatePodSandBox", "NetworkNotReady")
        if sandboxes and not mounts:
            yield _sandbox(pod, sandboxes[-1])
        latest = {_volume(event): event for event in mounts}
        for volume, event in latest.items():
            yield from _mount(pod, volume, event)


def _volume(event: Object) -> str:
    found = _VOLUME.search(str(event.get("message", "")))
    return found[1] if found else ""


def _mount(pod: PodView, volume: str, event: Object) -> Iterator[Finding]:
    message = str(event.get("message", ""))
    who = f"volume {volume}" if volume else "a volume"
    missing = missing_reference(message, pod)
    if missing:
        if not missing.is_there(pod.snapshot, pod.namespace):
            yield missing.finding(pod, who, volume, (event_line(event),))
        return
    found = _VOLUME.search(message)
    yield pod.finding(
        "MountFailed",
        f"{pod.ref} cannot start: {who} cannot be mounted: {found[2] if found else message}",
        evidence=(event_line(event),),
        hint="compare the pod's volumes with what the node and the storage driver offer",
        grace=MOUNT_GRACE,
        container=volume,
    )


def _sandbox(pod: PodView, event: Object) -> Finding:
    message = one_line(str(event.get("message", ""))).removeprefix("Failed to create pod sandbox: ")
    if handler := _HANDLER.search(message):
        return pod.finding(
            "SandboxFailed",
            f"{pod.ref} cannot start: its node's container runtime has no handler "
            f'"{handler[1]}", which its RuntimeClass names',
            evidence=(event_line(event),),
            hint="leave runtimeClassName out, or configure the handler on the node",
            grace=HANDLER_GRACE,
        )
    return pod.finding(
        "SandboxFailed",
        f"{pod.ref} cannot start: its sandbox cannot be set up: {message}",
        evidence=(event_line(event),),
        hint="a matter of the node, not of the manifest: look at its network plugin (CNI) "
        "and at its container runtime's log",
        grace=SANDBOX_GRACE,
    )
