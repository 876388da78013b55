"""By which key Kubernetes merges the lists of its own kinds (`x-kubernetes-patch-merge-key`).

A table, rather than what a cluster's OpenAPI publishes, so that a patch means the same before there
is a cluster, on every cluster and of every version. It can be one, since a key that was published
is part of the stable API. The end-to-end tests compare it with what a real API server publishes.
Custom resources have no such keys: the lists of a kind that is not here are replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seatrial.core.model import Object

__all__ = ["merge_key"]

#: instead of a key, for a list of plain values whose entries are added to what is there
VALUES = ""

_CONTAINER = {
    "env": "name",
    "ports": "containerPort",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
}

_POD_SPEC: Mapping[str, str] = {
    "containers": "name",
    "ephemeralContainers": "name",
    "evictionResponders": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "resourceClaims": "name",
    "schedulingGates": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumes": "name",
    **{
        f"{containers}.{field}": key
        for containers in ("containers", "ephemeralContainers", "initContainers")
        for field, key in _CONTAINER.items()
    },
}


def _below(path: str, fields: Mapping[str, str]) -> dict[str, str]:
    return {f"{path}.{field}": key for field, key in fields.items()}


_TEMPLATE = _below("spec.template.spec", _POD_SPEC)
_JOB = {**_TEMPLATE, "spec.scheduling.resourceClaims": "name"}

#: by group and kind, the lists by their paths
_KINDS: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("", "Pod"): _below("spec", _POD_SPEC),
    ("", "PodTemplate"): _below("template.spec", _POD_SPEC),
    ("", "ReplicationController"): _TEMPLATE,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("batch", "Job"): _JOB,
    ("batch", "CronJob"): _below("spec.jobTemplate", _JOB),
    ("", "Node"): {"spec.podCIDRs": VALUES},
    ("", "Service"): {"spec.ports": "port"},
    ("", "ServiceAccount"): {"secrets": "name"},
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"): {"spec.matchConditions": "name"},
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): {
        "webhooks": "name",
        "webhooks.matchConditions": "name",
    },
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): {
        "spec.matchConditions": "name",
        "spec.variables": "name",
    },
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): {
        "webhooks": "name",
        "webhooks.matchConditions": "name",
    },
    ("storage.k8s.io", "CSINode"): {"spec.drivers": "name"},
}

#: in the metadata of every object, and of every template of one
_METADATA = {"finalizers": VALUES, "ownerReferences": "uid"}


def merge_key(obj: Object, path: Sequence[str]) -> str | None:
    """The key by which the list at `path` (keys only, no indexes) of an object is merged.

    `VALUES` for a list of plain values that is added to; None for a list that is replaced.
    """
    group = str(obj["apiVersion"]).rpartition("/")[0]
    if path[-2:-1] == ["metadata"] and path[-1] in _METADATA:
        return _METADATA[path[-1]]
    return _KINDS.get((group, str(obj["kind"])), {}).get(".".join(path))
