"""Changes manifests from Python: strategic merge, JSON patch (RFC 6902), JSON merge (RFC 7386)."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from seatrial.core.errors import ManifestError
from seatrial.core.model import Object, dig
from seatrial.core.spelling import did_you_mean
from seatrial.manifests.documents import Manifest
from seatrial.manifests.json_patch import json_patch
from seatrial.manifests.strategic import strategic_merge

__all__ = ["Change", "Patch", "merge_patch", "patched"]

#: a mapping is merged (strategically), a list holds the operations of a JSON patch
Change: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Patch:
    """A change of some objects: `Patch("Deployment/flask", {"spec": {"replicas": 3}})`."""

    target: str
    """`Kind/name`, where `*` stands for anything: `Deployment/*`, `*/flask`."""
    change: Change
    """A mapping is a strategic merge patch, a list of operations a JSON patch."""


def patched(
    manifests: Iterable[Manifest], patches: Iterable[Patch | Mapping[str, Any]]
) -> tuple[Manifest, ...]:
    """The manifests after all patches, one after another; what is given stays as it is.

    A patch is a `Patch`, or a mapping that names its object itself, as kubectl and kustomize take
    it: `{"kind": "Deployment", "metadata": {"name": "flask"}, "spec": {"replicas": 3}}`.

    Lists of Kubernetes' own kinds are merged by their keys (containers by name, ports by number);
    in a kind that Kubernetes does not know, mappings merge and lists are replaced.

    Raises `ManifestError`, naming patch, object and path, for a patch that fits no object or cannot
    be done, and for one that makes another object of it.
    """
    if isinstance(patches, Patch | Mapping | str):
        raise ManifestError("patches is one patch, not a list of them", hint="put it in brackets")
    result = tuple(manifests)
    for index, given in enumerate(patches):
        name = f"patches[{index}]"
        patch = given if isinstance(given, Patch) else _named(given, name)
        chosen = [fnmatchcase(str(each), patch.target) for each in result]
        if not any(chosen):
            raise _fits_nothing(patch, name, result)
        result = tuple(
            _changed(each, patch, name) if fits else each
            for each, fits in zip(result, chosen, strict=True)
        )
    return result


def merge_patch(manifest: Manifest, patch: Mapping[str, Any]) -> Manifest:
    """The manifest with `patch` merged in: mappings by key, None removes, all else replaces."""
    merged: dict[str, Any] = _merged(manifest.copy_object(), patch)
    return manifest.with_object(merged, changed_by="a patch")


def _named(given: Any, name: str) -> Patch:
    kind, object_name = dig(given, "kind"), dig(given, "metadata", "name")
    if not isinstance(given, Mapping) or not kind or not object_name:
        raise ManifestError(
            f"{name} does not say which object it changes",
            hint='give it a kind and metadata.name, or write Patch("Deployment/flask", …)',
        )
    return Patch(f"{kind}/{object_name}", given)


def _changed(manifest: Manifest, patch: Patch, name: str) -> Manifest:
    try:
        if isinstance(patch.change, Mapping):
            obj = strategic_merge(manifest.object, patch.change)
        else:
            obj = json_patch(manifest.object, _operations(patch.change))
        _refuse_another(obj, manifest.object)
    except ManifestError as error:
        raise ManifestError(
            f"{name} cannot change {manifest}: {error.cause}",
            details=f"{manifest} is from {manifest.origin}",
            hint=error.hint,
        ) from error
    return manifest.with_object(obj, changed_by=name)


def _refuse_another(obj: Object, before: Object) -> None:
    for path in (("apiVersion",), ("kind",), ("metadata", "name")):
        if dig(obj, *path) != dig(before, *path):
            raise ManifestError(f"{'.'.join(path)}: a patch cannot make it another object")


def _operations(change: Any) -> Sequence[Mapping[str, Any]]:
    if isinstance(change, str) or not isinstance(change, Sequence):
        raise ManifestError(
            f"is {change!r}",
            hint="a mapping is merged; a list holds the operations of a JSON patch",
        )
    return change


def _fits_nothing(patch: Patch, name: str, manifests: Sequence[Manifest]) -> ManifestError:
    names = [str(each) for each in manifests]
    return ManifestError(
        f"{name} is for {patch.target}, and no manifest is that",
        details=", ".join(names),
        hint=did_you_mean(patch.target, names),
    )


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result
