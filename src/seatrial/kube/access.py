"""What an account may do, asked of the API server before it is tried.

A SelfSubjectAccessReview is answered by whatever authorizes requests there: RBAC, a webhook, a
cloud's own. A SelfSubjectRulesReview would need one request only, but some of those cannot list
what they would allow ("Checking API access" in Kubernetes' documentation on authorization).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from seatrial.core.errors import ApiError
from seatrial.core.model import dig
from seatrial.kube.connection import Connection

__all__ = ["Right", "grouped", "missing_rights", "rules_allow", "who_am_i"]

#: questions at the same time
WORKERS = 8

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one resource, as RBAC has it."""

    group: str
    """Empty for the core group."""
    resource: str
    """The plural, with a subresource if it is about one: `pods/log`."""
    verb: str
    name: str = ""
    """Only on the object of that name."""

    @property
    def where(self) -> str:
        """As kubectl writes it: `deployments.apps`, `clusterroles.… "seatrial-namespace"`."""
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return f'{resource} "{self.name}"' if self.name else resource

    def __str__(self) -> str:
        return f"{self.verb} {self.where}"


def grouped(rights: Iterable[Right]) -> list[str]:
    """The same, one line for each resource: `pods: list, watch`."""
    verbs: dict[str, list[str]] = {}
    for right in rights:
        verbs.setdefault(right.where, []).append(right.verb)
    return [f"{where}: {', '.join(dict.fromkeys(each))}" for where, each in verbs.items()]


def missing_rights(
    connection: Connection, rights: Collection[Right], namespace: str = ""
) -> list[Right]:
    """Those of the rights that this account lacks in the namespace, or (none given) in all.

    Raises `ApiError` if the server does not say.
    """
    ordered = list(dict.fromkeys(rights))
    if not ordered:
        return []
    with ThreadPoolExecutor(min(WORKERS, len(ordered))) as pool:
        allowed = pool.map(lambda right: _is_allowed(connection, right, namespace), ordered)
        return [right for right, each in zip(ordered, allowed, strict=True) if not each]


def who_am_i(connection: Connection) -> str:
    """The name that the API server knows this account by; empty where it does not tell (< 1.28)."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        answer = connection.send_json("POST", _WHO, body, doing="say who we are")
    except ApiError as error:
        if error.status in (403, 404):
            return ""
        raise
    return str(dig(answer, "status", "userInfo", "username", default=""))


def rules_allow(rules: Iterable[Mapping[str, Any]], right: Right) -> bool:
    """Whether a role with those rules gives the right, by RBAC's own rules."""
    subresource = right.resource.partition("/")[2]
    resources = {right.resource, "*"}
    if subresource:
        resources.add(f"*/{subresource}")
    return any(
        {right.group, "*"} & set(rule.get("apiGroups") or ())
        and resources & set(rule.get("resources") or ())
        and {right.verb, "*"} & set(rule.get("verbs") or ())
        and (not rule.get("resourceNames") or right.name in rule["resourceNames"])
        for rule in rules
    )


def _is_allowed(connection: Connection, right: Right, namespace: str) -> bool:
    resource, _, subresource = right.resource.partition("/")
    attributes = {
        "namespace": namespace,
        "verb": right.verb,
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
        "name": right.name,
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {k: v for k, v in attributes.items() if v}},
    }
    answer = connection.send_json(
        "POST", _REVIEWS, body, doing=f"say whether this account may {right}"
    )
    return bool(dig(answer, "status", "allowed", default=False))
