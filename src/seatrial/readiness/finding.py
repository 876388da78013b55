"""A finding: one reason why something is not ready, told so that a person can act on it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from seatrial.core.model import ObjectRef
from seatrial.readiness.wording import one_line

__all__ = ["CAUSES", "NEVER", "Exists", "Finding", "LogSource", "LogTail", "read_log"]

#: (namespace, pod, container, previous) -> the last lines that container wrote
LogTail = Callable[[str, str, str, bool], str]

#: (object, key in it or "") -> whether it is there by now
Exists = Callable[[ObjectRef, str], bool]

#: a grace that never runs out: such a finding is shown, and never ends a wait by itself
NEVER = math.inf

#: every cause that `diagnose` can name, and what it stands for
CAUSES = {
    "AdmissionRefused": "the API server refused to create the pod",
    "AdmissionUnreachable": "an admission webhook that has to be asked does not answer",
    "AutoscalerInactive": "an autoscaler does not find what it scales, or no metrics to go by",
    "ConfigKeyMissing": "a ConfigMap or Secret is there, but lacks a key",
    "ConfigMapMissing": "a ConfigMap that the pod refers to does not exist",
    "ContainerCannotStart": "a container cannot be created or started",
    "CrashLoop": "a container ends again and again",
    "ImageAbsent": "the image is not on the node, and may not be pulled",
    "ImagePullFailed": "the image cannot be pulled",
    "InitContainerFailed": "an init container ends with an error again and again",
    "InvalidImageName": "the image's name cannot be parsed",
    "LimitRangeViolated": "the pod's resources are outside a LimitRange",
    "LivenessProbeFailed": "the kubelet restarts a container, since its liveness probe fails",
    "MountFailed": "a volume cannot be mounted",
    "NodeNotReady": "the node that the pod is on, or every node, is not ready",
    "OutOfMemory": "a container is killed for using more memory than its limit",
    "PodEvicted": "the pod was evicted from its node",
    "PodFailed": "the pod has ended, and failed",
    "PodSecurityViolated": "the namespace's Pod Security level forbids the pod",
    "PostStartHookFailed": "the kubelet ends a container, since its postStart hook fails",
    "ProbeFailing": "a container runs, and its readiness or startup probe fails",
    "ProgressDeadlineExceeded": "the Deployment made no progress for progressDeadlineSeconds",
    "QuotaExceeded": "a ResourceQuota leaves no room for the pod",
    "RunAsRootRefused": "runAsNonRoot is set, and the image would run as root",
    "SandboxFailed": "the pod's sandbox (its network, as a rule) cannot be set up",
    "SecretMissing": "a Secret that the pod refers to does not exist",
    "SelectorMatchesNothing": "no pod has the labels that a Service selects",
    "ServiceAccountMissing": "the pod's service account does not exist",
    "StartupProbeFailed": "the kubelet restarts a container, since its startup probe fails",
    "TargetPortMissing": "no container of a Service's pods has the port that its targetPort names",
    "Unschedulable": "no node can take the pod",
    "VolumeClaimPending": "a PersistentVolumeClaim is not bound to a volume",
    "VolumeClaimMissing": "a PersistentVolumeClaim that the pod refers to does not exist",
}


@dataclass(frozen=True)
class LogSource:
    """The log that would show more."""

    namespace: str
    pod: str
    container: str
    previous: bool
    """Whether it is the log of the run before the present one."""


@dataclass(frozen=True)
class Finding:
    """One reason why something is not ready."""

    cause: str
    """One of `CAUSES`."""
    object: ObjectRef
    """What it was seen on."""
    message: str
    """One line that names the cause and the object."""
    evidence: tuple[str, ...] = ()
    """What the cluster said, line by line."""
    hint: str = ""
    """The way out."""
    grace: float = 0.0
    """Seconds that it must stand before it counts as impossible; 0 if it cannot heal by itself."""
    owner: ObjectRef | None = None
    """The controller that replaces the object, where there is one."""
    container: str = ""
    crashes: int = 0
    """How often the container ended; above 0 only for causes that are judged by that number."""
    log: LogSource | None = None
    missing: tuple[ObjectRef, str] | None = None
    """The object, and the key in it or "", whose absence it is: where that is what is wrong."""

    @property
    def key(self) -> tuple[str, ObjectRef, str]:
        """What stays the same while pods come and go: cause, owner and container."""
        return self.cause, self.owner or self.object, self.container

    def with_log(self, text: str) -> Finding:
        """This finding with the last line of a log in its message, and all of it as evidence."""
        lines = [line.rstrip() for line in text.splitlines() if line.strip()]
        if self.log is None or not lines:
            return self
        run = " before its restart" if self.log.previous else ""
        hint = self.hint
        if "Read-only file system" in lines[-1]:
            hint = (
                "readOnlyRootFilesystem holds for the container: mount an emptyDir where it writes"
            )
        return replace(
            self,
            hint=hint,
            message=f'{self.message} (last log: "{one_line(lines[-1], 160)}")',
            evidence=(
                *self.evidence,
                f"log of container {self.log.container} of Pod/{self.log.pod}{run}:",
                *(f"  {line}" for line in lines),
            ),
        )


def read_log(finding: Finding, log_tail: LogTail | None) -> Finding:
    """The finding with its log, if it has one and that can be read. May call the API server."""
    source = finding.log
    if log_tail is None or source is None:
        return finding
    try:
        text = log_tail(source.namespace, source.pod, source.container, source.previous)
    except Exception as error:  # noqa: BLE001 - the log is an extra: its failure must not hide the cause
        line = f"log of container {source.container}: cannot be read: {one_line(str(error))}"
        return replace(finding, evidence=(*finding.evidence, line))
    return finding.with_log(text)
