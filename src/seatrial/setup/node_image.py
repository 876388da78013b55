"""Makes a node image for kind from package registries alone, or finds the one that was made."""

from __future__ import annotations

import io
import platform
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import docker
from docker.models.containers import Container

from seatrial.core.errors import NodeImageError
from seatrial.core.progress import Progress, Step
from seatrial.setup.node_recipe import (
    BASE,
    FOLDER,
    POD_COMMANDS,
    PROXY_PACKAGES,
    Recipe,
)
from seatrial.setup.oci import ImageSpec, Layer, write_archive
from seatrial.tools import engine
from seatrial.tools.artifacts import Artifacts
from seatrial.tools.running import run

__all__ = ["CNI_LABEL", "NodeImageBuilder"]

#: label of an image whose pod network the cluster provider has to set up
CNI_LABEL = "seatrial.dev/cni"

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class NodeImageBuilder:
    """Builds node images into the engine of `client`."""

    client: docker.DockerClient
    artifacts: Artifacts
    progress: Progress
    mirror: str = ""
    """A Debian mirror; empty for the one that this machine installs from."""

    def find(self, kubernetes: str) -> str | None:
        """The reference of the image for that Kubernetes version if it is in the engine."""
        reference = Recipe(kubernetes).reference
        return reference if engine.has_image(self.client, reference) else None

    def build(self, kubernetes: str) -> str:
        """Make the image unless it is there, and give its reference.

        Raises `NodeImageError`, `ToolError` (Go is missing) or `CommandError` (a build fails).
        """
        recipe = Recipe(kubernetes)
        with self.artifacts.lock(f"node-image-{recipe.key}"):
            if found := self.find(kubernetes):
                return found
            # the executables first: it is they that take the time
            built = {
                name: build.run(self.artifacts, self.progress)
                for name, build in recipe.builds.items()
            }
            BASE.ensure(self.client, self.artifacts, self.progress, mirror=self.mirror)
            with self.progress.step(f"assembling {recipe.reference}") as step:
                self._assemble(recipe, built, step)
        return recipe.reference

    def _assemble(self, recipe: Recipe, built: Mapping[str, Path], step: Step) -> None:
        with (
            self.artifacts.workspace(f"node-image-{recipe.key}") as folder,
            self._container(recipe) as container,
        ):
            images = _images(recipe, built, _proxy_layer(container, folder), folder)
            step.line("copying the executables")
            archive = folder / "images.tar"
            write_archive(archive, images, architecture=_architecture())
            payload = folder / "payload.tar"
            _write_payload(payload, recipe, built, archive, _pause(images))
            with payload.open("rb") as content:
                container.put_archive("/", content)
            step.line("unpacking Kubernetes' images")
            _execute(container, ["/assemble"])
            repository, tag = recipe.reference.split(":")
            container.commit(
                repository,
                tag,
                changes=[
                    'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]',
                    "CMD []",
                    f"LABEL {CNI_LABEL}=host",
                    f"LABEL seatrial.dev/kubernetes={recipe.kubernetes}",
                    f"LABEL seatrial.dev/recipe={recipe.key}",
                ],
            )

    @contextmanager
    def _container(self, recipe: Recipe) -> Iterator[Container]:
        """A privileged container of the base image, gone afterwards."""
        labels = {"seatrial.dev/role": "node-image-build", "seatrial.dev/recipe": recipe.key}
        wanted = [f"{name}={value}" for name, value in labels.items()]
        # the recipe's lock is held, so one that is there was left by a process that died
        for leftover in self.client.containers.list(all=True, filters={"label": wanted}):
            leftover.remove(force=True, v=True)
        container = self.client.containers.create(
            BASE.reference,
            ["sleep", "infinity"],
            privileged=True,
            network_mode="none",
            # systemd's signal does nothing to `sleep`
            stop_signal="SIGKILL",
            tmpfs={"/run": "", "/tmp": ""},  # noqa: S108 - in the container, and gone with it
            labels=labels,
        )
        try:
            container.start()
            yield container
        finally:
            container.remove(force=True, v=True)


def _execute(container: Container, argv: list[str]) -> bytes:
    status, output = container.exec_run(argv, demux=True)
    parts: tuple[bytes | None, bytes | None] = output  # type: ignore[assignment] # demux: a pair
    stdout, stderr = (part or b"" for part in parts)
    if status != 0:
        raise NodeImageError(
            f"{argv[0]} ended with status {status} while the node image was assembled",
            details=(stdout + stderr).decode(errors="replace")[-4000:],
        )
    return stdout


