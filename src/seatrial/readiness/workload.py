"""From the object that is waited for down to the pods that decide about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from seatrial.core.model import Object, ObjectRef, Snapshot, dig
from seatrial.readiness.pods import PodView

__all__ = ["Workload", "newest_replica_set"]

#: the deployment controller numbers its ReplicaSets with it, and itself with the newest number
REVISION = "deployment.kubernetes.io/revision"
#: the API server numbers the templates of a DaemonSet with it, and its controller the pods
TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


@dataclass(frozen=True)
class Workload:
    """What stands between a root object and its readiness."""

    snapshot: Snapshot
    root: ObjectRef
    object: Object
    """The root itself."""
    controller: Object | None
    """Who creates the pods: a Deployment's newest ReplicaSet, or the root; None if nobody does."""
    pods: tuple[PodView, ...]
    """The pods that count; those of older ReplicaSets and those being deleted do not."""

    @classmethod
    def of(cls, snapshot: Snapshot, root: ObjectRef) -> Workload | None:
        """The workload under `root`, or None if that is not there."""
        obj = snapshot.get(root.kind, root.name, root.namespace)
        if obj is None:
            return None
        root = ObjectRef.of(obj)
        controller: Object | None = None
        if root.kind == "Pod":
            pods = [obj]
        elif root.kind == "Service":
            pods = _selected(snapshot, obj)
        else:
            controller = newest_replica_set(snapshot, obj) if root.kind == "Deployment" else obj
            uid = dig(controller, "metadata", "uid", default="")
            pods = list(snapshot.owned_by(uid, "Pod")) if uid else []
        alive = [pod for pod in pods if not dig(pod, "metadata", "deletionTimestamp")]
        return cls(
            snapshot, root, obj, controller, tuple(PodView(snapshot, p, root) for p in alive)
        )

    @property
    def current(self) -> Workload:
        """The same without pods of an older template, which say nothing about the newest.

        A Service goes on selecting those that a rollout has yet to replace; a DaemonSet has them
        for a moment. What is wrong with them may be what the rollout is to mend.
        """
        if self.root.kind not in ("Service", "DaemonSet", "StatefulSet"):
            return self
        pods = tuple(pod for pod in self.pods if not _is_outdated(pod))
        return replace(self, pods=pods)

    @property
    def about(self) -> frozenset[ObjectRef]:
        """Every object in it, for telling its events from others'."""
        refs = {self.root, *(pod.ref for pod in self.pods)}
        if self.controller is not None:
            refs.add(ObjectRef.of(self.controller))
        return frozenset(refs)


def _is_outdated(pod: PodView) -> bool:
    """Whether its controller has a newer template, or has not looked at one that may be newer."""
    owner = pod.owner
    controller = owner and pod.snapshot.get(owner.kind, owner.name, owner.namespace)
    if not controller or dig(controller, "metadata", "uid", default="") != pod.owner_uid:
        return False
    for upper in dig(controller, "metadata", "ownerReferences", default=[]):
        above = pod.snapshot.get("Deployment", upper.get("name", ""), pod.namespace)
        if above is not None and upper.get("kind") == "Deployment":
            newest = newest_replica_set(pod.snapshot, above)
            return str(dig(newest, "metadata", "uid")) != pod.owner_uid
    wanted = dig(controller, "metadata", "annotations", TEMPLATE_GENERATION)
    mine = dig(pod.object, "metadata", "labels", "pod-template-generation")
    if wanted and mine and wanted != mine:
        return True
    observed = dig(controller, "status", "observedGeneration")
    generation = int(dig(controller, "metadata", "generation", default=0))
    return observed is not None and int(observed) < generation


def newest_replica_set(snapshot: Snapshot, deployment: Object) -> Object | None:
    """The ReplicaSet of the Deployment's present revision.

    None as long as it has not been seen: then those that were seen belong to an older template,
    and say nothing about this one.
    """
    observed = dig(deployment, "status", "observedGeneration", default=0)
    if observed < dig(deployment, "metadata", "generation", default=0):
        return None
    uid = dig(deployment, "metadata", "uid", default="")
    owned = list(snapshot.owned_by(uid, "ReplicaSet")) if uid else []
    newest = max(owned, key=_revision, default=None)
    if newest is None or _revision(newest) < _revision(deployment):
        return None
    return newest


def _revision(obj: Object) -> int:
    revision = str(dig(obj, "metadata", "annotations", REVISION, default=""))
    return int(revision) if revision.isdigit() else 0


def _selected(snapshot: Snapshot, service: Object) -> list[Object]:
    selector = dig(service, "spec", "selector", default={})
    namespace = dig(service, "metadata", "namespace", default="")
    if not selector:
        return []
    return [
        pod
        for pod in snapshot.all("Pod", namespace)
        if selector.items() <= dig(pod, "metadata", "labels", default={}).items()
    ]
