"""Puts images into manifests, wherever a pod is described in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from seatrial.core.errors import ManifestError
from seatrial.core.model import dig
from seatrial.core.references import Reference
from seatrial.core.spelling import did_you_mean
from seatrial.manifests.documents import Manifest

__all__ = ["HasReference", "with_images"]

#: where a kind keeps its pod spec; every other kind has none
POD_SPECS: Mapping[str, tuple[str, ...]] = {
    "Pod": ("spec",),
    "PodTemplate": ("template", "spec"),
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "ReplicationController": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}


@runtime_checkable
class HasReference(Protocol):
    """An image that knows what to call it, such as one that was built."""

    @property
    def reference(self) -> str: ...


def with_images(
    manifests: Iterable[Manifest], images: Mapping[str, str | HasReference]
) -> tuple[Manifest, ...]:
    """The manifests with `images` put in; what is given stays as it is.

    A key is the name of a container, or the image that a manifest names: in full (`flask:dev`) or
    without its tag (`flask`), read as Docker reads it. Where more than one key fits a container,
    its name counts first, then the full image. Init containers are containers.

    Raises `ManifestError` for a key that fits nothing, and for a value that is no image reference.
    """
    given = tuple(manifests)
    wanted = {key: _reference(key, image) for key, image in images.items()}
    unused = set(wanted)
    substituted = []
    for manifest in given:
        body = manifest.copy_object()
        changed = False
        for container in _containers(body):
            fitting = [key for key in _names(container) if key in wanted]
            fitting += [key for key in wanted if key not in fitting and _is_image(key, container)]
            unused -= set(fitting)
            if fitting:
                container["image"] = wanted[fitting[0]]
                changed = True
        substituted.append(manifest.with_object(body) if changed else manifest)
    for key in wanted:
        if key in unused:
            raise _unused(key, given)
    return tuple(substituted)


def _reference(key: str, image: str | HasReference) -> str:
    reference = image.reference if isinstance(image, HasReference) else image
    try:
        Reference.parse(reference)
    except (TypeError, ValueError, AttributeError) as error:
        raise ManifestError(
            f"the image given for {key!r} cannot be used: {reference!r} is no image reference",
            hint="give a text such as flask:1.0, or an image that was built",
        ) from error
    return reference


def _containers(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    path = POD_SPECS.get(body["kind"])
    if path is None:
        return
    for group in ("initContainers", "containers"):
        entries = dig(body, *path, group, default=[])
        for container in entries if isinstance(entries, list) else []:
            if isinstance(container, dict):
                yield container


def _names(container: Mapping[str, Any]) -> list[str]:
    """What the container can be called outright, in the order of what counts."""
    return [str(container.get("name", "")), str(container.get("image", ""))]


def _is_image(key: str, container: Mapping[str, Any]) -> bool:
    try:
        named, image = Reference.parse(key), Reference.parse(str(container.get("image", "")))
    except ValueError:
        return False
    if named == image:
        return True
    has_tag = ":" in key.rpartition("/")[2] or "@" in key
    return not has_tag and named.repository == image.repository


def _unused(key: str, manifests: Iterable[Manifest]) -> ManifestError:
    lines, names = [], set()
    for manifest in manifests:
        for container in _containers(manifest.object):
            name, image = _names(container)
            lines.append(f"{manifest}: container {name}, image {image}")
            names |= {name, image, image.partition(":")[0]}
    return ManifestError(
        f"no container is named {key!r}, and none uses an image of that name",
        details="\n".join(lines) or "no manifest describes a pod",
        hint=did_you_mean(key, names - {""}),
    )
