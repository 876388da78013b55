"""The rights that seatrial needs on a cluster which is not its own, and the roles that give them.

Two roles, so that an account need not see other people's namespaces. `seatrial` holds in all of
the cluster: making and deleting namespaces, and giving oneself the other role in them.
`seatrial-namespace` holds in the namespaces of tests alone: seatrial binds it in each that it
makes. Whoever gives an account the second role in all of the cluster needs no binding.

`tests/unit/cluster/test_cluster_rights.py` compares these lists with what the code asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from seatrial.kube import Resource, Right

__all__ = [
    "BINDING",
    "CLUSTER_ROLE",
    "EVERYWHERE",
    "IN_NAMESPACES",
    "NAMESPACE_ROLE",
    "NODES",
    "PULLING",
    "SECRETS",
    "access_manifests",
    "binding",
    "manifest_rights",
    "rules",
]

CLUSTER_ROLE = "seatrial"
NAMESPACE_ROLE = "seatrial-namespace"

#: what the names of service accounts begin with ("Authenticating" in Kubernetes' documentation)
SERVICE_ACCOUNT = "system:serviceaccount:"
RBAC = "rbac.authorization.k8s.io"
_WATCHING = ("list", "watch")

#: verbs for the objects of manifests: apply asks whether one is there, and patches or creates it
APPLYING = ("get", "create", "patch")
#: and for `release.delete()`
DELETING = ("delete",)


def _rights(group: str, resource: str, *verbs: str, name: str = "") -> tuple[Right, ...]:
    return tuple(Right(group, resource, verb, name) for verb in verbs)


#: what lives in no namespace
EVERYWHERE = _rights("", "namespaces", "create", "get", "delete")

#: seatrial gives itself the role in each namespace that it makes; it looks into the role first
BINDING = (
    *_rights(RBAC, "rolebindings", "create"),
    *_rights(RBAC, "clusterroles", "bind", "get", name=NAMESPACE_ROLE),
)

#: in the namespaces of tests
IN_NAMESPACES = (
    *_rights("", "configmaps", "get", *_WATCHING),
    *_rights("", "events", *_WATCHING),
    *_rights("", "pods", "get", *_WATCHING),
    *_rights("", "pods/log", "get"),
    *_rights("", "pods/portforward", "create"),
    *_rights("", "serviceaccounts", *_WATCHING),
    *_rights("", "services", "get", *_WATCHING),
    *_rights("apps", "deployments", *_WATCHING),
    *_rights("apps", "replicasets", *_WATCHING),
    *_rights("discovery.k8s.io", "endpointslices", *_WATCHING),
)

#: does without: only a diagnosis looks at nodes (taints, labels, whether they are ready)
NODES = _rights("", "nodes", *_WATCHING)
#: does without: a diagnosis asks whether a Secret that a pod lacked has come since
SECRETS = _rights("", "secrets", "get")
#: in the namespaces of tests, where a pull secret is to be put into them
PULLING = (*_rights("", "secrets", "create"), *_rights("", "serviceaccounts", "patch"))


def subject(account: str) -> dict[str, str]:
    """An account, by the name that the API server knows it by, as a binding names it."""
    if account.startswith(SERVICE_ACCOUNT):
        namespace, _, name = account.removeprefix(SERVICE_ACCOUNT).partition(":")
        return {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    return {"kind": "User", "name": account, "apiGroup": RBAC}


def binding(role: str, account: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """What gives an account a ClusterRole in the namespace that this is created in."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": role, "labels": dict(labels)},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [subject(account)],
    }


def manifest_rights(resource: Resource, *, deleting: bool = True) -> tuple[Right, ...]:
    """What applying an object of that kind takes, and watching it; Secrets are not watched."""
    verbs = [*APPLYING, *(DELETING if deleting else ())]
    if resource.kind != "Secret" and set(_WATCHING) <= resource.verbs:
        verbs += _WATCHING
    return _rights(resource.group, resource.plural, *verbs)


def rules(rights: Iterable[Right]) -> list[dict[str, Any]]:
    """The rights as rules of a Role; resources of one group with the same verbs share a rule."""
    verbs: dict[tuple[str, str, str], list[str]] = {}
    for right in dict.fromkeys(rights):
        verbs.setdefault((right.group, right.name, right.resource), []).append(right.verb)
    resources: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (group, name, resource), each in sorted(verbs.items()):
        resources.setdefault((group, name, tuple(sorted(each))), []).append(resource)
    made: list[dict[str, Any]] = []
    for (group, name, sharing), names in resources.items():
        rule: Mapping[str, Any] = {"apiGroups": [group], "resources": names}
        made.append({
            **rule, **({"resourceNames": [name]} if name else {}), "verbs": list(sharing),
        })  # fmt: skip
    return made


def access_manifests(
    account: str,
    kinds: Iterable[Resource],
    *,
    nodes: bool = False,
    pull_secret: str = "",
) -> list[dict[str, Any]]:
    """The roles and bindings that let an account test manifests of those kinds, as objects.

    `nodes`: may look at nodes as well, for better diagnoses. `pull_secret`: may read that Secret
    (`namespace/name`) and put it into the namespaces of tests.
    """
    everywhere, inside = [*EVERYWHERE, *BINDING, *(NODES if nodes else ())], [*IN_NAMESPACES]
    for resource in kinds:
        (inside if resource.namespaced else everywhere).extend(manifest_rights(resource))
    if pull_secret:
        inside += PULLING
    whose = subject(account)
    made = [
        _role(CLUSTER_ROLE, everywhere),
        _role(NAMESPACE_ROLE, inside),
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": CLUSTER_ROLE},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": CLUSTER_ROLE},
            "subjects": [whose],
        },
    ]
    if pull_secret:
        namespace, _, name = pull_secret.partition("/")
        reading = _role(f"{CLUSTER_ROLE}-pull-secret", _rights("", "secrets", "get", name=name))
        bound = binding(f"{CLUSTER_ROLE}-pull-secret", account, {})
        reading["kind"] = bound["roleRef"]["kind"] = "Role"
        for each in (reading, bound):
            each["metadata"] = {"name": each["metadata"]["name"], "namespace": namespace}
            made.append(each)
    return made


def _role(name: str, rights: Iterable[Right]) -> dict[str, Any]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": rules(rights),
    }
