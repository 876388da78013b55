"""What is wrong above the pods: a rollout without progress, a Service without pods, an autoscaler
that cannot scale."""

from __future__ import annotations

from collections.abc import Iterator

from seatrial.core.model import Object, dig
from seatrial.core.spelling import did_you_mean
from seatrial.readiness.finding import NEVER, Finding
from seatrial.readiness.pods import PodView
from seatrial.readiness.rules.reading import condition_of, told
from seatrial.readiness.wording import listed, one_line
from seatrial.readiness.workload import Workload

__all__ = ["find"]

#: seconds: a Service may well be applied long before the pods it selects
SELECTOR_GRACE = 30.0
#: seconds: an autoscaler looks for its target every 15 s, so one that comes five seconds late is
#: found by then
TARGET_GRACE = 20.0
#: seconds: a metrics server takes half a minute to come up, and as long to have measured a new pod
NO_METRICS_GRACE = 30.0
#: seconds: who makes these pods is not known here, and may be about to replace them
UNKNOWN_OWNER_GRACE = 15.0
METRICS_GRACE = 120.0


def find(workload: Workload) -> Iterator[Finding]:
    """What can be said about a Deployment, a Service or an autoscaler itself."""
    if workload.root.kind == "Deployment":
        yield from _deadline(workload)
    if workload.root.kind == "Service":
        yield from _selector(workload)
        yield from _target_ports(workload)
    if workload.root.kind == "HorizontalPodAutoscaler":
        yield from _autoscaler(workload)


def _deadline(workload: Workload) -> Iterator[Finding]:
    limit = dig(workload.object, "spec", "progressDeadlineSeconds", default=600)
    for condition in dig(workload.object, "status", "conditions", default=[]):
        if condition.get("reason") == "ProgressDeadlineExceeded":
            yield Finding(
                "ProgressDeadlineExceeded",
                workload.root,
                f"{workload.root} made no progress for {limit} s (progressDeadlineSeconds)",
                evidence=(f"Progressing is False: {condition.get('message', '')}",),
                hint="nothing else was found: look at the pods' logs, and at the events below",
                grace=NEVER,  # the status ends the wait; a root cause is told before this one
            )


def _autoscaler(workload: Workload) -> Iterator[Finding]:
    for kind in ("AbleToScale", "ScalingActive"):
        condition = condition_of(workload.object, kind)
        if condition.get("status") != "False" or condition.get("reason") == "ScalingDisabled":
            continue
        said = one_line(str(condition.get("message") or condition.get("reason")))
        grace, hint = TARGET_GRACE, "compare spec.scaleTargetRef with the workload's kind and name"
        if kind == "ScalingActive":
            absent = "could not find the requested resource" in said
            grace = NO_METRICS_GRACE if absent else METRICS_GRACE
            hint = (
                "resource metrics come from metrics-server, which kind does not bring along; "
                "pods need requests for what is measured in percent"
            )
        yield Finding(
            "AutoscalerInactive",
            workload.root,
            f"{workload.root} cannot scale: {said}",
            evidence=(told(condition),),
            hint=hint,
            grace=grace,
        )
        return


def _selector(workload: Workload) -> Iterator[Finding]:
    selector = dig(workload.object, "spec", "selector", default={})
    if not selector or workload.pods:
        return
    pods = workload.snapshot.all("Pod", workload.root.namespace)
    labels = sorted({_labels(dig(pod, "metadata", "labels", default={})) for pod in pods})
    if not labels:
        return  # without any pod it is not the selector that is wrong
    yield Finding(
        "SelectorMatchesNothing",
        workload.root,
        f"{workload.root} selects {_labels(selector)}, and no pod has these labels",
        evidence=(f"labels of the pods there are: {listed(labels)}",),
        hint="make spec.selector of the Service equal to labels of the pod template",
        grace=SELECTOR_GRACE,
    )


def _target_ports(workload: Workload) -> Iterator[Finding]:
    """A pod's ports never change, so a name that none of its containers has leads nowhere for good.

    A number needs no containerPort: whether somebody listens there only a request tells.
    """
    pods = workload.current.pods
    if not pods or dig(workload.object, "spec", "clusterIP") == "None":
        return
    there = {key: line for pod in pods for key, line in _named_ports(pod.object)}
    for port in dig(workload.object, "spec", "ports", default=[]):
        name, protocol = port.get("targetPort"), port.get("protocol", "TCP")
        if not isinstance(name, str) or (name, protocol) in there:
            continue
        ports = listed(list(there.values())) or "none with a name"
        hint = did_you_mean(name, [known for known, _ in there])
        yield Finding(
            "TargetPortMissing",
            workload.root,
            f"{workload.root} leads its port {port.get('port')} to a container's port {name!r} "
            f"({protocol}), and no container of its pods has one of that name",
            evidence=(f"the ports of the containers: {ports}",),
            hint=hint or "targetPort is the name of a containerPort, or a number",
            grace=0.0 if all(map(_is_of_a_known_owner, pods)) else UNKNOWN_OWNER_GRACE,
        )


def _named_ports(pod: Object) -> Iterator[tuple[tuple[str, str], str]]:
    """Name and protocol of a pod's ports, each with a line for a person; those of sidecars too."""
    sidecars = [
        container
        for container in dig(pod, "spec", "initContainers", default=[])
        if container.get("restartPolicy") == "Always"
    ]
    for container in (*dig(pod, "spec", "containers", default=[]), *sidecars):
        for port in dig(container, "ports", default=[]):
            if name := port.get("name"):
                protocol, number = port.get("protocol", "TCP"), port.get("containerPort")
                line = f"{name} ({number}, {protocol}) of container {container.get('name')}"
                yield (name, protocol), line


def _is_of_a_known_owner(pod: PodView) -> bool:
    """Whether it is known that the pod's template is the newest; nobody replaces a bare pod."""
    if pod.owner is None:
        return True
    owner = pod.snapshot.get(pod.owner.kind, pod.owner.name, pod.namespace)
    uppers = dig(owner, "metadata", "ownerReferences", default=[])
    return owner is not None and all(upper.get("kind") == "Deployment" for upper in uppers)


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
