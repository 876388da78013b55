"""What a deployment under test is to the test: applied manifests, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seatrial.core.clock import Deadline
from seatrial.core.errors import ApiError, ClusterError, ConfigurationError, SeatrialError
from seatrial.core.feed import Feed, wait_on
from seatrial.core.model import Object, ObjectRef, Snapshot, Verdict, dig
from seatrial.core.spelling import did_you_mean
from seatrial.harness.cluster import Cluster
from seatrial.harness.running_images import assert_pods_run
from seatrial.images import Image
from seatrial.manifests import (
    Manifest,
    Patch,
    Renderers,
    Validation,
    apply,
    delete,
    label,
    load,
    merge_patch,
    patched,
    validate,
    with_images,
)
from seatrial.readiness import Condition, all_of, condition, ready, wait_until
from seatrial.readiness.workload import Workload
from seatrial.watch.stream import newer

__all__ = ["FIELD_MANAGER", "Deployer", "Release"]

#: whose fields they are, in the eyes of server-side apply
FIELD_MANAGER = "seatrial"

#: kinds that bring pods
WORKLOADS = (
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "Pod",
    "Job",
)

#: kinds that are not watched. A Secret is ready once it is applied: what is not held cannot be
#: shown by mistake
UNWATCHED = ("Secret",)

#: what the rules of a kind look at beside the objects of that kind
COMPANIONS = {"PersistentVolumeClaim": ("StorageClass", "storage.k8s.io/v1")}

#: seconds for which a workload without probes has to stay ready: Kubernetes calls a container
#: without a readiness probe ready the moment its process runs, even if that is about to crash
SETTLING = 2.0

#: seconds for a kind that the release itself defines to be served; some hundred milliseconds as a
#: rule, of which most go by before discovery tells of it
DEFINED_TIMEOUT = 30.0
#: seconds between two looks at that
LOOK_WITHIN = 0.1

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
    helm: str | Path = "helm"
    """What renders charts: a path, or a name to be found on PATH."""
    releases: list[Release] = field(default_factory=list)
    """Those that were made here, oldest first."""

    def __call__(
        self,
        source: Any,
        *,
        images: Mapping[str, Any] | None = None,
        patches: Iterable[Patch | Mapping[str, Any]] = (),
        force: bool = False,
    ) -> Release:
        """Apply `source` and give it as a release.

        `source`: a file, folder, kustomization, helm chart, glob, URL, YAML text, a dict, or a list
        of those. `patches` are done first (see `manifests.patched`); then `images` puts an image
        (or a reference) in for a container's name, or for an image's. `force` takes fields over
        that another field manager has set.

        Raises `ManifestError` for what cannot be read or does not hold what is asked of it, and
        `ApiError` for what the API server refuses.
        """
        release = Release(
            self.cluster,
            self.namespace,
            self._read(source, images, patches),
            self.labels,
            self.ready_timeout,
            force=force,
        )
        # one of which a part was refused has left the other part behind
        self.releases.append(release)
        release.apply()
        return release

    def close(self) -> None:
        """Delete, last first, the releases that the end of the namespace would not end.

        Those with objects that live in no namespace: a ClusterRole, a definition and its resources.
        Any number of times. Raises `ManifestError` for what does not go.
        """
        while self.releases:
            release = self.releases.pop()
            if release.reaches_out:
                release.delete()

    def validate(
        self,
        source: Any,
        *,
        images: Mapping[str, Any] | None = None,
        patches: Iterable[Patch | Mapping[str, Any]] = (),
        force: bool = False,
    ) -> Validation:
        """Have the API server check `source` without changing anything.

        Raises `ManifestError` with every mistake, each with file, line and field.
        """
        return validate(
            label(self._read(source, images, patches), self.labels),
            self.cluster.objects,
            namespace=self.namespace,
            field_manager=FIELD_MANAGER,
            force=force,
        )

    def _read(
        self,
        source: Any,
        images: Mapping[str, Any] | None,
        patches: Iterable[Patch | Mapping[str, Any]],
    ) -> Sequence[Manifest]:
        renderers = Renderers(
            kubectl=self.cluster.kubectl_path,
            helm=self.helm,
            namespace=self.namespace,
            kubernetes=self._kubernetes,
        )
        return with_images(patched(load(source, renderers=renderers), patches), images or {})

    def _kubernetes(self) -> str:
        # a connection that nobody needs is not opened
        return self.cluster.connection.version()


class Release:
    """Manifests in a namespace. `release["Deployment/flask"]` is the live object."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        manifests: Sequence[Manifest],
        labels: Mapping[str, str],
        ready_timeout: float,
        *,
        force: bool = False,
    ) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.manifests = tuple(manifests)
        self._labels = labels
        self._ready_timeout = ready_timeout
        self._force = force
        #: what was applied, as the API server gave it back, by `Kind/name`
        self._applied: dict[str, Object] = {}

    @property
    def refs(self) -> Sequence[ObjectRef]:
        """What was applied, as `Kind/name`."""
        return tuple(ObjectRef.of(manifest.object) for manifest in self.manifests)

    @property
    def reaches_out(self) -> bool:
        """Whether there is anything among it that lives in no namespace."""
        discovery = self.cluster.objects.discovery
        for manifest in self.manifests:
            # a kind that is not known was never applied, or has gone with its definition
            with suppress(ConfigurationError):
                if not discovery.find(manifest.kind, manifest.api_version).namespaced:
                    return True
        return False

    @property
    def feed(self) -> Feed:
        """All that is watched in the namespace."""
        return self.cluster.hub.view(self.namespace)

    def apply(self) -> None:
        """Apply all manifests (server-side).

        Every kind among them is watched before the first is applied; one that the release itself
        defines, before the first of its objects is. Not watched are Secrets, and kinds that the API
        server does not let be listed and watched.

        Raises `ClusterError` with every right that is missing, where the cluster is not ours.
        """
        kinds = [(manifest.kind, manifest.api_version) for manifest in self.manifests]
        self.cluster.require_rights(kinds, namespace=self.namespace)
        for manifest in self.manifests:
            # a kind that is not known yet is defined by the release, or refused when it is applied
            with suppress(ConfigurationError):
                self._watch(manifest)
        written = apply(
            label(self.manifests, self._labels),
            self.cluster.objects,
            namespace=self.namespace,
            field_manager=FIELD_MANAGER,
            force=self._force,
            defined=self._await_defined,
        )
        self._applied = {str(ObjectRef.of(obj)): obj for obj in written}
        self._await_seen([obj for obj in written if self._is_watched(obj)])

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
        holds_for: float | None = None,
        graces: Mapping[str, float] | None = None,
        expect_restarts: int = 0,
    ) -> Verdict:
        """Wait until all that was applied is ready, or what `ref` names (`Deployment/flask`).

        Ready by the rules of its kind; a kind without rules is judged by its conditions, and what
        has none is ready when it is there, as a Secret is, which is not watched.

        Watches, and ends as soon as it has become impossible. `timeout` and `holds_for` are
        seconds. `holds_for` is how long all has to stay ready. Unless it is given, a workload with
        a container that has neither a readiness nor a startup probe has to stay so for 2 s, since
        Kubernetes calls it ready as soon as its process runs; 0 takes Kubernetes at its word.
        `graces` says for how many seconds a cause (`{"ConfigMapMissing": 30}`) may stand, as it may
        be mended; `expect_restarts` how often a container restarts by plan.

        Raises `NotReadyError`, whose first line names the cause and the object, and
        `ConfigurationError` if the release holds no `ref`.
        """
        return wait_until(
            self._condition(ref, settling=SETTLING if holds_for is None else 0.0),
            self.feed,
            timeout=self._ready_timeout if timeout is None else timeout,
            holds_for=holds_for or 0.0,
            graces=graces,
            expect_restarts=expect_restarts,
            log_tail=self._log_tail,
            exists=self._exists,
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
            if str(each) == ref or (not ref and each.kind in WORKLOADS):
                owner = ObjectRef(each.kind, each.name, self.namespace)
                workload = Workload.of(snapshot, owner)
                pods = workload.pods if workload else ()
                found.update({pod.ref.name: pod.object for pod in pods})
        return [found[name] for name in sorted(found)]

    def assert_runs(
        self, image: Image | str, ref: str = "", *, container: str = "", pinned: bool = False
    ) -> None:
        """Prove that the pods run the very image that was built, on every node.

        Held against each other are the image's digest and the `imageID` of each container of
        `pods(ref)` that is named `container`, or, by default, whose image has the repository of
        `image`; init containers count. `pinned` demands that their specification names the image by
        its digest as well, so that nothing can take its place later.

        Raises `ProvenanceError`, which says what runs instead and why (a stale tag, a pull because
        of `:latest` or the policy Always, another image in the manifest), and `ConfigurationError`
        if there is no such container, pod, or `ref`.
        """
        assert_pods_run(self.cluster, self.pods(ref), image, container=container, pinned=pinned)

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

    def _watch(self, manifest: Manifest) -> None:
        """Open the streams for a kind. Raises `ConfigurationError` if there is none."""
        if self._is_watched(manifest.object):
            self.cluster.watch(manifest.kind, manifest.api_version, namespace=self.namespace)
        if companion := COMPANIONS.get(manifest.kind):
            # only makes the diagnosis better, and not everybody may look at it
            with suppress(ApiError):
                self.cluster.watch(*companion, namespace=self.namespace)

    def _is_watched(self, obj: Object) -> bool:
        if obj["kind"] in UNWATCHED:
            return False
        resource = self.cluster.objects.discovery.find(obj["kind"], obj["apiVersion"])
        return {"list", "watch"} <= resource.verbs

    def _await_defined(self, definitions: Sequence[Object]) -> None:
        """Wait until the kinds that the release itself defines are served, and watch them."""
        refs = [ObjectRef.of(obj) for obj in definitions]
        wait_until(all_of(*map(ready, refs)), self.feed, timeout=DEFINED_TIMEOUT)
        names = {dig(obj, "spec", "names", "kind") for obj in definitions}
        for manifest in self.manifests:
            if manifest.kind in names:
                self._watch_when_served(manifest)

    def _watch_when_served(self, manifest: Manifest) -> None:
        feed = self.feed
        deadline = Deadline.after(DEFINED_TIMEOUT, feed.clock)
        while True:
            try:
                self._watch(manifest)
            except (ConfigurationError, ApiError) as error:
                # discovery may tell of a kind some milliseconds before its path is served
                early = isinstance(error, ConfigurationError) or error.status == 404
                if not early or deadline.passed:
                    raise
            else:
                return
            with feed.changed:
                feed.clock.wait(feed.changed, min(LOOK_WITHIN, deadline.remaining))

    def _await_seen(self, awaited: Sequence[Object]) -> None:
        """Wait until the streams have what was written: older state would be judged otherwise."""
        feed = self.feed

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

    def _condition(self, ref: str, *, settling: float) -> Condition:
        if ref:
            self._named(ref)
        chosen = [self._applied[ref]] if ref else self._applied.values()
        return all_of(*(self._ready(obj, settling) for obj in chosen))

    def _ready(self, obj: Object, settling: float) -> Condition:
        # as the API server gave it back: what lives in no namespace is not looked for in one
        ref = ObjectRef.of(obj)
        if not self._is_watched(obj):
            verdict = Verdict.satisfied("Applied", "it was applied, and is not watched", object=ref)
            return condition(lambda _: verdict, f"{ref} to be there")
        return ready(ref).holds_for(settling if _is_unprobed(obj) else 0.0)

    def _exists(self, ref: ObjectRef, key: str) -> bool:
        """Whether an object, and the key in it, is there by now. What is in it is not kept."""
        try:
            found = self.cluster.objects.get("v1", ref.kind, ref.name, ref.namespace)
        except ApiError:
            return False
        if found is None or not key:
            return found is not None
        return any(key in dig(found, field, default={}) for field in ("data", "binaryData"))

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
        workloads = [str(each) for each in self.refs if each.kind in WORKLOADS]
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


def _is_unprobed(obj: Object) -> bool:
    """Whether a container runs on and on, and nothing asks whether it works."""
    if obj["kind"] not in WORKLOADS or obj["kind"] == "Job":
        return False
    spec = dig(obj, "spec", default={})
    if dig(spec, "minReadySeconds", default=0) >= SETTLING:
        return False
    pod = spec if obj["kind"] == "Pod" else dig(spec, "template", "spec", default={})
    if dig(pod, "restartPolicy", default="Always") != "Always":
        return False
    return any(
        "readinessProbe" not in container and "startupProbe" not in container
        for container in dig(pod, "containers", default=[])
    )


def _version(obj: Object) -> str:
    return str(dig(obj, "metadata", "resourceVersion", default=""))


def _is_seen(written: Object, snapshot: Snapshot) -> bool:
    ref = ObjectRef.of(written)
    seen = snapshot.get(ref.kind, ref.name, ref.namespace)
    if seen is None or ObjectRef.of(seen).uid != ref.uid:
        return False
    if newer(_version(written), _version(seen)):
        return False
    # the generation is raised by every change of the spec; kinds without one are there, or not
    return int(dig(seen, "metadata", "generation", default=0)) >= int(
        dig(written, "metadata", "generation", default=0)
    )
