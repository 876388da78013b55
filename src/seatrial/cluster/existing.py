"""Clusters that are there already, and that others use as well: never created, never deleted.

One is used only if its context is on the user's list, or if an administrator has put our label on
it. The label is on the namespace kube-system, which every cluster has, and which no tool removes.
What is asked of the cluster, in this order, changes nothing: its version, the label, our rights.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from seatrial.cluster.kubeconfig_copy import KubeconfigCopy
from seatrial.cluster.provider import ClusterOptions, Node
from seatrial.cluster.standing import Standing, standing_of
from seatrial.cluster.tenancy import Tenancy
from seatrial.core.errors import ApiError, ClusterError, ConfigurationError
from seatrial.core.model import dig
from seatrial.core.progress import Progress
from seatrial.kube import (
    IN_CLUSTER,
    Connection,
    Objects,
    Target,
    connect_to,
    default_paths,
    find_target,
    in_cluster,
)

__all__ = ["ALLOWED_LABEL", "ExistingCluster", "ExistingProvider"]

#: on namespace kube-system, with the value `true`: an administrator says that tests may run here
ALLOWED_LABEL = "seatrial.dev/tests-allowed"
MARKED = "kube-system"


@dataclass(frozen=True)
class ExistingCluster:
    """A cluster that was there before us."""

    name: str
    kubeconfig_path: Path
    tenancy: Tenancy
    provider: str = "existing"

    @property
    def nodes(self) -> Sequence[Node]:
        """None: they are not ours to run commands on."""
        return ()

    def host_port(self, node_port: int) -> int | None:  # noqa: ARG002 - the Protocol's signature
        """None: nothing is published on this machine."""
        return None


@dataclass(frozen=True)
class ExistingProvider:
    """Finds the cluster that the settings name, and checks that it may be used."""

    state_dir: Path
    """Folder below which the copies of kubeconfigs are."""
    kubeconfig: Sequence[Path] = ()
    """What to read, as in KUBECONFIG; by default what kubectl reads."""
    context: str = ""
    """By default the current one."""
    allowed_contexts: Sequence[str] = ()
    """Names or globs."""
    registry: str = ""
    pull_registry: str = ""
    pull_secret: str = ""
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    @property
    def realm(self) -> str:
        return "existing"

    def list(self) -> Sequence[str]:
        """None: no such cluster is ours."""
        return ()

    def find(self, name: str) -> ExistingCluster | None:  # noqa: ARG002 - the Protocol's signature
        """None: no such cluster is ours."""
        return None

    def ensure(self, options: ClusterOptions, progress: Progress) -> ExistingCluster:
        """Give the cluster, if it may be used and our rights suffice.

        Raises `ConfigurationError` for a kubeconfig that cannot be used, and `ClusterError` for a
        cluster that may not, cannot be reached, or does not grant us what is needed.
        """
        if options != ClusterOptions(name=options.name):
            progress.note("an existing cluster is taken as it is: its options count for nothing")
        target = self.target()
        copy = KubeconfigCopy.of(target, self.state_dir / "existing")
        try:
            with progress.step(f"looking at {_shown(target)}") as step:
                connection = connect_to(target, scratch=copy.folder)
                try:
                    why = self.admit(connection, target)
                    step.line("asking what we may do there")
                    standing = self.standing(connection, target)
                finally:
                    connection.close()
            progress.note(f"cluster {target.cluster} may be used: {why}")
            for lacking in standing.does_without:
                progress.note(lacking)
        except BaseException:
            copy.close()
            raise
        return ExistingCluster(
            target.cluster,
            copy.path,
            Tenancy(
                account=standing.account,
                role=standing.role,
                sees_nodes=standing.sees_nodes,
                registry=self.registry,
                pull_registry=self.pull_registry,
                pull_secret=self.pull_secret,
                end=copy.close,
            ),
        )

    def delete(self, name: str, progress: Progress) -> None:  # noqa: ARG002 - the Protocol's
        """Raise `ClusterError`: a cluster that we did not make is never deleted."""
        raise ClusterError(
            "a cluster that seatrial did not make is never deleted",
            hint="what sessions that were killed have left in it goes with\n"
            "kubectl delete namespaces --selector=app.kubernetes.io/managed-by=seatrial",
        )

    # --- step by step, for the doctor as well

    def target(self) -> Target:
        """The context that is meant. Raises `ConfigurationError` if there is none."""
        paths = self.kubeconfig or default_paths(self.environment)
        found = [path for path in paths if path.is_file()]
        if found:
            return find_target(found, self.context)
        if paths:
            raise ConfigurationError(
                f"there is no kubeconfig {', '.join(map(str, paths))}",
                hint="name the file of the cluster: --seatrial-kubeconfig=…",
            )
        pod = in_cluster(self.environment)
        if pod is not None and self.context in ("", IN_CLUSTER):
            return pod
        raise ConfigurationError(
            "no kubeconfig was named, and there is none where kubectl looks for one",
            details="neither KUBECONFIG nor ~/.kube/config leads to a file, and this is no pod",
            hint="name the file of the cluster: --seatrial-kubeconfig=…",
        )

    def admit(self, connection: Connection, target: Target) -> str:
        """Say why the cluster may be used. Raises `ClusterError` if it may not."""
        reach(connection, target)
        for pattern in self.allowed_contexts:
            if pattern == target.context or fnmatchcase(target.context, pattern):
                return f"its context {target.context} is allowed by {pattern}"
        try:
            marked = Objects(connection).get("v1", "Namespace", MARKED)
        except ApiError as error:
            raise self._refusal(target, f"its label could not be read: {error.cause}") from error
        if dig(marked, "metadata", "labels", ALLOWED_LABEL) == "true":
            return f"it carries the label {ALLOWED_LABEL}"
        raise self._refusal(
            target, f"namespace {MARKED} does not carry the label {ALLOWED_LABEL}=true"
        )

    def standing(self, connection: Connection, target: Target) -> Standing:
        """What we may do there. Raises `ClusterError` with all that is missing."""
        return standing_of(connection, where=_shown(target), pull_secret=self.pull_secret)

    def _refusal(self, target: Target, label: str) -> ClusterError:
        given = ", ".join(self.allowed_contexts)
        context = shlex.quote(target.context)
        chosen = "" if target.context == IN_CLUSTER else f" --context={context}"
        return ClusterError(
            f"{_shown(target)} is not one that tests may run on",
            details=f"context {target.context!r} is not among the allowed ones: {given or 'none'}"
            f"\n{label}",
            hint="if it is the one you mean, allow its context:\n"
            f"--seatrial-allowed-contexts={context}\n"
            "(ini seatrial_allowed_contexts, environment SEATRIAL_ALLOWED_CONTEXTS);\n"
            "or let an administrator mark the cluster for everybody:\n"
            f"kubectl{chosen} label namespace {MARKED} {ALLOWED_LABEL}=true",
        )


def reach(connection: Connection, target: Target) -> str:
    """The version of the API server, which answers only credentials that are good.

    Raises `ClusterError` if it cannot be reached, or does not accept the credentials.
    """
    try:
        return connection.version()
    except ApiError as error:
        if error.status == 401:
            how = f"by the program {target.plugin}" if target.plugin else "as you do for kubectl"
            ended = f"its token ended at {target.expired}" if target.expired else ""
            raise ClusterError(
                f"{_shown(target)} does not accept the credentials of its context (any more)",
                details="\n".join(filter(None, (ended, f"from: {target.source}"))),
                hint=f"log in again, {how}, and see that this works:\n"
                f"kubectl --context={shlex.quote(target.context)} auth whoami",
            ) from error
        if error.status == 0:
            raise ClusterError(
                f"{_shown(target)} cannot be reached",
                details=f"{error.cause}\nfrom: {target.source}",
                hint="is it running, and does the way there (a VPN, a proxy) stand?",
            ) from error
        raise


def _shown(target: Target) -> str:
    return f"cluster {target.cluster} ({target.server}, context {target.context})"
