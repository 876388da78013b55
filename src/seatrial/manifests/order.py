"""In which order objects are applied, so that what one needs is there before it."""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.manifests.documents import Manifest

__all__ = ["in_deletion_order", "in_order"]

# A pod that starts before its ConfigMap fails once and has an event that no test expects; a Service
# before its pods gives them its environment variables. Kinds that are not named (custom resources
# most of all) come after the workloads, for whose controllers they are; webhooks and policies come
# last, since they would intercept all the others while what serves them is not up yet.
_RANKS: tuple[tuple[str, ...], ...] = (
    ("Namespace",),
    (
        "CSIDriver",
        "DeviceClass",
        "FlowSchema",
        "IngressClass",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "RuntimeClass",
        "StorageClass",
        "VolumeAttributesClass",
    ),
    ("CustomResourceDefinition",),
    ("ServiceAccount",),
    ("ClusterRole", "Role"),
    ("ClusterRoleBinding", "RoleBinding"),
    ("NetworkPolicy", "ResourceQuota", "LimitRange"),
    ("ConfigMap", "Secret"),
    ("PersistentVolume", "PersistentVolumeClaim", "ResourceClaim", "ResourceClaimTemplate"),
    ("Service",),
    ("Endpoints", "EndpointSlice", "PodTemplate"),
    ("DaemonSet", "Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"),
    ("Pod", "Job", "CronJob"),
    ("",),  # every other kind
    ("PodDisruptionBudget", "HorizontalPodAutoscaler", "Ingress"),
    (
        "APIService",
        "MutatingAdmissionPolicy",
        "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingWebhookConfiguration",
    ),
    ("MutatingAdmissionPolicyBinding", "ValidatingAdmissionPolicyBinding"),
)
_RANK = {kind: rank for rank, kinds in enumerate(_RANKS) for kind in kinds}

#: groups of Kubernetes' own without a dot in their names; the others end in `.k8s.io`
_OWN_GROUPS = ("", "apps", "autoscaling", "batch", "extensions", "policy")


def is_custom(manifest: Manifest) -> bool:
    """Whether it is of a kind that is not Kubernetes' own, as far as its name and group tell.

    A `Service` of `serving.knative.dev` is custom, and so is a kind of `.k8s.io` that is not named
    in the order.
    """
    group = manifest.api_version.rpartition("/")[0]
    if manifest.kind not in _RANK:
        return group not in _OWN_GROUPS
    return group not in _OWN_GROUPS and not group.endswith(".k8s.io")


def _rank(manifest: Manifest) -> int:
    return _RANK[""] if is_custom(manifest) else _RANK.get(manifest.kind, _RANK[""])


def in_order(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """The manifests in the order to apply them; within a rank as they were given."""
    return tuple(sorted(manifests, key=_rank))


def in_deletion_order(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """The manifests in the order to delete them."""
    return tuple(reversed(in_order(manifests)))
