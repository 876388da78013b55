"""Manifests: Kubernetes objects as somebody wrote them, and where every field of them stands."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from seatrial.core.errors import ManifestError
from seatrial.core.model import Object, ObjectRef, dig
from seatrial.core.spelling import did_you_mean, nearest
from seatrial.manifests.places import FieldPath, Passage, child
from seatrial.manifests.yaml_reading import Document

__all__ = ["Manifest", "Origin", "manifests_of", "refuse_duplicates", "require"]


@dataclass(frozen=True)
class Manifest:
    """One Kubernetes object as somebody wrote it, and where. Never changed: see `with_object`."""

    object: Object
    origin: str = field(compare=False)
    """For a person: `fixtures/manifests/deployment.yaml, document 2, line 14`."""
    passage: Passage | None = field(default=None, compare=False, repr=False)
    """The text it was read from; None for a dictionary."""
    changed_by: tuple[str, ...] = field(default=(), compare=False)
    """The patches that have changed it since."""

    @property
    def api_version(self) -> str:
        return str(self.object["apiVersion"])

    @property
    def kind(self) -> str:
        return str(self.object["kind"])

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """The namespace it names itself; mostly none."""
        return str(dig(self.object, "metadata", "namespace", default=""))

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef(self.kind, self.name, self.namespace)

    def with_object(self, obj: Object, *, changed_by: str = "") -> Manifest:
        """The same manifest with other content; `changed_by` names the patch that made it so."""
        more = (changed_by,) if changed_by else ()
        return replace(self, object=obj, changed_by=(*self.changed_by, *more))

    def copy_object(self) -> dict[str, Any]:
        """A copy of the content, to be changed."""
        return copy.deepcopy(dict(self.object))

    def place(self, path: FieldPath) -> str:
        """Where a field stands: `deployment.yaml:27`, or the object's name where nobody knows."""
        if self.passage is None:
            return f"{self} ({self.origin})"
        return f"{self.passage.file}:{self.passage.line(path, self.object)[0]}"

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True)
class Origin:
    """Where a text came from."""

    name: str
    """For a person: its file, or what made it."""
    lines: Sequence[str] = ()
    in_file: bool = True
    """False for a text that nobody can look up."""
    parts: bool = True
    """Whether there is more than one document to it."""

    def passage(self, document: Document) -> Passage | None:
        if document.node is None:
            return None
        return Passage(self.name, document.node, self.lines, self.in_file)


def manifests_of(documents: Iterable[Document], origin: Origin) -> Iterator[Manifest]:
    """The manifests among the documents; `List`s are taken apart.

    Raises `ManifestError` for what has no `apiVersion`, `kind` or `metadata.name`.
    """
    for document in documents:
        place = f", document {document.number}, line {document.line}" if origin.parts else ""
        yield from _objects(document, f"{origin.name}{place}", origin)


def require(manifests: Iterable[Manifest], kind: str, name: str = "") -> Manifest:
    """The first manifest of that kind (and name). Raises `ManifestError` if there is none."""
    manifests = tuple(manifests)
    for manifest in manifests:
        if manifest.kind == kind and name in ("", manifest.name):
            return manifest
    wanted = f"{kind}/{name}" if name else kind
    there = [str(each) if name else each.kind for each in manifests]
    raise ManifestError(
        f"there is no {wanted} among the manifests",
        details="\n".join(f"{each} ({each.origin})" for each in manifests),
        hint=did_you_mean(wanted, there),
    )


def _objects(document: Document, where: str, origin: Origin) -> Iterator[Manifest]:
    body = document.body
    if not isinstance(body, dict):
        raise ManifestError(f"{where}: is {_type(body)}, not an object with apiVersion and kind")
    kind = body.get("kind")
    # a List of any group ("PodList" too) holds its objects under items, which no object itself has
    if isinstance(kind, str) and kind.endswith("List") and isinstance(body.get("items"), list):
        items = child(document.node, "items") if document.node else None
        for index, item in enumerate(body["items"]):
            entry = child(items[1], index) if items else None
            line, node = entry or (0, None)
            place = f"item {index + 1}, line {line}" if entry else f"item {index + 1}"
            part = f"{origin.name}, document {document.number}, {place}"
            yield from _objects(Document(item, document.number, line, node), part, origin)
        return
    _check(body, where)
    yield Manifest(body, where, origin.passage(document))


def _check(body: dict[str, Any], where: str) -> None:
    if "metadata" in body and not isinstance(body["metadata"], dict):
        raise ManifestError(f"{where}: metadata is {_type(body['metadata'])}, not a mapping")
    for path in (("apiVersion",), ("kind",), ("metadata", "name")):
        value = dig(body, *path)
        name = ".".join(path)
        if value in (None, ""):
            raise ManifestError(f"{where}: has no {name}", hint=_instead(body, name))
        if not isinstance(value, str):
            raise ManifestError(
                f"{where}: {name} is {value!r}, not text", hint=f'put it in quotes: "{value}"'
            )


def _instead(body: dict[str, Any], name: str) -> str:
    if name == "metadata.name":
        generated = dig(body, "metadata", "generateName")
        return "generateName cannot be used: server-side apply needs a name" if generated else ""
    near = nearest(name, body)
    return f"it has {near!r} instead" if near else ""


def refuse_duplicates(manifests: Iterable[Manifest]) -> None:
    """Raise `ManifestError` for an object that is there twice."""
    first: dict[tuple[str, str, str, str], Manifest] = {}
    for manifest in manifests:
        # the same object in another version of its group is the same object
        group = manifest.api_version.rpartition("/")[0]
        key = (group, manifest.kind, manifest.namespace, manifest.name)
        if key in first:
            raise ManifestError(
                f"{manifest} is there twice",
                details=f"{first[key].origin}\n{manifest.origin}",
            )
        first[key] = manifest


def _type(value: Any) -> str:
    names = {list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "nothing")
