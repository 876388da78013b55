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
from seatrial.readiness.events import event_line
from seatrial.readiness.finding import NEVER, Finding, LogSource
from seatrial.readiness.pods import ContainerView, PodView
from seatrial.readiness.wording import one_line, times
from seatrial.readiness.workload import Workload

__all__ = ["find", "restarts_of_the_ready"]

#: what the runtime says of a container that it lost sight of, as when its node was restarted
_LOST = frozenset({"Unknown", "ContainerStatusUnknown"})

#: what the kubelet rejects a pod for that stands in the pod itself: so it does with every next one,
#: and a controller makes several of them a second
_REJECTED = frozenset(
    {"AppArmor", "PodOSNotSupported", "PodOSSelectorNodeLabelDoesNotMatch", "SysctlForbidden"}
)
#: seconds for what only a person changes
_FIXED = 3.0

_HOOK = re.compile(r"failed - error: (.+?)[\s:]*(?:, message: .*)?$", re.DOTALL)
_PROBE = re.compile(r"failed (liveness|startup) probe")
#: the exit code of a process that was ended by SIGKILL
_KILLED = 137
_SIGNALS = {132: "SIGILL", 134: "SIGABRT", 137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}
_HINTS = {
    0: "the command ends by itself: a container has to keep running in the foreground, "
    "and work that ends belongs into a Job",
    126: "126 is a shell's code for a file that it may not execute",
    127: "127 is a shell's code for a command that it cannot find",
    137: "137 is SIGKILL: out of memory on the node, or it did not stop in time when told to",
    139: "139 is a segmentation fault",
}
_LOOK = (
    "its log says why, as a rule; compare command, args and env of the manifest with what the "
    "image expects"
)


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
    limit = dig(container.spec, "resources", "limits", "memory", default="")
    # The runtime misses an out-of-memory now and then. But nothing inside a container can kill its
    # first process, and when the kubelet does, it says so.
    likely = limit and code == _KILLED and not container.events_of("Killing")
    if likely or container.ended.get("reason") == "OOMKilled":
        of = f" (limit {limit})" if limit else ""
        sure = "" if container.ended.get("reason") == "OOMKilled" else ", most likely"
        return (
            "OutOfMemory",
            f"was killed {{}}{sure} for using more memory than it may{of}",
            "raise resources.limits.memory, or make the application use less",
        )
    if probe := _killed_by_probe(container):
        return (
            f"{probe.capitalize()}ProbeFailed",
            f"was restarted {{}} by the kubelet, since its {probe} probe fails",
            "compare the probe's port and path with the application's; "
            "a slow start needs a startupProbe with a larger failureThreshold",
        )
    if (hook := _failed_hook(container)) is not None:
        return (
            "PostStartHookFailed",
            "was ended {} by the kubelet, since its postStart hook fails" + hook,
            "run the hook's command in the container by hand; it has to end with 0",
        )
    signal = f" ({_SIGNALS[code]})" if code in _SIGNALS else ""
    if container.is_init:
        return (
            "InitContainerFailed",
            f"failed {{}} with exit code {code}{signal}",
            "the other containers start only after it has ended with 0; its log tells more",
        )
    verb = "crashed" if code else "ended"
    return "CrashLoop", f"{verb} {{}} with exit code {code}{signal}", _HINTS.get(code, _LOOK)


def _killed_by_probe(container: ContainerView) -> str:
    for event in reversed(container.events_of("Killing")):
        if found := _PROBE.search(str(event.get("message", ""))):
            return found[1]
    return ""


def _failed_hook(container: ContainerView) -> str | None:
    """What the hook's failure is told with, or None if it was not the hook."""
    if container.waiting_reason == "PostStartHookError":
        found = _HOOK.search(container.waiting_message)
        # braces would be taken for the place of the count
        return f": {found[1]}".replace("{", "{{").replace("}", "}}") if found else ""
    killed = container.events_of("Killing")
    by_hook = bool(killed) and killed[-1].get("message") == "FailedPostStartHook"
    return "" if by_hook else None


def _failed_pod(pod: PodView) -> Finding:
    reason = str(dig(pod.object, "status", "reason", default=""))
    message = str(dig(pod.object, "status", "message", default=""))
    grace, hint = NEVER, ""
    if reason in _REJECTED:
        grace, hint = _FIXED, "the kubelet of the node refuses what the pod's securityContext says"
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
        evidence=culprit.evidence()
        if culprit
        else tuple(event_line(event) for event in pod.events_of(reason)[-1:]),
        hint=hint,
        # A controller replaces a pod that has failed; only without one is it the end.
        grace=0.0 if pod.root.kind == "Pod" else grace,
        container=culprit.name if culprit else "",
        log=log,
    )
