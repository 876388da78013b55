"""What keeps pods running: Deployment, ReplicaSet, ReplicationController, StatefulSet, DaemonSet.

The rules are those of `kubectl rollout status`, and of kstatus where that has none.
"""

from __future__ import annotations

from seatrial.core.model import Object, ObjectRef, Snapshot, Verdict, dig
from seatrial.readiness.rules.reading import (
    condition_of,
    count,
    first_waiting,
    reached,
    replicas,
    told,
)
from seatrial.readiness.wording import one_line

__all__ = ["daemon_set", "deployment", "replica_set", "stateful_set"]


def deployment(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    progressing = condition_of(obj, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Verdict.impossible(
            "ProgressDeadlineExceeded",
            one_line(str(progressing.get("message", "")) or "it exceeded its progress deadline"),
            object=ref,
        )
    updated = count(obj, "status", "updatedReplicas")
    if updated < replicas(obj) and dig(obj, "spec", "paused"):
        message = f"Updated: {updated}/{replicas(obj)}, and the rollout is paused"
        return Verdict.waiting("Paused", message, object=ref)
    return first_waiting(
        reached("Updated", updated, replicas(obj), ref),
        _old_gone(count(obj, "status", "replicas") - updated, ref),
        reached("Available", count(obj, "status", "availableReplicas"), updated, ref),
    )


def _old_gone(old: int, ref: ObjectRef) -> Verdict:
    if old > 0:
        return Verdict.waiting("Replacing", f"Old replicas: {old} still to go", object=ref)
    return Verdict.satisfied("Replacing", "Old replicas: 0", object=ref)


def replica_set(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    """A ReplicaSet or a ReplicationController."""
    failure = condition_of(obj, "ReplicaFailure")
    if failure.get("status") == "True":
        return Verdict.waiting("ReplicaFailure", told(failure), object=ref)
    wanted = replicas(obj)
    return first_waiting(
        _old_gone(count(obj, "status", "replicas") - wanted, ref),
        reached("Available", count(obj, "status", "availableReplicas"), wanted, ref),
    )


def stateful_set(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    """Ready pods count, or available ones where `minReadySeconds` makes a difference."""
    wanted = replicas(obj)
    slow = count(obj, "spec", "minReadySeconds") > 0
    word, counter = ("Available", "availableReplicas") if slow else ("Ready", "readyReplicas")
    steps = [reached(word, count(obj, "status", counter), wanted, ref)]
    if dig(obj, "spec", "updateStrategy", "type", default="RollingUpdate") != "OnDelete":
        kept = count(obj, "spec", "updateStrategy", "rollingUpdate", "partition")
        updated = count(obj, "status", "updatedReplicas")
        steps.append(reached("Updated", updated, max(wanted - kept, 0), ref))
    surplus = _old_gone(count(obj, "status", "replicas") - wanted, ref)
    return first_waiting(*steps, surplus, steps[0])


def daemon_set(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    wanted = count(obj, "status", "desiredNumberScheduled")
    available = reached("Available", count(obj, "status", "numberAvailable"), wanted, ref)
    if dig(obj, "spec", "updateStrategy", "type", default="RollingUpdate") == "OnDelete":
        return available
    updated = count(obj, "status", "updatedNumberScheduled")
    return first_waiting(reached("Updated", updated, wanted, ref), available)
