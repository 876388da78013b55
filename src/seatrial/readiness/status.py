"""Status: how far one object is, as a pure function of a snapshot.

The rules are those of `kubectl rollout status` for Deployments, StatefulSets and DaemonSets, and of
kstatus (sigs.k8s.io/cli-utils) for kinds that are not known here. `observedGeneration` comes first:
a status that was written for an older specification says nothing about this one.
"""

from __future__ import annotations

from collections.abc import Callable

from seatrial.core.model import Object, ObjectRef, Snapshot, State, Verdict, dig
from seatrial.readiness.wording import listed, one_line

__all__ = ["advance", "status"]


def status(obj: Object | ObjectRef, snapshot: Snapshot) -> Verdict:
    """Whether the object is ready.

    A reference is looked up in the snapshot; what is not there is waited for. The message has the
    progress in it (`Available: 0/1`), and is about `Verdict.object`.
    """
    if isinstance(obj, ObjectRef):
        found = snapshot.get(obj.kind, obj.name, obj.namespace)
        if found is None:
            return _absent(obj, snapshot)
        obj = found
    ref = ObjectRef.of(obj)
    if dig(obj, "metadata", "deletionTimestamp"):
        return Verdict.waiting("Terminating", "it is being deleted", object=ref)
    generation = int(dig(obj, "metadata", "generation", default=0))
    observed = dig(obj, "status", "observedGeneration")
    if observed is None and ref.kind in _WITH_GENERATION:
        observed = 0
    if observed is not None and int(observed) < generation:
        message = f"Generation: {observed}/{generation} seen by its controller"
        return Verdict.waiting("NotObserved", message, object=ref)
    return _RULES.get(ref.kind, _any)(obj, ref, snapshot)


def _absent(ref: ObjectRef, snapshot: Snapshot) -> Verdict:
    where = f" in namespace {ref.namespace}" if ref.namespace else ""
    names = [str(dig(o, "metadata", "name")) for o in snapshot.all(ref.kind, ref.namespace)]
    there = f"; there is {listed(names)}" if names else ""
    return Verdict.waiting("NotFound", f"no such {ref.kind}{where}{there}", object=ref)


def _count(obj: Object, *path: str) -> int:
    return int(dig(obj, *path, default=0))


def _replicas(obj: Object) -> int:
    return int(dig(obj, "spec", "replicas", default=1))


def _condition(obj: Object, kind: str) -> Object:
    for condition in dig(obj, "status", "conditions", default=[]):
        if condition.get("type") == kind:
            found: Object = condition
            return found
    return {}


def _told(condition: Object) -> str:
    """`Ready is False: ContainersNotReady: containers with unready status: [web]`."""
    parts = [
        f"{condition.get('type')} is {condition.get('status')}",
        condition.get("reason"),
        condition.get("message"),
    ]
    return one_line(": ".join(str(part) for part in parts if part))


def _reached(reason: str, have: int, want: int, ref: ObjectRef) -> Verdict:
    """Waiting until `have` is `want`; satisfied then."""
    message = f"{reason}: {have}/{want}"
    if have < want:
        return Verdict.waiting(reason, message, object=ref)
    return Verdict.satisfied(reason, message, object=ref)


def _first_waiting(*verdicts: Verdict) -> Verdict:
    """The first that is not satisfied, or else the last."""
    return next((v for v in verdicts if v.state is not State.SATISFIED), verdicts[-1])


