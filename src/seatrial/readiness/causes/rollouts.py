"""What is wrong above the pods: a rollout without progress, a Service without pods, an autoscaler
that cannot scale."""

from __future__ import annotations

from collections.abc import Iterator

from seatrial.core.model import dig
from seatrial.readiness.finding import NEVER, Finding
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
METRICS_GRACE = 120.0


def find(workload: Workload) -> Iterator[Finding]:
    """What can be said about a Deployment, a Service or an autoscaler itself."""
    if workload.root.kind == "Deployment":
        yield from _deadline(workload)
    if workload.root.kind == "Service":
        yield from _selector(workload)
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


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
