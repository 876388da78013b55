"""What we may do on a cluster that is somebody else's, found out before anything is done."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seatrial.cluster import rights
from seatrial.cluster.tenancy import Tenancy
from seatrial.core.errors import ClusterError
from seatrial.core.model import dig
from seatrial.kube import (
    Connection,
    Objects,
    Resource,
    Right,
    grouped,
    missing_rights,
    rules_allow,
    who_am_i,
)

__all__ = ["Standing", "require_for", "standing_of"]


@dataclass(frozen=True)
class Standing:
    """What an account may do."""

    account: str
    """The name that the API server knows it by; empty where it does not tell."""
    role: str
    """The role that it has to give itself in each namespace; empty where it has all everywhere."""
    sees_nodes: bool
    does_without: Sequence[str]
    """What it lacks and can do without, in words."""


def standing_of(connection: Connection, *, where: str, pull_secret: str = "") -> Standing:
    """Ask for all the rights that are needed. `where` names the cluster for a person.

    Raises `ClusterError` with every right that is missing, and `ApiError` if the server does not
    say.
    """
    account = who_am_i(connection)
    in_namespaces = (*rights.IN_NAMESPACES, *(rights.PULLING if pull_secret else ()))
    asked = (*rights.EVERYWHERE, *rights.NODES, *rights.SECRETS, *rights.BINDING, *in_namespaces)
    missing = missing_rights(connection, asked)
    lacking = [f"{each} in all of the cluster" for each in _lines(rights.EVERYWHERE, missing)]
    role, has_secrets = "", rights.SECRETS[0] not in missing
    if not set(in_namespaces) & set(missing):
        pass
    elif set(rights.BINDING) <= set(missing) or not account:
        # it cannot give itself anything, so what it lacks is the rights themselves
        lacking += [f"{each} in the namespaces of tests" for each in _lines(in_namespaces, missing)]
    else:
        role = rights.NAMESPACE_ROLE
        lacking += [f"{each} in all of the cluster" for each in _lines(rights.BINDING, missing)]
        if not set(rights.BINDING) & set(missing):
            wanted = (*in_namespaces, *rights.SECRETS)
            beyond = _beyond_role(connection, wanted)
            has_secrets = has_secrets or rights.SECRETS[0] not in beyond
            needed = [right for right in beyond if right in in_namespaces]
            lacking += [f"{each} in ClusterRole {role}" for each in grouped(needed)]
    if pull_secret:
        lacking += _beyond_secret(connection, pull_secret)
    if lacking:
        raise _refusal(account, where, lacking, pull_secret)
    sees_nodes = not set(rights.NODES) & set(missing)
    return Standing(account, role, sees_nodes, _does_without(sees_nodes, has_secrets))


def require_for(
    resources: Iterable[Resource], connection: Connection, namespace: str, tenancy: Tenancy
) -> None:
    """Raise `ClusterError` with all that is missing for applying such objects in a namespace.

    What lives in no namespace is deleted as well when its test is over.
    """
    inside: list[Right] = []
    outside: list[Right] = []
    for resource in resources:
        needed = rights.manifest_rights(resource, deleting=not resource.namespaced)
        (inside if resource.namespaced else outside).extend(needed)
    lacking = grouped(missing_rights(connection, inside, namespace))
    lacking += [f"{each} in all of the cluster" for each in grouped(
        missing_rights(connection, outside))]  # fmt: skip
    if lacking:
        raise ClusterError(
            f"account {tenancy.account or 'of the kubeconfig'} may not apply these manifests "
            f"into namespace {namespace}",
            details="\n".join(lacking),
            hint="an administrator gives what they need; MANIFESTS are their files or folders:\n"
            f"seatrial rbac {_who(tenancy.account)} MANIFESTS | kubectl apply -f -",
        )


def _lines(wanted: Sequence[Right], missing: Sequence[Right]) -> list[str]:
    return grouped(right for right in wanted if right in missing)


def _beyond_role(connection: Connection, wanted: Sequence[Right]) -> list[Right]:
    """Those that the role for namespaces does not give."""
    role = Objects(connection).get(f"{rights.RBAC}/v1", "ClusterRole", rights.NAMESPACE_ROLE)
    rules = dig(role, "rules", default=[])
    return [right for right in wanted if not rules_allow(rules, right)]


def _beyond_secret(connection: Connection, pull_secret: str) -> list[str]:
    namespace, _, name = pull_secret.partition("/")
    missing = missing_rights(connection, [Right("", "secrets", "get", name)], namespace)
    return [f"{each} in namespace {namespace}" for each in grouped(missing)]


def _does_without(sees_nodes: bool, has_secrets: bool) -> list[str]:
    said = []
    if not sees_nodes:
        said.append("nodes may not be watched: a diagnosis will not know their taints and troubles")
    if not has_secrets:
        said.append("secrets may not be read: one that comes late will be taken for missing")
    return said


def _refusal(account: str, where: str, lacking: Sequence[str], pull_secret: str) -> ClusterError:
    secret = f" --pull-secret={pull_secret}" if pull_secret else ""
    return ClusterError(
        f"account {account or 'of the kubeconfig'} lacks rights on {where}",
        details="\n".join(lacking),
        hint="an administrator gives all that are needed:\n"
        f"seatrial rbac {_who(account)}{secret} MANIFESTS | kubectl apply -f -\n"
        "where MANIFESTS are the files or folders that the tests deploy; docs/existing.md",
    )


def _who(account: str) -> str:
    if account.startswith(rights.SERVICE_ACCOUNT):
        namespace, _, name = account.removeprefix(rights.SERVICE_ACCOUNT).partition(":")
        return f"--service-account={namespace}/{name}"
    return f"--user={shlex.quote(account) if account else '…'}"
