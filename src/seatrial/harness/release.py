"""What a deployment under test is to the test: applied manifests, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seatrial.core.clock import Deadline
from seatrial.core.errors import ClusterError, ConfigurationError, SeatrialError
from seatrial.core.feed import Feed, wait_on
from seatrial.core.model import Object, ObjectRef, Snapshot, Verdict, dig
from seatrial.core.spelling import did_you_mean
from seatrial.harness.cluster import Cluster
from seatrial.manifests import Manifest, apply, delete, label, load, merge_patch, with_images
from seatrial.readiness import Condition, all_of, ready, wait_until
from seatrial.readiness.workload import Workload

__all__ = ["FIELD_MANAGER", "Deployer", "Release"]

#: whose fields they are, in the eyes of server-side apply
FIELD_MANAGER = "seatrial"

#: kinds whose being ready means something to a test; the rest are there once they are applied
READY_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod")

#: seconds for a watch to show what the API server has confirmed; milliseconds as a rule
SEEN_TIMEOUT = 30.0

#: lines of a failed container's log that an error shows
LOG_LINES = 20


@dataclass(frozen=True)
class Deployer:
    """Applies manifests into one namespace: `k8s_deploy("fixtures/manifests", images={…})`."""

    cluster: Cluster
    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    """Put on everything that is applied, so that it is known whose it is."""
    ready_timeout: float = 60.0

    def __call__(
        self,
        source: Any,
        *,
        images: Mapping[str, Any] | None = None,
    ) -> Release:
        """Apply `source` and give it as a release.

        `source`: a file or folder, a glob, YAML text, a dict, or a list of those. `images` puts an
        image (or a reference) in for a container's name, or for an image's.

        Raises `ManifestError` for what cannot be read or does not hold what is asked of it, and
        `ApiError` for what the API server refuses.
        """
        manifests = with_images(load(source), images or {})
        release = Release(self.cluster, self.namespace, manifests, self.labels, self.ready_timeout)
        release.apply()
        return release


class Release:
    """Manifests in a namespace. `release["Deployment/flask"]` is the live object."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        manifests: Sequence[Manifest],
        labels: Mapping[str, str],
        ready_timeout: float,
    ) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.manifests = tuple(manifests)
        self._labels = labels
        self._ready_timeout = ready_timeout

    @property
    def refs(self) -> Sequence[ObjectRef]:
        """What was applied, as `Kind/name`."""
        return tuple(ObjectRef.of(manifest.object) for manifest in self.manifests)

    @property
    def feed(self) -> Feed:
        """All that is watched in the namespace."""
        return self.cluster.hub.view(self.namespace)

    def apply(self) -> None:
        """Apply all manifests (server-side); the streams are open before the first one."""
        for manifest in self.manifests:
            if manifest.kind in READY_KINDS:
                self.cluster.hub.open(manifest.kind, manifest.api_version)
        self._await_seen(
            apply(
                label(self.manifests, self._labels),
                self.cluster.objects,
                namespace=self.namespace,
                field_manager=FIELD_MANAGER,
            )
        )

    def __getitem__(self, ref: str) -> Object:
        """The live object, as `Kind/name` names it. Raises `ConfigurationError` if it is none."""
        manifest = self._named(ref)
        found = self.cluster.objects.get(
            manifest.api_version, manifest.kind, manifest.name, self.namespace
        )
        if found is None:
            raise ConfigurationError(f"{ref} is not in namespace {self.namespace} any more")
        return found

    def wait_ready(
        self,
        ref: str = "",
        *,
        timeout: float | None = None,
        holds_for: float = 0.0,
        graces: Mapping[str, float] | None = None,
        expect_restarts: int = 0,
    ) -> Verdict:
        """Wait until the workloads and Services of the release are ready, or the one that `ref`
        names (`Deployment/flask`).

        Watches, and ends as soon as it has become impossible. `timeout` and `holds_for` are
        seconds; `graces` says for how many seconds a cause (`{"ConfigMapMissing": 30}`) may stand,
        as it may be mended; `expect_restarts` how often a container restarts by plan.

        Raises `NotReadyError`, whose first line names the cause and the object.
        """
        return wait_until(
            self._condition(ref),
            self.feed,
            timeout=self._ready_timeout if timeout is None else timeout,
            holds_for=holds_for,
            graces=graces,
            expect_restarts=expect_restarts,
            log_tail=self._log_tail,
        )

    def pods(self, ref: str = "") -> Sequence[Object]:
        """The pods of the release's workloads, or of the one that `ref` names, by their names.

        Those of an older rollout, and those that are being deleted, are left out.

        Raises `ConfigurationError` if the release holds no `ref`.
        """
        if ref:
            self._named(ref)
        snapshot = self.feed.snapshot()
        found: dict[str, Object] = {}
        for each in self.refs:
            # a Service selects the pods of older rollouts as well
            if str(each) == ref or (not ref and each.kind in READY_KINDS):
                owner = ObjectRef(each.kind, each.name, self.namespace)
                workload = Workload.of(snapshot, owner)
                pods = workload.pods if workload else ()
                found.update({pod.ref.name: pod.object for pod in pods})
        return [found[name] for name in sorted(found)]

    def rollout(
        self,
        ref: str = "",
        *,
        images: Mapping[str, Any] | None = None,
        patch: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Verdict:
        """Change the release and wait until the change is rolled out.

        `images` as in `k8s_deploy`; `patch` is merged into the manifest that `ref` names (JSON
        merge patch, RFC 7386), such as `{"spec": {"replicas": 3}}`. All is applied once more then,
        so a later change keeps this one.
        """
        before = self.manifests
        try:
            if images:
                self.manifests = with_images(self.manifests, images)
            if patch:
                named = self._named(ref or self._only_workload())
                self.manifests = tuple(
                    merge_patch(each, patch) if each is named else each for each in self.manifests
                )
            self.apply()
        except SeatrialError:
            # what was refused is not what the release consists of
            self.manifests = before
            raise
        return self.wait_ready(ref, timeout=timeout)

    def delete(self) -> None:
        """Delete what was applied, last first, and wait until it is gone."""
        delete(self.manifests, self.cluster.objects, namespace=self.namespace, feed=self.feed)

    def logs(self, pod: str, container: str = "", *, previous: bool = False) -> str:
        """What a container of a pod wrote."""
        return self.cluster.objects.logs(self.namespace, pod, container, previous=previous)

    # --- inside

    def _await_seen(self, written: Sequence[Object]) -> None:
        """Wait until the streams have what was written: older state would be judged otherwise."""
        feed = self.feed
        awaited = [obj for obj in written if obj["kind"] in (*READY_KINDS, "Service")]

        def look() -> bool | None:
            snapshot = feed.snapshot()
            return all(_is_seen(obj, snapshot) for obj in awaited) or None

        if not wait_on(feed, look, Deadline.after(SEEN_TIMEOUT, feed.clock)):
            raise ClusterError(
                f"the watch of namespace {self.namespace} did not show within {SEEN_TIMEOUT:g} s "
                "what was applied",
                details=", ".join(str(ObjectRef.of(obj)) for obj in awaited),
                hint="is the API server overloaded? `seatrial doctor` tells of this machine",
            )

    def _condition(self, ref: str) -> Condition:
        if ref:
            named = self._named(ref)
            # of a kind that is not waited for by default nothing may have been seen yet
            self.cluster.hub.open(named.kind, named.api_version)
            return ready(ref, self.namespace)
        names = [str(each) for each in self.refs if each.kind in (*READY_KINDS, "Service")]
        if not names:
            raise ConfigurationError(
                "nothing in the release can be waited for",
                details="it holds " + ", ".join(map(str, self.refs)),
                hint=f"wait_ready() is for {', '.join(READY_KINDS)} and Service",
            )
        return all_of(*(ready(name, self.namespace) for name in names))

    def _named(self, ref: str) -> Manifest:
        for manifest in self.manifests:
            if str(ObjectRef.of(manifest.object)) == ref:
                return manifest
        names = [str(each) for each in self.refs]
        raise ConfigurationError(
            f"the release holds no {ref}",
            details=f"it holds {', '.join(names)}",
            hint=did_you_mean(ref, names),
        )

    def _only_workload(self) -> str:
        workloads = [str(each) for each in self.refs if each.kind in READY_KINDS]
        if len(workloads) != 1:
            raise ConfigurationError(
                "rollout(patch=…) needs to know which object to change",
                details=f"the release holds {', '.join(workloads) or 'no workload'}",
                hint='name it: release.rollout("Deployment/flask", patch=…)',
            )
        return workloads[0]

    def _log_tail(self, namespace: str, pod: str, container: str, previous: bool) -> str:
        return self.cluster.objects.logs(
            namespace, pod, container, previous=previous, tail=LOG_LINES
        )


def _is_seen(written: Object, snapshot: Snapshot) -> bool:
    ref = ObjectRef.of(written)
    seen = snapshot.get(ref.kind, ref.name, ref.namespace)
    if seen is None or ObjectRef.of(seen).uid != ref.uid:
        return False
    # the generation is raised by every change of the spec; kinds without one are there, or not
    return int(dig(seen, "metadata", "generation", default=0)) >= int(
        dig(written, "metadata", "generation", default=0)
    )
