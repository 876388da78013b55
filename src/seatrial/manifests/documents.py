"""Manifests, from wherever a test has them: files, folders, text or dictionaries."""

from __future__ import annotations

import copy
import glob
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from seatrial.core.errors import ManifestError
from seatrial.core.model import Object, ObjectRef, dig
from seatrial.core.spelling import did_you_mean, nearest
from seatrial.manifests.yaml_reading import Document, read_json, read_yaml

__all__ = ["Manifest", "Source", "load", "require"]

#: the files of a folder that are manifests
SUFFIXES = (".yaml", ".yml", ".json")

Source: TypeAlias = "str | Path | Mapping[str, Any] | Manifest | Iterable[Source]"


@dataclass(frozen=True)
class Manifest:
    """One Kubernetes object as somebody wrote it, and where. Never changed: see `with_object`."""

    object: Object
    origin: str = field(compare=False)
    """For a person: `fixtures/manifests/deployment.yaml, document 2, line 14`."""

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

    def with_object(self, obj: Object) -> Manifest:
        """The same manifest with other content."""
        return Manifest(obj, self.origin)

    def copy_object(self) -> dict[str, Any]:
        """A copy of the content, to be changed."""
        return copy.deepcopy(dict(self.object))

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


def load(source: Source, *, base: Path | None = None) -> tuple[Manifest, ...]:
    """The manifests of `source`, in the order of files and documents; `List`s are taken apart.

    A text with a line break in it is YAML; any other is a file, a folder (its `*.yaml`, `*.yml` and
    `*.json`, sorted by name) or a pattern such as `manifests/*.yaml`. Relative paths start at
    `base`, or at the current folder.

    Raises `ManifestError` for whatever cannot be found or read, has no `apiVersion`, `kind` or
    `metadata.name`, or is there twice.
    """
    manifests = tuple(_load(source, base or Path()))
    if not manifests:
        raise ManifestError(f"there are no manifests in {_shown(source)}")
    _refuse_duplicates(manifests)
    return manifests


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


def _load(source: Source, base: Path) -> Iterator[Manifest]:
    if isinstance(source, Manifest):
        yield source
    elif isinstance(source, Mapping):
        yield from _manifests(
            [Document(copy.deepcopy(dict(source)), 1, 0)], "a dictionary", one=True
        )
    elif isinstance(source, str) and "\n" in source:
        yield from _manifests(read_yaml(source, "YAML text"), "YAML text")
    elif isinstance(source, str | Path):
        for path in _files(source, base):
            yield from _read_file(path)
    elif isinstance(source, Iterable):
        for each in source:
            yield from _load(each, base)
    else:
        raise ManifestError(f"manifests cannot be loaded from {source!r}")


def _files(source: str | Path, base: Path) -> list[Path]:
    if not str(source).strip():
        raise ManifestError("the path of the manifests is empty")
    path = base / Path(source).expanduser()
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if each.suffix in SUFFIXES)
        if not found:
            raise ManifestError(
                f"folder {source} holds no manifests",
                hint=f"the files that are read end in {', '.join(SUFFIXES)}; folders in it are not",
            )
        return found
    if path.exists():
        return [path]
    if glob.has_magic(str(source)):
        matched = sorted(Path(each) for each in glob.glob(str(path), recursive=True))  # noqa: PTH207 - Path.glob refuses absolute patterns
        if not matched:
            raise ManifestError(f"no file matches {source}", hint=f"looked from {base.absolute()}")
        return [each for each in matched if each.is_file()]
    raise _missing(source, path)


def _missing(source: str | Path, path: Path) -> ManifestError:
    place = path.absolute().parent
    near = (
        did_you_mean(path.name, [each.name for each in place.iterdir()]) if place.is_dir() else ""
    )
    return ManifestError(
        f"manifest {source} does not exist",
        hint=near or f"looked for {path.absolute()}",
    )


def _read_file(path: Path) -> Iterator[Manifest]:
    try:
        # files that were made on Windows often begin with a byte order mark
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path} is not text in UTF-8", details=str(error)) from error
    except OSError as error:
        raise ManifestError(f"{path} cannot be read: {error.strerror}") from error
    read = read_json if path.suffix == ".json" else read_yaml
    yield from _manifests(read(text, str(path)), str(path))


def _manifests(
    documents: Iterable[Document], origin: str, *, one: bool = False
) -> Iterator[Manifest]:
    for document in documents:
        where = origin if one else f"{origin}, document {document.number}, line {document.line}"
        yield from _objects(document, where, origin)


def _objects(document: Document, where: str, origin: str) -> Iterator[Manifest]:
    body = document.body
    if not isinstance(body, dict):
        raise ManifestError(f"{where}: is {_type(body)}, not an object with apiVersion and kind")
    kind = body.get("kind")
    # a List of any group ("PodList" too) holds its objects under items, which no object itself has
    if isinstance(kind, str) and kind.endswith("List") and isinstance(body.get("items"), list):
        for index, item in enumerate(body["items"]):
            line = document.items[index] if index < len(document.items) else 0
            place = f"item {index + 1}, line {line}" if line else f"item {index + 1}"
            part = f"{origin}, document {document.number}, {place}"
            yield from _objects(Document(item, document.number, line), part, origin)
        return
    _check(body, where)
    yield Manifest(body, where)


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


def _refuse_duplicates(manifests: Iterable[Manifest]) -> None:
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


def _shown(source: object) -> str:
    if isinstance(source, str) and "\n" not in source:
        return source
    if isinstance(source, Path):
        return str(source)
    if isinstance(source, str):
        return "the YAML text"
    return f"a {type(source).__name__}"
