"""What shapes the API and the number of pods: Namespace, CustomResourceDefinition,
HorizontalPodAutoscaler, PodDisruptionBudget."""

from __future__ import annotations

from seatrial.core.model import Object, ObjectRef, Snapshot, Verdict, dig
from seatrial.readiness.rules.reading import condition_of, count, reached, told

__all__ = ["autoscaler", "definition", "disruption_budget", "namespace"]


def namespace(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    phase = str(dig(obj, "status", "phase", default="?"))
    if phase == "Active":
        return Verdict.satisfied("Active", "Phase: Active", object=ref)
    return Verdict.waiting("NotActive", f"Phase: {phase}", object=ref)


def definition(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    """A CustomResourceDefinition: established, which it never is under names that are taken."""
    accepted = condition_of(obj, "NamesAccepted")
    if accepted.get("status") == "False":
        return Verdict.impossible("NamesNotAccepted", told(accepted), object=ref)
    established = condition_of(obj, "Established")
    if established.get("status") == "True":
        return Verdict.satisfied("Established", told(established), object=ref)
    message = told(established) if established else "Established: not yet"
    return Verdict.waiting("NotEstablished", message, object=ref)


def autoscaler(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    """It finds what it scales (AbleToScale) and the metrics to go by (ScalingActive)."""
    able, active = condition_of(obj, "AbleToScale"), condition_of(obj, "ScalingActive")
    if able and able.get("status") != "True":
        return Verdict.waiting("NotAbleToScale", told(able), object=ref)
    if active.get("status") == "True":
        have = count(obj, "status", "currentReplicas")
        want = count(obj, "status", "desiredReplicas")
        message = f"ScalingActive is True, Replicas: {have}, and {want} desired"
        return Verdict.satisfied("ScalingActive", message, object=ref)
    if active.get("reason") == "ScalingDisabled":
        # somebody has scaled the target to nothing; the autoscaler leaves it at that
        return Verdict.satisfied("ScalingDisabled", told(active), object=ref)
    message = told(active) if active else "ScalingActive: not known yet"
    return Verdict.waiting("ScalingInactive", message, object=ref)


def disruption_budget(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    healthy = count(obj, "status", "currentHealthy")
    return reached("Healthy", healthy, count(obj, "status", "desiredHealthy"), ref)
