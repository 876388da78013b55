"""Containers whose image is there and that still do not start.

The kubelet's waiting reasons for it: CreateContainerConfigError (something the specification refers
to), CreateContainerError and RunContainerError (the runtime refused), and the hooks before them.
A start that failed is also kept as a termination with the reason StartError, which outlives the
back-off in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from seatrial.readiness.causes.references import missing_reference
from seatrial.readiness.finding import Finding
from seatrial.readiness.pods import ContainerView
from seatrial.readiness.wording import one_line
from seatrial.readiness.workload import Workload

__all__ = ["START_FAILURES", "find"]

#: termination reasons of a container whose process never ran (containerd, older runtimes)
START_FAILURES = frozenset({"StartError", "ContainerCannotRun"})

_REASONS = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "PreCreateHookError",
        "PreStartHookError",
        "RunContainerError",
    }
)
#: seconds: caches of the kubelet that fill, names that a runtime still has to free
_RETRIED = 30.0
_EXECUTABLE = re.compile(r'exec: "([^"]*)": (executable file not found|.*no such file)')
_DENIED = re.compile(r'exec: "([^"]*)": (?:.*: )?permission denied')
_NO_FILE = re.compile(r"exec:? (\S+): no such file or directory")
_ROOT = re.compile(r"runAsNonRoot and image (.+?)(?: \(pod:|$)")
_USER = re.compile(r"runAsUser breaks non-root policy")


def find(workload: Workload) -> Iterator[Finding]:
    """One per container that cannot be created or started."""
    for pod in workload.pods:
        for container in pod.containers:
            if found := _finding(container):
                yield found


def _finding(container: ContainerView) -> Finding | None:
    if container.is_running:
        return None
    failed_start = container.ended.get("reason") in START_FAILURES
    if container.waiting_reason not in _REASONS and not failed_start:
        return None
    said = container.waiting_message if container.waiting_reason in _REASONS else ""
    said = one_line(said or str(container.ended.get("message", "")), 1000)
    evidence = container.evidence("Failed", "FailedPostStartHook", "BackOff")
    pod = container.pod
    if missing := missing_reference(said, pod):
        if missing.is_there(pod.snapshot, pod.namespace):
            return None
        return missing.finding(pod, f"container {container.name}", container.name, evidence)
    found = _ROOT.search(said)
    if found or _USER.search(said):
        whose = f"image {found[1]}" if found else "runAsUser is 0"
        return pod.finding(
            "RunAsRootRefused",
            f"{pod.ref} cannot start: container {container.name} has runAsNonRoot, and its {whose}",
            evidence=evidence,
            hint="give the image a numeric USER other than 0, or set runAsUser in securityContext",
            container=container.name,
        )
    text, hint, grace = _told(said or container.waiting_reason)
    return pod.finding(
        "ContainerCannotStart",
        f"{pod.ref} cannot start: container {container.name}: {text}",
        evidence=evidence,
        hint=hint,
        grace=grace,
        container=container.name,
    )


def _told(said: str) -> tuple[str, str, float]:
    """What the runtime's message comes down to, the way out, and the seconds of grace."""
    if found := _DENIED.search(said):
        return (
            f'"{found[1]}" may not be executed: permission denied',
            "make the file executable in the image (chmod +x), also for the user it runs as",
            0.0,
        )
    if found := _EXECUTABLE.search(said) or _NO_FILE.search(said):
        return (
            f'its image has no executable "{found[1]}"',
            "compare the manifest's command with what is in the image; "
            "a shell's words (&&, |, $VAR) need a shell",
            0.0,
        )
    if "exec format error" in said:
        return (
            "its executable is for another platform: exec format error",
            "build the image for the node's architecture (docker build --platform)",
            0.0,
        )
    if "read-only file system" in said:
        return (
            said,
            "a mount point that the image lacks cannot be made where "
            "readOnlyRootFilesystem holds: make the folder in the Dockerfile",
            0.0,
        )
    if "no command specified" in said:
        return "no command is specified", "set CMD in the image or command in the manifest", 0.0
    return said, "", _RETRIED