def _deployment(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    progressing = _condition(obj, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Verdict.impossible(
            "ProgressDeadlineExceeded",
            one_line(str(progressing.get("message", "")) or "it exceeded its progress deadline"),
            object=ref,
        )
    updated = _count(obj, "status", "updatedReplicas")
    available = _count(obj, "status", "availableReplicas")
    if updated < _replicas(obj) and dig(obj, "spec", "paused"):
        message = f"Updated: {updated}/{_replicas(obj)}, and the rollout is paused"
        return Verdict.waiting("Paused", message, object=ref)
    return _first_waiting(
        _reached("Updated", updated, _replicas(obj), ref),
        _old_gone(_count(obj, "status", "replicas") - updated, ref),
        _reached("Available", available, updated, ref),
    )


def _old_gone(old: int, ref: ObjectRef) -> Verdict:
    if old > 0:
        return Verdict.waiting("Replacing", f"Old replicas: {old} still to go", object=ref)
    return Verdict.satisfied("Replacing", "Old replicas: 0", object=ref)


def _replica_set(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    failure = _condition(obj, "ReplicaFailure")
    if failure.get("status") == "True":
        return Verdict.waiting("ReplicaFailure", _told(failure), object=ref)
    wanted = _replicas(obj)
    return _first_waiting(
        _old_gone(_count(obj, "status", "replicas") - wanted, ref),
        _reached("Available", _count(obj, "status", "availableReplicas"), wanted, ref),
    )


def _stateful_set(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    wanted = _replicas(obj)
    ready = _reached("Ready", _count(obj, "status", "readyReplicas"), wanted, ref)
    if dig(obj, "spec", "updateStrategy", "type", default="RollingUpdate") == "OnDelete":
        return ready
    kept = _count(obj, "spec", "updateStrategy", "rollingUpdate", "partition")
    updated = _reached("Updated", _count(obj, "status", "updatedReplicas"), wanted - kept, ref)
    return ready if updated.state is State.SATISFIED else _first_waiting(ready, updated)


def _daemon_set(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    wanted = _count(obj, "status", "desiredNumberScheduled")
    available = _reached("Available", _count(obj, "status", "numberAvailable"), wanted, ref)
    if dig(obj, "spec", "updateStrategy", "type", default="RollingUpdate") == "OnDelete":
        return available
    updated = _count(obj, "status", "updatedNumberScheduled")
    return _first_waiting(_reached("Updated", updated, wanted, ref), available)


def _pod(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    phase = str(dig(obj, "status", "phase", default="Pending"))
    if phase == "Failed":
        said = [dig(obj, "status", field) for field in ("reason", "message")]
        text = one_line(": ".join(["the pod has failed", *(part for part in said if part)]))
        return Verdict.impossible("PodFailed", text, object=ref)
    if phase == "Succeeded":
        if dig(obj, "spec", "restartPolicy", default="Always") == "Always":
            return Verdict.impossible("PodEnded", "the pod has ended, for good", object=ref)
        return Verdict.satisfied("Succeeded", "the pod has ended well", object=ref)
    containers = dig(obj, "status", "containerStatuses", default=[])
    total = max(len(dig(obj, "spec", "containers", default=[])), len(containers))
    ready = sum(1 for container in containers if container.get("ready"))
    progress = f"Ready: {ready}/{total}"
    if _condition(obj, "Ready").get("status") == "True":
        return Verdict.satisfied("Ready", progress, object=ref)
    return Verdict.waiting("NotReady", f"{progress}{_pod_stage(obj)}", object=ref)


def _pod_stage(obj: Object) -> str:
    """Which step of its life the pod has not taken yet."""
    if _condition(obj, "PodScheduled").get("status") != "True":
        return ", not scheduled yet"
    inits = dig(obj, "status", "initContainerStatuses", default=[])
    if _condition(obj, "Initialized").get("status") == "False" and inits:
        done = sum(
            1
            for status in inits
            if status.get("started") or dig(status, "state", "terminated", "exitCode") == 0
        )
        return f", init containers: {done}/{len(inits)}"
    waiting = {
        str(dig(status, "state", "waiting", "reason"))
        for status in dig(obj, "status", "containerStatuses", default=[])
        if dig(status, "state", "waiting", "reason")
    }
    if waiting:
        return f", {listed(sorted(waiting))}"
    if _condition(obj, "ContainersReady").get("status") == "True":
        gates = [
            gate.get("conditionType") for gate in dig(obj, "spec", "readinessGates", default=[])
        ]
        missing = [g for g in gates if _condition(obj, str(g)).get("status") != "True"]
        return (
            f", readiness gates not passed: {listed([str(g) for g in missing])}" if missing else ""
        )
    return ""


def _service(obj: Object, ref: ObjectRef, snapshot: Snapshot) -> Verdict:
    """Ready endpoints are asked for only where EndpointSlices are watched at all."""
    slices = list(snapshot.all("EndpointSlice"))
    if not dig(obj, "spec", "selector") or dig(obj, "spec", "type") == "ExternalName":
        return Verdict.satisfied("Exists", "it exists, and selects no pods", object=ref)
    if not slices:
        message = "it exists (no EndpointSlice is watched)"
        return Verdict.satisfied("Exists", message, object=ref)
    ready, total = _endpoints(snapshot, ref)
    message = f"Endpoints: {ready}/{total} ready" if total else "Endpoints: none yet"
    if ready:
        return Verdict.satisfied("HasEndpoints", message, object=ref)
    return Verdict.waiting("NoEndpoints", message, object=ref)


def _endpoints(snapshot: Snapshot, service: ObjectRef) -> tuple[int, int]:
    """How many endpoints are ready, of how many; by the API an unknown `ready` counts as ready."""
    endpoints = [
        endpoint
        for piece in snapshot.all("EndpointSlice", service.namespace)
        if dig(piece, "metadata", "labels", "kubernetes.io/service-name") == service.name
        for endpoint in dig(piece, "endpoints", default=[])
    ]
    ready = [e for e in endpoints if dig(e, "conditions", "ready", default=True)]
    return len(ready), len(endpoints)


def _namespace(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    phase = str(dig(obj, "status", "phase", default="?"))
    if phase == "Active":
        return Verdict.satisfied("Active", "Phase: Active", object=ref)
    return Verdict.waiting("NotActive", f"Phase: {phase}", object=ref)


def _job(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    for kind in ("Failed", "FailureTarget"):
        failed = _condition(obj, kind)
        if failed.get("status") == "True":
            return Verdict.impossible("JobFailed", _told(failed), object=ref)
    succeeded = _count(obj, "status", "succeeded")
    wanted = int(dig(obj, "spec", "completions", default=1))
    if _condition(obj, "Complete").get("status") == "True":
        return Verdict.satisfied("Complete", f"Succeeded: {succeeded}/{wanted}", object=ref)
    return Verdict.waiting("NotComplete", f"Succeeded: {succeeded}/{wanted}", object=ref)


def _any(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    """Kinds without rules of their own: what their conditions say, or else that they exist."""
    generation = dig(obj, "metadata", "generation", default=0)
    for condition in dig(obj, "status", "conditions", default=[]):
        if condition.get("observedGeneration", generation) < generation:
            message = f"{condition.get('type')} was judged on an older generation"
            return Verdict.waiting("NotObserved", message, object=ref)
    stalled, reconciling = _condition(obj, "Stalled"), _condition(obj, "Reconciling")
    if stalled.get("status") == "True":
        return Verdict.impossible("Stalled", _told(stalled), object=ref)
    if reconciling.get("status") == "True":
        return Verdict.waiting("Reconciling", _told(reconciling), object=ref)
    present = [c for kind in ("Ready", "Available") if (c := _condition(obj, kind))]
    for condition in present:
        if condition.get("status") != "True":
            return Verdict.waiting(f"Not{condition['type']}", _told(condition), object=ref)
    if present:
        return Verdict.satisfied(str(present[0]["type"]), _told(present[0]), object=ref)
    return Verdict.satisfied("Exists", "it exists", object=ref)


_RULES: dict[str, Callable[[Object, ObjectRef, Snapshot], Verdict]] = {
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "Job": _job,
    "Namespace": _namespace,
    "Pod": _pod,
    "ReplicaSet": _replica_set,
    "Service": _service,
    "StatefulSet": _stateful_set,
}
#: their controllers always write `observedGeneration`; without it none has looked yet
_WITH_GENERATION = frozenset({"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"})

#: counters that grow while an object becomes ready
_COUNTERS = (
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "updatedNumberScheduled",
    "numberReady",
    "numberAvailable",
    "succeeded",
)


def advance(obj: Object | ObjectRef, snapshot: Snapshot) -> int:
    """How far the object is, as a number that is only good for comparing with an earlier one."""
    if isinstance(obj, ObjectRef):
        found = snapshot.get(obj.kind, obj.name, obj.namespace)
        if found is None:
            return 0
        obj = found
    ref = ObjectRef.of(obj)
    if ref.kind == "Service":
        return 1 + _endpoints(snapshot, ref)[0]
    conditions = dig(obj, "status", "conditions", default=[])
    containers = dig(obj, "status", "containerStatuses", default=[])
    return (
        1
        + sum(_count(obj, "status", counter) for counter in _COUNTERS)
        + sum(1 for condition in conditions if _is_step(condition))
        + sum(1 for container in containers if container.get("ready"))
    )


def _is_step(condition: Object) -> bool:
    return condition.get("status") == "True" and condition.get("type") in _STEPS


#: conditions that come true one after another on the way to being ready
_STEPS = frozenset({"PodScheduled", "Initialized", "ContainersReady", "Ready", "Available"})
