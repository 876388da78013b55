"""Strategic merge patches: mappings merge, and lists of Kubernetes' own kinds merge by their key.

See "Use a strategic merge patch" in Kubernetes' documentation, and "Strategic Merge Patch" in its
community repository for the directives. Of those, `$patch` (delete, replace, merge), `$retainKeys`
and `$deleteFromPrimitiveList/FIELD` are known; `$setElementOrder` is for kubectl's own use.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from seatrial.core.errors import ManifestError
from seatrial.core.model import Object
from seatrial.manifests.merge_keys import VALUES, merge_key
from seatrial.manifests.places import written

__all__ = ["strategic_merge"]

_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_DELETE_VALUES = "$deleteFromPrimitiveList/"

_Merged = dict[str, Any]


def strategic_merge(obj: Object, patch: Mapping[str, Any]) -> dict[str, Any]:
    """The object with `patch` merged in; neither is changed.

    None removes a field. Raises `ManifestError`, whose cause begins with the path of the field,
    for an entry of a list without its key, a mapping where a list is wanted, and a directive that
    is not known.
    """
    merged = _Merge(obj).mapping(copy.deepcopy(dict(obj)), copy.deepcopy(dict(patch)), [])
    if not merged:
        raise ManifestError("$patch: delete would remove the whole object")
    return merged


class _Merge:
    def __init__(self, obj: Object) -> None:
        self._obj = obj

    def mapping(self, target: _Merged, patch: _Merged, path: list[str]) -> _Merged:
        how = _directive(patch, path)
        retained = patch.pop(_RETAIN, None)
        if how == "delete":
            return {}
        if how == "replace":
            target = {}
        for key, value in patch.items():
            if key.startswith(_DELETE_VALUES):
                self._delete_values(target, key.removeprefix(_DELETE_VALUES), value, path)
            elif key.startswith("$"):
                raise _wrong(path, f"the directive {key} is not supported: leave it out")
            elif value is None:
                target.pop(key, None)
            elif _is_deletion(value):
                _directive(value, [*path, key])
                target.pop(key, None)
            else:
                target[key] = self._value(target.get(key), value, [*path, key])
        if retained is not None:
            return {key: value for key, value in target.items() if key in retained}
        return target

    def _value(self, target: Any, patch: Any, path: list[str]) -> Any:
        key = merge_key(self._obj, path)
        if key is not None and not isinstance(patch, list):
            raise _wrong(path, f"is a list, and the patch has {_type(patch)} there")
        if isinstance(patch, Mapping):
            return self.mapping(target if isinstance(target, dict) else {}, dict(patch), path)
        if not isinstance(patch, list):
            return patch
        there = target if isinstance(target, list) else []
        if key is None:
            return patch
        if key == VALUES:
            return [*there, *(value for value in patch if value not in there)]
        return self._entries(there, patch, key, path)

    def _entries(self, target: list[Any], patch: list[Any], key: str, path: list[str]) -> list[Any]:
        if {_DIRECTIVE: "replace"} in patch:
            target = []
            patch = [entry for entry in patch if entry != {_DIRECTIVE: "replace"}]
        for index, entry in enumerate(patch):
            if not isinstance(entry, dict) or entry.get(key) is None:
                raise _wrong(
                    path,
                    f"entry {index + 1} of the patch has no {key}, by which the list is merged",
                )
            found = _find(target, entry, key)
            if _is_deletion(entry):
                target = [each for place, each in enumerate(target) if place != found]
            elif found is None:
                target = [*target, self.mapping({}, entry, path)]
            else:
                target[found] = self.mapping(target[found], entry, path)
        return target

    def _delete_values(self, target: _Merged, key: str, values: Any, path: list[str]) -> None:
        if not isinstance(values, list):
            raise _wrong([*path, key], f"{_DELETE_VALUES}{key} is {_type(values)}, not a list")
        if key in target:
            target[key] = [each for each in target[key] if each not in values]


def _find(target: list[Any], entry: _Merged, key: str) -> int | None:
    """The entry that is meant. Ports are told apart by their protocol as well, if need be."""
    found = [
        index
        for index, each in enumerate(target)
        if isinstance(each, dict) and each.get(key) == entry[key]
    ]
    protocol = entry.get("protocol", "TCP")
    same = [index for index in found if target[index].get("protocol", "TCP") == protocol]
    return next(iter((same if len(found) > 1 else found) or found), None)


def _is_deletion(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get(_DIRECTIVE) == "delete"


def _directive(patch: _Merged, path: list[str]) -> str:
    """Take the directive of a mapping out of it."""
    how = patch.pop(_DIRECTIVE, "merge")
    if how not in ("delete", "merge", "replace"):
        raise _wrong(path, f"$patch is {how!r}, and can be delete, merge or replace")
    return str(how)


def _wrong(path: list[str], words: str) -> ManifestError:
    return ManifestError(f"{written(tuple(path)) or 'the patch'}: {words}")


def _type(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list) else "a single value"
