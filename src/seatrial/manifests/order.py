"""In which order objects are applied, so that what one needs is there before it."""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.manifests.documents import Manifest

__all__ = ["in_deletion_order", "in_order"]

# A pod that starts before its ConfigMap fails once and has an event that no test expects; a Service
# before its pods gives them its environment variables. Kinds that are not named (custom resources
# most of all) come after the workloads, for whose controllers they are; webhooks come last, since
# they would intercept all the others while what serves them is not up yet.
_RANKS: tuple[tuple[str, ...], ...] = (
    ("Namespace",),
    ("PriorityClass", "RuntimeClass", "StorageClass", "IngressClass"),
    ("CustomResourceDefinition",),
    ("ServiceAccount",),
    ("ClusterRole", "Role"),
    ("ClusterRoleBinding", "RoleBinding"),
    ("NetworkPolicy", "ResourceQuota", "LimitRange"),
    ("ConfigMap", "Secret"),
    ("PersistentVolume", "PersistentVolumeClaim"),
    ("Service",),
    ("DaemonSet", "Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"),
    ("Pod", "Job", "CronJob"),
    ("",),  # every other kind
    ("PodDisruptionBudget", "HorizontalPodAutoscaler", "Ingress"),
    ("APIService", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
)
_RANK = {kind: rank for rank, kinds in enumerate(_RANKS) for kind in kinds}


def in_order(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """The manifests in the order to apply them; within a rank as they were given."""
    return tuple(sorted(manifests, key=lambda each: _RANK.get(each.kind, _RANK[""])))


def in_deletion_order(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """The manifests in the order to delete them."""
    return tuple(reversed(in_order(manifests)))
