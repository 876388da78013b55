"""Which resource stands behind a kind, asked of the API server and remembered.

See "API discovery" in Kubernetes' documentation: `/api/v1` and `/apis/GROUP/VERSION` list the
resources of one version, `/apis` the groups with the version that each prefers.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from seatrial.core.errors import ApiError, ConfigurationError
from seatrial.core.model import dig

__all__ = ["Discovery", "Resource", "conventional"]

#: Kubernetes' own kinds that live in no namespace, and that manifests bring
_CLUSTER_KINDS = frozenset({
    "APIService", "CSIDriver", "CertificateSigningRequest", "ClusterRole", "ClusterRoleBinding",
    "ClusterTrustBundle", "CustomResourceDefinition", "DeviceClass", "FlowSchema", "IngressClass",
    "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration",
    "Namespace", "Node", "PersistentVolume", "PriorityClass", "PriorityLevelConfiguration",
    "RuntimeClass", "ServiceCIDR", "StorageClass", "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration", "VolumeAttributesClass",
})  # fmt: skip


class GetJson(Protocol):
    """How a path of the API server is read: `Connection.get_json`."""

    def __call__(self, path: str, *, doing: str) -> Any: ...


@dataclass(frozen=True)
class Resource:
    """One kind of object as the API server serves it."""

    group: str
    """Empty for the core group."""
    version: str
    kind: str
    plural: str
    """The name in paths: `deployments`."""
    namespaced: bool
    verbs: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def api_version(self) -> str:
        """As in a manifest: `apps/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The path of one object, or of all (in all namespaces where none is given)."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [self.plural, name, subresource]
        return "".join(f"/{quote(part, safe='')}" for part in parts if part)


def conventional(kind: str, api_version: str) -> Resource:
    """What a kind is most likely served as, for where no API server can be asked.

    The plural is by the rules of English, which Kubernetes' own kinds follow. A kind that is not
    Kubernetes' own is taken to live in a namespace.
    """
    group, _, version = api_version.rpartition("/")
    name = kind.lower()
    if name.endswith("s"):
        # Endpoints is its own plural
        plural = name if name == "endpoints" else f"{name}es"
    elif name.endswith("y") and name[-2:-1] not in "aeiou":
        plural = f"{name[:-1]}ies"
    else:
        plural = f"{name}s"
    return Resource(
        group=group,
        version=version,
        kind=kind,
        plural=plural,
        namespaced=kind not in _CLUSTER_KINDS,
        verbs=frozenset({"create", "delete", "get", "list", "patch", "watch"}),
    )


class Discovery:
    """Finds resources by kind. What was found is kept; what was not is asked for anew each time,
    since a CustomResourceDefinition may just have been applied. Safe for use by many threads.
    """

    def __init__(self, get_json: GetJson) -> None:
        self._get_json = get_json
        self._lock = threading.Lock()
        #: by apiVersion, then by kind
        self._known: dict[str, dict[str, Resource]] = {}

    def find(self, kind: str, api_version: str | None = None) -> Resource:
        """The resource of that kind; without `api_version` that of the first group which has it,
        the core group before all others.

        Raises `ConfigurationError` for a kind that the server does not know, naming near ones.
        """
        with self._lock:
            found = self._look(kind, api_version)
            if found is None and self._known:
                self._known.clear()
                found = self._look(kind, api_version)
            if found is None:
                raise self._unknown(kind, api_version)
            return found

    def forget(self, resource: Resource) -> None:
        """Ask the server anew for what is served beside this one, which it says is not."""
        with self._lock:
            self._known.pop(resource.api_version, None)

    def _look(self, kind: str, api_version: str | None) -> Resource | None:
        candidates = [api_version] if api_version else self._preferred()
        for candidate in candidates:
            found = self._resources(candidate).get(kind)
            if found is not None:
                return found
        return None

    def _preferred(self) -> Iterator[str]:
        """The preferred apiVersion of each group; later ones are asked for only if needed."""
        yield "v1"
        groups = self._get_json("/apis", doing="list its API groups")
        for group in groups["groups"]:
            yield group["preferredVersion"]["groupVersion"]

    def _resources(self, api_version: str) -> dict[str, Resource]:
        if api_version not in self._known:
            self._known[api_version] = self._ask(api_version)
        return self._known[api_version]

    def _ask(self, api_version: str) -> dict[str, Resource]:
        group, _, version = api_version.rpartition("/")
        base = f"/apis/{api_version}" if group else f"/api/{version}"
        try:
            listed = self._get_json(base, doing=f"list the resources of {api_version}")
        except ApiError as error:
            # 404: no such version. 503: the server behind an aggregated API is away, which must
            # not keep anybody from finding a Deployment
            if error.status in (404, 503):
                return {}
            raise
        return {
            one["kind"]: Resource(
                group=group,
                version=version,
                kind=one["kind"],
                plural=one["name"],
                namespaced=one["namespaced"],
                verbs=frozenset(one["verbs"]),
            )
            for one in dig(listed, "resources", default=[])
            if "/" not in one["name"]  # a subresource, such as `deployments/scale`
        }

    def _unknown(self, kind: str, api_version: str | None) -> ConfigurationError:
        served: dict[str, list[str]] = {}
        for candidate in self._preferred():
            for name in self._resources(candidate):
                served.setdefault(name, []).append(candidate)
        within = f" in {api_version}" if api_version else ""
        cause = f"the cluster knows no kind {kind!r}{within}"
        if kind in served:
            return ConfigurationError(cause, hint=f"it is served as {', '.join(served[kind])}")
        by_lower = {name.lower(): name for name in served}
        near = difflib.get_close_matches(kind.lower(), by_lower)
        return ConfigurationError(
            cause,
            hint=f"did you mean {' or '.join(by_lower[name] for name in near)}?" if near else "",
        )
