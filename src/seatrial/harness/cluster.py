"""A cluster as a test sees it: its API, its nodes, its streams, and images to run on it."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import docker

from seatrial.cluster import ClusterHandle, Node, Tenancy
from seatrial.core.errors import EngineError, ImageError
from seatrial.core.locks import held
from seatrial.core.progress import Progress, Quiet
from seatrial.events import Timeline
from seatrial.harness.namespaces import SessionNamespaces
from seatrial.harness.tenant import Tenant, open_streams
from seatrial.images import Image, find, load, load_archive, push
from seatrial.kube import Connection, Objects, connect
from seatrial.tools.running import run
from seatrial.watch import Hub

__all__ = ["Cluster"]

#: what is watched in every cluster from the moment it is first used: what a rollout goes through,
#: and what its diagnosis looks at (a Node's taints, whether a ConfigMap is there by now). Secrets
#: are not: what is not held cannot be shown by mistake.
WATCHED = (
    ("Event", "v1"),
    ("Pod", "v1"),
    ("ReplicaSet", "apps/v1"),
    ("Deployment", "apps/v1"),
    ("ConfigMap", "v1"),
    ("Service", "v1"),
    ("EndpointSlice", "discovery.k8s.io/v1"),
    ("ServiceAccount", "v1"),
    ("Node", "v1"),
)
#: those of them that live in no namespace
SHARED = ("Node",)


class Cluster:
    """A cluster that is up. `close` ends its streams, not the cluster."""

    def __init__(
        self,
        handle: ClusterHandle,
        *,
        kind: Path | None,
        kubectl: Path,
        node_image: str,
        client: docker.DockerClient | None,
        progress: Progress | None = None,
        session: str = "",
        locks: Path | None = None,
    ) -> None:
        """`session` is the label of what this session makes, at random if none is given. `locks`
        is the folder of locks between sessions that load images at once."""
        self.handle = handle
        self.kind_path = kind
        self.kubectl_path = kubectl
        self.node_image = node_image
        self._client = client
        self._progress = progress or Quiet()
        self._session = session or secrets.token_hex(4)
        self._locks = locks

    @property
    def name(self) -> str:
        return self.handle.name

    @property
    def provider(self) -> str:
        """What made it: `kind`."""
        return self.handle.provider

    @property
    def tenancy(self) -> Tenancy | None:
        """What is different as the cluster is somebody else's; None for one of seatrial's own."""
        return self.handle.tenancy

    @property
    def client(self) -> docker.DockerClient:
        """The Docker engine. Raises `EngineError` where there is none: an existing cluster can be
        used without."""
        if self._client is None:
            raise EngineError(
                "no Docker engine answers, so no image can be built or pushed",
                hint="start one, or name images that a registry has: k8s_deploy(…, images={…})",
            )
        return self._client

    @property
    def kubeconfig_path(self) -> Path:
        """A kubeconfig that knows this cluster alone; the user's own is never touched."""
        return self.handle.kubeconfig_path

    @property
    def nodes(self) -> Sequence[Node]:
        """Its machines: `node.name`, `node.exec(["crictl", "ps"])`."""
        return self.handle.nodes

    @cached_property
    def connection(self) -> Connection:
        return connect(self.kubeconfig_path)

    @property
    def api(self) -> Any:
        """The official client's `ApiClient`, for whatever seatrial has no word for."""
        return self.connection.client

    @cached_property
    def objects(self) -> Objects:
        """Get, list, apply and delete any kind of object, as plain dicts."""
        return Objects(self.connection)

    @cached_property
    def hub(self) -> Hub:
        """The watch streams, opened and listed once for all tests."""
        hub = Hub(self.connection)
        kinds: Sequence[tuple[str, str]] = WATCHED
        if self.tenancy is not None:
            # of somebody else's cluster only the namespaces of tests are watched, each by itself
            kinds = tuple(each for each in WATCHED if each[0] in SHARED and self.tenancy.sees_nodes)
        try:
            open_streams(hub, kinds)
        except BaseException:
            hub.close()
            raise
        return hub

    @cached_property
    def namespaces(self) -> SessionNamespaces:
        """The namespaces of this session's tests; those of killed sessions are deleted."""
        namespaces = SessionNamespaces(self.objects, self.hub, self._session, tenant=self._tenant)
        # an account with few rights may not list namespaces
        for left in namespaces.sweep() if self.tenancy is None else ():
            self._progress.note(f"deleting namespace {left} of a session that was killed")
        return namespaces

    @cached_property
    def _tenant(self) -> Tenant | None:
        if self.tenancy is None:
            return None
        kinds = tuple(each for each in WATCHED if each[0] not in SHARED)
        return Tenant(self.tenancy, self.objects, self.hub, kinds)

    def watch(self, kind: str, api_version: str, *, namespace: str) -> None:
        """Watch one more kind, for a test in that namespace; see `Hub.open`."""
        if self.tenancy is None:
            self.hub.open(kind, api_version)
        else:
            self.hub.open(kind, api_version, namespace=namespace)

    def require_rights(self, kinds: Iterable[tuple[str, str]], *, namespace: str) -> None:
        """Raise `ClusterError` with every right that is missing for applying objects of these
        kinds (kind and apiVersion); on a cluster of seatrial's own none is."""
        if self._tenant is not None:
            self._tenant.require_rights(kinds, namespace)

    def kubectl(self, *args: str) -> str:
        """Run the locked kubectl on this cluster and give what it printed to standard output.

        Raises `CommandError`, which shows the command so that it can be pasted into a shell.
        """
        return run(
            [self.kubectl_path, f"--kubeconfig={self.kubeconfig_path}", *args],
            # kubectl would keep what it discovers below the user's own ~/.kube
            env={"KUBECACHEDIR": str(self.kubeconfig_path.parent / "cache")},
        ).stdout

    def load_image(self, image: Image | str | Path, *, reference: str = "") -> Image:
        """Put an image into every node, of which each gets only what it lacks; give the image.

        It is one of the engine, built or named (`flask:dev`), or a file: what `docker save` writes,
        or an OCI layout, as a tar or a folder. `reference` is the name of one image of a file with
        several, or a name for the only one; without it all are loaded, and the first is given.

        Where the cluster is somebody else's, it is pushed to the registry that the settings name,
        and given under the name that nodes pull.

        Raises `ImageError`.
        """
        return self.load_images(image, reference=reference)[0]

    def load_images(self, *images: Image | str | Path, reference: str = "") -> list[Image]:
        """Load images one after another, so that what they share is sent once; see `load_image`."""
        with self.loading():
            return self._load_images(images, reference)

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Let one session at a time build and load images: the next one finds what it needs."""
        if self._locks is None:
            yield
            return
        path = self._locks / f"{self.name}.images.lock"
        with held(path, self._progress, "waiting for another worker's image"):
            yield

    def _load_images(self, images: Sequence[Image | str | Path], reference: str) -> list[Image]:
        given: list[Image] = []
        for each in images:
            if self.tenancy is not None:
                given.append(self._push(each, self.tenancy))
                continue
            if isinstance(each, Path):
                loaded = load_archive(
                    each, self.nodes, reference=reference, progress=self._progress
                )
            else:
                image = find(self.client, each) if isinstance(each, str) else each
                loaded = [load(image, self.nodes, client=self.client, progress=self._progress)]
            given += [one.image for one in loaded]
        return given

    def _push(self, image: Image | str | Path, tenancy: Tenancy) -> Image:
        if isinstance(image, Path):
            raise ImageError(
                f"the file {image} is not pushed: that is the engine's work",
                hint=f"docker load --input {shlex.quote(str(image))}, then give the image's name",
            )
        found = find(self.client, image) if isinstance(image, str) else image
        if not tenancy.registry:
            raise ImageError(
                f"image {found} has no way into cluster {self.name}, whose nodes are not ours",
                hint="name a registry that they pull from: --seatrial-registry=HOST:PORT/PATH",
            )
        return push(
            self.client,
            found,
            tenancy.registry,
            pulled_from=tenancy.pull_registry,
            progress=self._progress,
        ).image

    def events(self, namespace: str = "default") -> Timeline:
        """The events of a namespace, those from before included; nodes' are in `default`.

        Raises `ConfigurationError` for a namespace that is not watched, as those of others are not.
        """
        if self._tenant is not None:
            self._tenant.require_watched(namespace)
        return Timeline(self.hub.view(namespace))

    def await_deleted(self) -> None:
        """Wait until the namespaces of tests that are over are gone. Raises `ManifestError`."""
        if "namespaces" in self.__dict__:
            self.namespaces.await_deleted()

    def close(self) -> None:
        """End the streams and connections; of somebody else's cluster, let go altogether."""
        if "hub" in self.__dict__:
            self.hub.close()
        if "connection" in self.__dict__:
            self.connection.close()
        if self.tenancy is not None:
            self.tenancy.end()