def _proxy_layer(container: Container, folder: Path) -> Layer:
    content = (FOLDER / "proxy-files").read_bytes()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        _add_bytes(archive, "proxy-files", content)
    container.put_archive("/", packed.getvalue())
    tar = folder / "proxy.tar"
    tar.write_bytes(_execute(container, ["/proxy-files", *PROXY_PACKAGES]))
    _execute(container, ["rm", "/proxy-files"])
    return Layer.of_tar(tar)


def _images(
    recipe: Recipe, built: Mapping[str, Path], proxy: Layer, folder: Path
) -> list[ImageSpec]:
    """The images that kubeadm asks for, under the names it asks for them by."""
    kubernetes = Layer.of_files(
        folder / "kubernetes.tar",
        {"usr/local/bin/kubernetes": built["kubernetes"] / "kubernetes"},
        {f"usr/local/bin/{command}": "kubernetes" for command in POD_COMMANDS},
    )

    def single(name: str, path: str) -> Layer:
        return Layer.of_files(folder / f"{name}.tar", {path: built[name] / name}, {})

    specs = {
        "etcd": ImageSpec((), (single("etcd", "usr/local/bin/etcd"),)),
        "coredns": ImageSpec((), (single("coredns", "coredns"),), entrypoint=("/coredns",)),
        "pause": ImageSpec((), (single("pause", "pause"),), entrypoint=("/pause",), user="65535"),
        "kube-proxy": ImageSpec((), (kubernetes, proxy)),
    }
    images = []
    for name in _wanted(recipe, built["kubernetes"], folder):
        component = name.rsplit(":", 1)[0].rsplit("/", 1)[-1]
        spec = specs.get(component, ImageSpec((), (kubernetes,)))
        images.append(ImageSpec((name,), spec.layers, spec.entrypoint, spec.user))
    return images


def _wanted(recipe: Recipe, folder: Path, links: Path) -> list[str]:
    """What `kubeadm config images list` says."""
    kubeadm = links / "kubeadm"
    kubeadm.symlink_to(folder / "kubernetes")
    listed = run(
        [kubeadm, "config", "images", "list", f"--kubernetes-version=v{recipe.kubernetes}"]
    ).stdout.split()
    components = {name.rsplit(":", 1)[0].rsplit("/", 1)[-1] for name in listed}
    expected = {"etcd", "coredns", "pause", *POD_COMMANDS}
    if components != expected:
        raise NodeImageError(
            f"kubeadm {recipe.kubernetes} asks for images that the recipe does not know",
            details=f"asked for: {', '.join(sorted(components))}\n"
            f"the recipe makes: {', '.join(sorted(expected))}",
        )
    return listed


def _pause(images: list[ImageSpec]) -> str:
    return next(image.names[0] for image in images if image.entrypoint == ("/pause",))


def _write_payload(
    tar: Path, recipe: Recipe, built: Mapping[str, Path], images: Path, pause: str
) -> None:
    """Everything that goes into the container, as one tar."""
    with tarfile.open(tar, "w") as archive:
        for name, path in recipe.node_files.items():
            content = path.read_bytes().replace(b"@PAUSE@", pause.encode())
            _add_bytes(archive, name, content, executable=path.parent.name in ("bin", "seatrial"))
        for source in ("containerd", "crictl"):
            for executable in sorted(built[source].iterdir()):
                archive.add(executable, f"usr/local/bin/{executable.name}")
        for plugin in sorted(built["cni"].iterdir()):
            archive.add(plugin, f"opt/cni/bin/{plugin.name}")
        _add_bytes(archive, "kind/version", f"v{recipe.kubernetes}".encode(), executable=False)
        _add_bytes(archive, "assemble", (FOLDER / "assemble").read_bytes())
        archive.add(images, "seatrial-images.tar")


def _add_bytes(
    archive: tarfile.TarFile, name: str, content: bytes, *, executable: bool = True
) -> None:
    for parent in reversed(PurePosixPath(name).parents[:-1]):
        # systemd's folders are there; one of ours must not come to belong to a build's umask
        entry = tarfile.TarInfo(str(parent))
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(entry)
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o755 if executable else 0o644
    archive.addfile(entry, io.BytesIO(content))


def _architecture() -> str:
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise NodeImageError(f"node images are not made for {machine} machines")
    return _ARCHITECTURES[machine]
