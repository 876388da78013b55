"""Status: how far one object is, as a pure function of a snapshot.

`observedGeneration` comes first: a status that was written for an older specification says nothing
about this one. Then the rule of the kind decides; a kind of which there is none is judged by its
conditions, and one without conditions is ready when it exists.
"""

from __future__ import annotations

from seatrial.core.model import Object, ObjectRef, Snapshot, Verdict, dig
from seatrial.readiness.rules import control, network, pods, storage, workloads
from seatrial.readiness.rules.generic import any_kind
from seatrial.readiness.rules.reading import Rule, count
from seatrial.readiness.wording import listed

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
    rule = _rule(obj)
    if observed is None and rule in _ALWAYS_OBSERVED:
        observed = 0
    if observed is not None and int(observed) < generation:
        message = f"Generation: {observed}/{generation} seen by its controller"
        return Verdict.waiting("NotObserved", message, object=ref)
    return rule(obj, ref, snapshot)


def _absent(ref: ObjectRef, snapshot: Snapshot) -> Verdict:
    where = f" in namespace {ref.namespace}" if ref.namespace else ""
    names = [str(dig(o, "metadata", "name")) for o in snapshot.all(ref.kind, ref.namespace)]
    there = f"; there is {listed(names)}" if names else ""
    return Verdict.waiting("NotFound", f"no such {ref.kind}{where}{there}", object=ref)


#: by kind: the API group, and the rule
_RULES: dict[str, tuple[str, Rule]] = {
    "CronJob": ("batch", pods.cron_job),
    "CustomResourceDefinition": ("apiextensions.k8s.io", control.definition),
    "DaemonSet": ("apps", workloads.daemon_set),
    "Deployment": ("apps", workloads.deployment),
    "HorizontalPodAutoscaler": ("autoscaling", control.autoscaler),
    "Ingress": ("networking.k8s.io", network.ingress),
    "Job": ("batch", pods.job),
    "Namespace": ("", control.namespace),
    "PersistentVolume": ("", storage.volume),
    "PersistentVolumeClaim": ("", storage.claim),
    "Pod": ("", pods.pod),
    "PodDisruptionBudget": ("policy", control.disruption_budget),
    "ReplicaSet": ("apps", workloads.replica_set),
    "ReplicationController": ("", workloads.replica_set),
    "Service": ("", network.service),
    "StatefulSet": ("apps", workloads.stateful_set),
}
#: the controllers of their kinds always write `observedGeneration`; without it none has looked yet
_ALWAYS_OBSERVED = (
    control.disruption_budget,
    workloads.daemon_set,
    workloads.deployment,
    workloads.replica_set,
    workloads.stateful_set,
)


def _rule(obj: Object) -> Rule:
    """Kinds of the same name in another group (a Service of Knative) have other statuses."""
    group, rule = _RULES.get(dig(obj, "kind", default=""), ("", any_kind))
    version = str(dig(obj, "apiVersion", default=""))
    return rule if not version or version.rpartition("/")[0] == group else any_kind


#: counters that grow while an object becomes ready
_COUNTERS = (
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "updatedNumberScheduled",
    "numberReady",
    "numberAvailable",
    "succeeded",
    "currentHealthy",
)
#: conditions that come true one after another on the way to being ready
_STEPS = frozenset(
    {"PodScheduled", "Initialized", "ContainersReady", "Ready", "Available", "Established"}
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
        return 1 + network.endpoints(snapshot, obj)[0]
    conditions = dig(obj, "status", "conditions", default=[])
    containers = dig(obj, "status", "containerStatuses", default=[])
    return (
        1
        + sum(count(obj, "status", counter) for counter in _COUNTERS)
        + sum(1 for condition in conditions if _is_step(condition))
        + sum(1 for container in containers if container.get("ready"))
        + int(dig(obj, "status", "phase", default="") == "Bound")
    )


def _is_step(condition: Object) -> bool:
    return condition.get("status") == "True" and condition.get("type") in _STEPS
