"""Any other kind, by what its conditions say: the rules of kstatus (sigs.k8s.io/cli-utils)."""

from __future__ import annotations

from seatrial.core.model import Object, ObjectRef, Snapshot, Verdict, dig
from seatrial.readiness.rules.reading import condition_of, told

__all__ = ["any_kind"]


def any_kind(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    """Kinds without rules of their own: what their conditions say, or else that they exist."""
    generation = dig(obj, "metadata", "generation", default=0)
    for condition in dig(obj, "status", "conditions", default=[]):
        if condition.get("observedGeneration", generation) < generation:
            message = f"{condition.get('type')} was judged on an older generation"
            return Verdict.waiting("NotObserved", message, object=ref)
    stalled, reconciling = condition_of(obj, "Stalled"), condition_of(obj, "Reconciling")
    if stalled.get("status") == "True":
        return Verdict.impossible("Stalled", told(stalled), object=ref)
    if reconciling.get("status") == "True":
        return Verdict.waiting("Reconciling", told(reconciling), object=ref)
    present = [c for kind in ("Ready", "Available") if (c := condition_of(obj, kind))]
    for condition in present:
        if condition.get("status") != "True":
            return Verdict.waiting(f"Not{condition['type']}", told(condition), object=ref)
    if present:
        return Verdict.satisfied(str(present[0]["type"]), told(present[0]), object=ref)
    return Verdict.satisfied("Exists", "it exists", object=ref)
