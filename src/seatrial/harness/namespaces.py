"""The namespaces of one session's tests."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from seatrial.core.clock import Deadline
from seatrial.core.errors import ApiError, ClusterError
from seatrial.core.feed import wait_on
from seatrial.core.model import Object, dig
from seatrial.core.processes import OWNER_LABEL, ProcessId
from seatrial.harness.tenant import Tenant
from seatrial.kube import Objects
from seatrial.manifests import MANAGED_BY, Namespaces, PodSecurity, ownership, wait_gone
from seatrial.watch import Hub

__all__ = ["SessionNamespaces"]

#: on a namespace that is to be looked at afterwards
KEPT = "seatrial.dev/kept"

#: seconds for the service account controller to give a namespace its default account; pods cannot
#: be created before it is there. It took 20 ms where this was written.
ACCOUNT_TIMEOUT = 30.0


@dataclass
class SessionNamespaces:
    """Creates a namespace for each test, and deletes it without making the next test wait.

    A namespace takes seconds to go, as its pods end in good order. So deletion is asked for when a
    test is over, and waited for once, in the end, if the cluster outlives the session.
    """

    objects: Objects
    hub: Hub
    session: str = field(default_factory=lambda: secrets.token_hex(4))
    tenant: Tenant | None = None
    """Where the cluster is somebody else's."""
    _going: list[Mapping[str, object]] = field(default_factory=list)

    def labels(self, test: str) -> Mapping[str, str]:
        """What is put on all that the test makes."""
        return ownership(session=self.session, test=test)

    def create(self, test: str, *, pod_security: PodSecurity = "", kept: bool = False) -> str:
        """Create a namespace for the test of that id and give its name, once it can take pods.

        One that is `kept` is meant to outlive its session.

        Raises `ApiError`, or `ClusterError` if the cluster does not give it a service account.
        """
        annotations = {OWNER_LABEL: ProcessId.mine().label, **({KEPT: "true"} if kept else {})}
        maker = replace(self._maker, pod_security=pod_security, annotations=annotations)
        name = maker.make(test)
        try:
            if self.tenant is not None:
                self.tenant.enter(name, self.labels(test))
            self._await_account(name)
            if self.tenant is not None:
                self.tenant.equip(name, self.labels(test))
        except BaseException:
            # a stream may have ended as well, or somebody has interrupted the wait
            self.delete(name)
            raise
        return name

    def delete(self, name: str) -> None:
        """Ask for the namespace's deletion, with all that is in it."""
        if self.tenant is not None:
            self.tenant.leave(name)
        there = self.objects.get("v1", "Namespace", name)
        self._maker.delete(name)
        if there is not None:
            self._going.append({**there, "apiVersion": "v1", "kind": "Namespace"})

    def sweep(self) -> Sequence[str]:
        """Delete the namespaces of sessions that were killed, and give their names.

        Nobody can tell of a session on another machine: what it has made stays. Who may not list
        namespaces deletes none.
        """
        ours = f"{MANAGED_BY}=seatrial"
        try:
            listed, _ = self.objects.list("v1", "Namespace", label_selector=ours)
        except ApiError as error:
            if error.status != HTTPStatus.FORBIDDEN:
                raise
            return []
        gone = [dig(each, "metadata", "name") for each in listed if _is_leftover(each)]
        for name in gone:
            self.delete(name)
        return gone

    def await_deleted(self, timeout: float = 60.0) -> None:
        """Wait until all that were deleted are gone. Raises `ManifestError` after `timeout` s."""
        wait_gone(self._going, self.objects, feed=self.hub, timeout=timeout)
        self._going.clear()

    def _await_account(self, name: str) -> None:
        def look() -> bool | None:
            there = self.hub.snapshot().get("ServiceAccount", "default", name)
            return True if there is not None else None

        if not wait_on(self.hub, look, Deadline.after(ACCOUNT_TIMEOUT, self.hub.clock)):
            raise ClusterError(
                f"namespace {name} got no default service account within {ACCOUNT_TIMEOUT:g} s",
                hint="is kube-controller-manager running? kubectl -n kube-system get pods",
            )

    @property
    def _maker(self) -> Namespaces:
        return Namespaces(self.objects, self.session)


def _is_leftover(namespace: Object) -> bool:
    written = dig(namespace, "metadata", "annotations", default={})
    owner = ProcessId.of_label(written.get(OWNER_LABEL))
    going = dig(namespace, "metadata", "deletionTimestamp") is not None
    return owner is not None and owner.is_dead and KEPT not in written and not going
