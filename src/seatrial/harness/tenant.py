"""What it takes to test on a cluster that is somebody else's, namespace by namespace.

There nothing is watched but the namespaces of tests, in each of which we may have to give ourselves
rights first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from seatrial.cluster import Tenancy, binding, require_for
from seatrial.core.clock import Deadline
from seatrial.core.errors import ApiError, ConfigurationError
from seatrial.core.model import dig
from seatrial.kube import Objects, Resource
from seatrial.watch import Hub

__all__ = ["Tenant", "open_streams"]

#: seconds for a binding to take effect in every API server; each follows it by a watch of its own
BOUND_WITHIN = 10.0
#: seconds between two tries meanwhile
LOOK_WITHIN = 0.1

FORBIDDEN = 403

Kinds = Sequence[tuple[str, str]]


def open_streams(hub: Hub, kinds: Kinds, namespace: str = "") -> None:
    """Watch all kinds (kind and apiVersion of each), at the same time: see `Hub.open`."""
    if not kinds:
        return
    with ThreadPoolExecutor(len(kinds)) as pool:
        opening = [pool.submit(hub.open, *each, namespace=namespace) for each in kinds]
        for opened in opening:
            opened.result()


@dataclass(frozen=True)
class Tenant:
    """Enters and leaves the namespaces of one session's tests."""

    tenancy: Tenancy
    objects: Objects
    hub: Hub
    kinds: Kinds
    """Watched in each namespace."""
    _entered: set[str] = field(default_factory=set)
    _granted: set[Resource] = field(default_factory=set)

    def enter(self, namespace: str, labels: Mapping[str, str]) -> None:
        """Get the rights in a namespace that was just made, and watch it.

        Raises `ApiError`; that it is forbidden only after it has been for ten seconds, as it takes
        a binding a moment to be known.
        """
        if self.tenancy.role:
            bound = binding(self.tenancy.role, self.tenancy.account, labels)
            self.objects.create(bound, namespace=namespace)
        deadline = Deadline.after(BOUND_WITHIN if self.tenancy.role else 0.0, self.hub.clock)
        while True:
            try:
                open_streams(self.hub, self.kinds, namespace)
                break
            except ApiError as error:
                if error.status != FORBIDDEN or deadline.passed:
                    raise
            with self.hub.changed:
                self.hub.clock.wait(self.hub.changed, min(LOOK_WITHIN, deadline.remaining))
        self._entered.add(namespace)

    def equip(self, namespace: str, labels: Mapping[str, str]) -> None:
        """Let pods of the namespace's default account pull with the user's Secret, if there is one.

        Raises `ApiError`, and `ConfigurationError` if the Secret is not there.
        """
        if not self.tenancy.pull_secret:
            return
        source, _, name = self.tenancy.pull_secret.partition("/")
        found = self.objects.get("v1", "Secret", name, source)
        if found is None:
            raise ConfigurationError(
                f"there is no Secret/{name} in namespace {source} to pull images with",
                hint="--seatrial-pull-secret=NAMESPACE/NAME",
            )
        copy: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "labels": dict(labels)},
            "type": dig(found, "type", default="Opaque"),
            "data": dig(found, "data", default={}),
        }
        self.objects.create(copy, namespace=namespace)
        pulling = {"imagePullSecrets": [{"name": name}]}
        self.objects.patch("v1", "ServiceAccount", "default", pulling, namespace=namespace)

    def leave(self, namespace: str) -> None:
        """Watch the namespace no more: our rights end with it."""
        self._entered.discard(namespace)
        self.hub.leave(namespace)

    def require_watched(self, namespace: str) -> None:
        """Raise `ConfigurationError` for a namespace that is not one of a test of ours."""
        if namespace not in self._entered:
            raise ConfigurationError(
                f"namespace {namespace} is not watched: the cluster is not seatrial's own",
                details=f"watched is {', '.join(sorted(self._entered)) or 'none'}",
                hint="only the namespaces of tests are; nodes' events, which are in namespace\n"
                "default, can be seen on a cluster that seatrial makes (--seatrial-provider=kind)",
            )

    def require_rights(self, kinds: Iterable[tuple[str, str]], namespace: str) -> None:
        """Raise `ClusterError` with all that we lack for applying objects of these kinds there."""
        new = [each for each in dict.fromkeys(self._served(kinds)) if each not in self._granted]
        if new:
            require_for(new, self.objects.connection, namespace, self.tenancy)
            self._granted.update(new)

    def _served(self, kinds: Iterable[tuple[str, str]]) -> Iterator[Resource]:
        for kind, api_version in kinds:
            # one that is not known is defined by the same manifests, or refused later
            with suppress(ConfigurationError):
                yield self.objects.discovery.find(kind, api_version)
