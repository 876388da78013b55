"""What is different between two objects, as a patch, and putting it in again.

JSON merge patches (RFC 7386), with one addition: where the patch has an object and there is a
list, its keys `0`, `1`, … name the items to change. A Pod's conditions are such a list, and
mostly one of them changes.

A patch cannot set a value to null, nor put an object in the place of a list. So a caller that needs
to be sure compares `merged(old, difference(old, new))` with `new`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seatrial.core.model import Object

__all__ = ["difference", "merged"]


def difference(old: Object, new: Object) -> dict[str, Any]:
    """The smallest patch that makes `new` of `old`, as far as a patch can."""
    patch: dict[str, Any] = dict.fromkeys(key for key in old if key not in new)
    for key, value in new.items():
        before: Any = old.get(key)
        if key in old and before == value:
            continue
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            patch[key] = difference(before, value)
        elif _are_alike(before, value):
            patch[key] = difference(_numbered(before), _numbered(value))
        else:
            patch[key] = value
    return patch


def merged(old: Object, patch: Object) -> dict[str, Any]:
    """`old` with the patch put in; `old` stays as it is, and may share parts with the result."""
    result = dict(old)
    for key, value in patch.items():
        before = result.get(key)
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(before, list):
            result[key] = list(merged(_numbered(before), value).values())
        elif isinstance(value, Mapping):
            result[key] = merged(before if isinstance(before, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def _are_alike(before: Any, value: Any) -> bool:
    return (
        isinstance(before, list)
        and isinstance(value, list)
        and len(before) == len(value)
        and all(isinstance(item, Mapping) for item in [*before, *value])
    )


def _numbered(items: Sequence[Any]) -> dict[str, Any]:
    return {str(place): item for place, item in enumerate(items)}
