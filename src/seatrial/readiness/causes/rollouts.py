"""What is wrong above the pods: a rollout without progress, a Service without pods."""

from __future__ import annotations

from collections.abc import Iterator

from seatrial.core.model import dig
from seatrial.readiness.finding import NEVER, Finding
from seatrial.readiness.wording import listed
from seatrial.readiness.workload import Workload

__all__ = ["find"]

#: seconds: a Service may well be applied long before the pods it selects
SELECTOR_GRACE = 30.0


def find(workload: Workload) -> Iterator[Finding]:
    """What can be said about a Deployment or a Service itself."""
    if workload.root.kind == "Deployment":
        yield from _deadline(workload)
    if workload.root.kind == "Service":
        yield from _selector(workload)


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
