"""What all rules read an object with."""

from __future__ import annotations

from collections.abc import Callable

from seatrial.core.model import Object, ObjectRef, Snapshot, State, Verdict, dig
from seatrial.readiness.wording import one_line

__all__ = ["Rule", "condition_of", "count", "first_waiting", "reached", "replicas", "told"]

Rule = Callable[[Object, ObjectRef, Snapshot], Verdict]


def count(obj: Object, *path: str) -> int:
    """The number at that path; a status leaves out what is 0."""
    return int(dig(obj, *path, default=0))


def replicas(obj: Object) -> int:
    return int(dig(obj, "spec", "replicas", default=1))


def condition_of(obj: Object, kind: str) -> Object:
    """The status condition of that type; empty if there is none."""
    for condition in dig(obj, "status", "conditions", default=[]):
        if condition.get("type") == kind:
            found: Object = condition
            return found
    return {}


def told(condition: Object) -> str:
    """`Ready is False: ContainersNotReady: containers with unready status: [web]`."""
    parts = [
        f"{condition.get('type')} is {condition.get('status')}",
        condition.get("reason"),
        condition.get("message"),
    ]
    return one_line(": ".join(str(part) for part in parts if part))


def reached(reason: str, have: int, want: int, ref: ObjectRef) -> Verdict:
    """Waiting until `have` is `want`; satisfied then."""
    message = f"{reason}: {have}/{want}"
    if have < want:
        return Verdict.waiting(reason, message, object=ref)
    return Verdict.satisfied(reason, message, object=ref)


def first_waiting(*verdicts: Verdict) -> Verdict:
    """The first that is not satisfied, or else the last."""
    return next((v for v in verdicts if v.state is not State.SATISFIED), verdicts[-1])
