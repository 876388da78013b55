"""Proof that what runs is what was built: pods' own words against the image's identity.

A pod's status says by `imageID` which bits a container was started from. That is the digest of the
image's configuration where the image was loaded into the node, and `repository@digest` of its
manifest where it was pulled (Kubernetes' API reference, ContainerStatus). A tag proves nothing: it
can be moved, and a node keeps what it got first.

Only a node can tell which configuration belongs to a manifest, and `identify` asks it. Beside that
nothing is asked of the cluster here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from seatrial.core.errors import ConfigurationError, ProvenanceError
from seatrial.core.model import Object, ObjectRef, dig
from seatrial.core.references import Reference
from seatrial.core.spelling import did_you_mean
from seatrial.images.engine_image import Image

__all__ = ["assert_runs"]

_GROUPS = (
    ("initContainers", "initContainerStatuses"),
    ("containers", "containerStatuses"),
)
_HEX = 12


Identify = Callable[[str, str], str]
"""Gives the digest of the configuration that a node (its name) has under a digest; "" for none."""


@dataclass(frozen=True)
class _Container:
    """A container of a pod: what is asked for, and what the node says it got."""

    pod: ObjectRef
    node: str
    name: str
    spec: Object
    status: Object
    identify: Identify

    @property
    def image(self) -> str:
        return str(self.spec.get("image", ""))

    @property
    def image_id(self) -> str:
        return str(self.status.get("imageID", ""))

    def runs(self, image: Image) -> bool:
        """Whether it was started from the very bits of `image`."""
        # docker's shim once wrote docker-pullable:// and docker:// before it
        digest = _digest_of(self.image_id) or self.image_id.rpartition("//")[2]
        if digest in {image.id, _digest_of(image.digest or "")} - {""}:
            return True
        return self.identify(self.node, digest) == image.id

    @property
    def where(self) -> str:
        return f"container {self.name} of {self.pod} on {self.node or 'no node'}"

    def is_of(self, repository: str) -> bool:
        try:
            return Reference.parse(self.image).repository == repository
        except ValueError:
            return False


def assert_runs(
    image: Image,
    pods: Sequence[Object],
    *,
    container: str = "",
    pinned: bool = False,
    identify: Identify = lambda _node, _digest: "",
) -> None:
    """Every container that is to run `image` was started from its very bits, on every node.

    `container` names the containers; by default those are meant whose image has the repository of
    `image`. With `pinned`, their specification must name the image by digest as well
    (`repository@sha256:…`), so that nothing can be put in its place later.

    Raises `ProvenanceError` for a container that runs something else, and `ConfigurationError` if
    there is no pod, or no container of that name or repository.
    """
    meant = _meant(image, pods, container, identify)
    for each in meant:
        problem = _problem(each, image)
        if problem:
            cause, hint = problem
            raise ProvenanceError(cause, details=_evidence(image, meant), hint=hint)
    if pinned:
        loose = [each for each in meant if not _digest_of(each.image)]
        if loose:
            raise ProvenanceError(
                f"{loose[0].where} is not pinned: its image {loose[0].image!r} has no digest",
                details=_evidence(image, meant),
                hint="name the image as repository@sha256:…",
            )


def _meant(
    image: Image, pods: Sequence[Object], container: str, identify: Identify
) -> list[_Container]:
    every = [each for pod in pods for each in _containers(pod, identify)]
    if not every:
        raise ConfigurationError(
            f"no pod is there that could run {image}", hint="wait first: release.wait_ready()"
        )
    repository = Reference.parse(image.reference).repository
    meant = [each for each in every if each.name == container or
             (not container and each.is_of(repository))]  # fmt: skip
    if not meant:
        names = dict.fromkeys(each.name for each in every)
        wanted = f"is named {container!r}" if container else f"runs an image of {repository}"
        raise ConfigurationError(
            f"no container {wanted}",
            details="\n".join(dict.fromkeys(f"{e.name}: image {e.image}" for e in every)),
            hint=did_you_mean(container, names) or "name it: container='…'",
        )
    return meant


def _containers(pod: Object, identify: Identify) -> Iterator[_Container]:
    ref, node = ObjectRef.of(pod), str(dig(pod, "spec", "nodeName", default=""))
    for specs, statuses in _GROUPS:
        said = {each["name"]: each for each in dig(pod, "status", statuses, default=[])}
        for spec in dig(pod, "spec", specs, default=[]):
            status = said.get(spec["name"], {})
            yield _Container(ref, node, spec["name"], spec, status, identify)


def _problem(container: _Container, image: Image) -> tuple[str, str] | None:
    """What is wrong with it, and the way out; None if it runs the image."""
    if not container.image_id:
        return f"{container.where} has not started, so nothing is proven", "release.wait_ready()"
    if container.runs(image):
        return None
    runs = f"{container.where} does not run the image that was built"
    same = _same_name(container.image, image.reference)
    if container.spec.get("imagePullPolicy") == "Always" and (same or _is_latest(container.image)):
        return (
            f"{runs}: imagePullPolicy is Always, so it runs what a registry has under "
            f"{container.image!r}",
            "set imagePullPolicy: IfNotPresent, and a tag other than :latest, which implies Always",
        )
    if not same:
        return (
            f"{runs}: it is told to run {container.image!r}, not {image.reference!r}",
            f"k8s_deploy(…, images={{{container.name!r}: image}}) puts the built image in",
        )
    return (
        f"{runs}: the node has an older image under the tag {container.image!r}",
        "load the image again, and give each build a tag of its own, as k8s_image does",
    )


def _same_name(one: str, other: str) -> bool:
    try:
        return Reference.parse(one) == Reference.parse(other)
    except ValueError:
        return False


def _is_latest(reference: str) -> bool:
    try:
        return Reference.parse(reference).tag == "latest"
    except ValueError:
        return False


def _digest_of(reference: str) -> str:
    return reference.rpartition("@")[2] if "@" in reference else ""


def _evidence(image: Image, containers: Sequence[_Container]) -> str:
    lines = [f"built: {image.reference}, {_short(image.id)}"]
    if image.digest:
        lines.append(f"pushed or pulled as: {image.digest}")
    lines += [
        f"{'same ' if each.runs(image) else 'OTHER'}  {each.where}: "
        f"{each.image} is {_short(each.image_id) or 'not started'}"
        for each in containers
    ]
    return "\n".join(lines)


def _short(identity: str) -> str:
    name, colon, hexadecimal = identity.rpartition(":")
    return f"{name}{colon}{hexadecimal[:_HEX]}" if colon else identity
