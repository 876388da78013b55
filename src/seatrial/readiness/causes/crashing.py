"""Containers that end when they should run, init containers that fail, pods that have failed.

`CrashLoopBackOff` is only there between two runs; `restartCount` and the last termination are there
always, so these are what is judged. How many crashes are too many is for the wait to say
(`Finding.crashes`); a container that is ready now, or has done its work, has none that count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from seatrial.core.model import ObjectRef, Snapshot, dig
from seatrial.readiness.causes.starting import START_FAILURES
from seatrial.readiness.finding import NEVER, Finding, LogSource
from seatrial.readiness.pods import ContainerView, PodView
from seatrial.readiness.wording import one_line, times
from seatrial.readiness.workload import Workload

__all__ = ["find", "restarts_of_the_ready"]

#: what the runtime says of a container that it lost sight of, as when its node was restarted
_LOST = frozenset({"Unknown", "ContainerStatusUnknown"})

_PROBE = re.compile(r"failed (liveness|startup) probe")
_SIGNALS = {132: "SIGILL", 134: "SIGABRT", 137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}
_HINTS = {
    0: "the command ends by itself: a container has to keep running in the foreground, "
    "and work that ends belongs into a Job",
    126: "126 is a shell's code for a file that it may not execute",
    127: "127 is a shell's code for a command that it cannot find",
    137: "137 is SIGKILL: out of memory on the node, or it did not stop in time when told to",
    139: "139 is a segmentation fault",
}


def find(workload: Workload) -> Iterator[Finding]:
    """One per container that ended, or per pod that has failed for good."""
    for pod in workload.pods:
        if pod.phase == "Failed":
            yield _failed_pod(pod)
        elif pod.phase != "Succeeded":
            for container in pod.containers:
                if _counts(container):
                    yield _crash(container)


def restarts_of_the_ready(snapshot: Snapshot) -> dict[tuple[ObjectRef, str], int]:
    """By pod and container, how often those were restarted that are ready now.

    A wait takes that as history: such a container has put its crashes behind it.
    """
    return {
        (pod.ref, container.name): container.crashes
        for obj in snapshot.all("Pod")
        for pod in [PodView(snapshot, obj, ObjectRef.of(obj))]
        for container in pod.containers
        if container.is_ready and container.crashes
    }


def _counts(container: ContainerView) -> bool:
    if not container.ended or container.is_done or container.ended.get("reason") in _LOST:
        return False
    if container.ended.get("reason") in START_FAILURES and not container.is_running:
        return False
    return not (container.is_ready and container.is_running)


def _crash(container: ContainerView) -> Finding:
    pod, count = container.pod, container.crashes
    cause, happened, hint = _classify(container)
    name = f"{'init container' if container.is_init else 'container'} {container.name}"
    who = f"{pod.root}: {name}{pod.whose}"
    previous = not dig(container.status, "state", "terminated", default={})
    return pod.finding(
        cause,
        f"{who} {happened.format(times(count))}",
        evidence=container.evidence("BackOff", "Unhealthy", "Killing"),
        hint=hint,
        # A Job starts its pods again by design, and says itself when it has given up.
        grace=NEVER if pod.root.kind == "Job" else 0.0,
        container=container.name,
        crashes=max(count, 1),
        log=LogSource(pod.namespace, pod.ref.name, container.name, previous),
    )


def _classify(container: ContainerView) -> tuple[str, str, str]:
    """Cause, what happened (with `{}` for how often), hint."""
    code = int(container.ended.get("exitCode", 0))
    if container.ended.get("reason") == "OOMKilled":
        limit = dig(container.spec, "resources", "limits", "memory", default="")
        of = f" (limit {limit})" if limit else ""
        return (
            "OutOfMemory",
            f"was killed {{}} for using more memory than it may{of}",
            "raise resources.limits.memory, or make the application use less",
        )
    if probe := _killed_by_probe(container):
        return (
            f"{probe.capitalize()}ProbeFailed",
            f"was restarted {{}} by the kubelet, since its {probe} probe fails",
            "compare the probe's port and path with the application's; "
            "a slow start needs a startupProbe with a larger failureThreshold",
        )
    signal = f" ({_SIGNALS[code]})" if code in _SIGNALS else ""
    if container.is_init:
        return "InitContainerFailed", f"failed {{}} with exit code {code}{signal}", ""
    verb = "crashed" if code else "ended"
    return "CrashLoop", f"{verb} {{}} with exit code {code}{signal}", _HINTS.get(code, "")


def _killed_by_probe(container: ContainerView) -> str:
    for event in reversed(container.events_of("Killing")):
        if found := _PROBE.search(str(event.get("message", ""))):
            return found[1]
    return ""


def _failed_pod(pod: PodView) -> Finding:
    reason = str(dig(pod.object, "status", "reason", default=""))
    message = str(dig(pod.object, "status", "message", default=""))
    culprit = next((c for c in pod.containers if c.ended and c.ended.get("exitCode")), None)
    log = None
    if culprit and not reason:
        kind = "init container" if culprit.is_init else "container"
        text = f"{kind} {culprit.name} ended with exit code {culprit.ended['exitCode']}"
        log = LogSource(pod.namespace, pod.ref.name, culprit.name, previous=False)
    else:
        text = ": ".join(part for part in (reason, message) if part) or "it does not say why"
    return pod.finding(
        "PodEvicted" if reason == "Evicted" else "PodFailed",
        f"{pod.ref} failed: {one_line(text)}",
        evidence=culprit.evidence() if culprit else (),
        # A controller replaces a pod that has failed; only without one is it the end.
        grace=0.0 if pod.root.kind == "Pod" else NEVER,
        container=culprit.name if culprit else "",
        log=log,
    )
