"""A cluster as a test sees it: its API, its nodes, its streams, and images to run on it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import docker
from filelock import FileLock, Timeout

from seatrial.cluster import ClusterHandle, Node
from seatrial.core.progress import Progress, Quiet
from seatrial.events import Timeline
from seatrial.harness.namespaces import SessionNamespaces
from seatrial.images import Image, find, load, load_archive
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
    ("Node", "v1"),
    ("ConfigMap", "v1"),
    ("Service", "v1"),
    ("EndpointSlice", "discovery.k8s.io/v1"),
    ("ServiceAccount", "v1"),
)


class Cluster:
    """A cluster that is up. `close` ends its streams, not the cluster."""

    def __init__(
        self,
        handle: ClusterHandle,
        *,
        kind: Path | None,
        kubectl: Path,
        node_image: str,
        client: docker.DockerClient,
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
        self.client = client
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
        try:
            with ThreadPoolExecutor(len(WATCHED)) as pool:
                for opened in [pool.submit(hub.open, kind, version) for kind, version in WATCHED]:
                    opened.result()
        except BaseException:
            hub.close()
            raise
        return hub

    @cached_property
    def namespaces(self) -> SessionNamespaces:
        """The namespaces of this session's tests; those of killed sessions are deleted."""
        namespaces = SessionNamespaces(self.objects, self.hub, self._session)
        for left in namespaces.sweep():
            self._progress.note(f"deleting namespace {left} of a session that was killed")
        return namespaces

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
        self._locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._locks / f"{self.name}.images.lock", is_singleton=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            with self._progress.step("waiting for another worker's image"):
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _load_images(self, images: Sequence[Image | str | Path], reference: str) -> list[Image]:
        given: list[Image] = []
        for each in images:
            if isinstance(each, Path):
                loaded = load_archive(
                    each, self.nodes, reference=reference, progress=self._progress
                )
            else:
                image = find(self.client, each) if isinstance(each, str) else each
                loaded = [load(image, self.nodes, client=self.client, progress=self._progress)]
            given += [one.image for one in loaded]
        return given

    def events(self, namespace: str = "default") -> Timeline:
        """The events of a namespace, those from before included; nodes' are in `default`."""
        return Timeline(self.hub.view(namespace))

    def await_deleted(self) -> None:
        """Wait until the namespaces of tests that are over are gone. Raises `ManifestError`."""
        if "namespaces" in self.__dict__:
            self.namespaces.await_deleted()

    def close(self) -> None:
        """End the streams and connections."""
        if "hub" in self.__dict__:
            self.hub.close()
        if "connection" in self.__dict__:
            self.connection.close()
