"""JSON patches (RFC 6902): operations, one after another, at paths that are JSON pointers.

Written here rather than taken from a library, for the sake of its errors: which operation, which
step of the path, and what is there instead.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seatrial.core.errors import ManifestError
from seatrial.core.model import Object
from seatrial.core.spelling import did_you_mean

__all__ = ["json_patch"]


def json_patch(obj: Object, operations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The object after all operations, or none: what is given is not changed.

    Raises `ManifestError` that names the operation (`operation 2 (replace /spec/replica)`) and why
    it cannot be done.
    """
    document: Any = copy.deepcopy(dict(obj))
    for number, operation in enumerate(operations, start=1):
        try:
            document = _done(document, operation)
        except ManifestError as error:  # noqa: PERF203 - a patch has few operations
            raise ManifestError(
                f"operation {number}{_title(operation)}: {error.cause}", hint=error.hint
            ) from error
    if not isinstance(document, dict):
        raise ManifestError("what is left after the patch is no object")
    return document


def _done(document: Any, operation: Mapping[str, Any]) -> Any:
    if not isinstance(operation, Mapping):
        raise ManifestError("is not a mapping with op and path")
    name = str(operation.get("op"))
    if name not in _OPERATIONS:
        known = ", ".join(_OPERATIONS)
        raise ManifestError(
            f"op is {name!r}, and can be {known}", hint=did_you_mean(name, _OPERATIONS)
        )
    return _OPERATIONS[name](document, operation)


def _add(document: Any, operation: Mapping[str, Any]) -> Any:
    return _put(document, _pointer(operation, "path"), copy.deepcopy(_given(operation, "value")))


def _remove(document: Any, operation: Mapping[str, Any]) -> Any:
    path = _pointer(operation, "path")
    if not path:
        raise ManifestError("the whole object cannot be removed")
    parent = _get(document, path[:-1])
    del parent[_step(parent, path)]
    return document


def _replace(document: Any, operation: Mapping[str, Any]) -> Any:
    path, value = _pointer(operation, "path"), copy.deepcopy(_given(operation, "value"))
    if not path:
        return value
    parent = _get(document, path[:-1])
    parent[_step(parent, path)] = value
    return document


def _move(document: Any, operation: Mapping[str, Any]) -> Any:
    origin, path = _pointer(operation, "from"), _pointer(operation, "path")
    if path[: len(origin)] == origin and path != origin:
        raise ManifestError("a value cannot be moved into itself")
    if path == origin:
        _get(document, origin)
        return document
    value = _get(document, origin)
    return _put(_remove(document, {"path": operation["from"]}), path, value)


def _copy(document: Any, operation: Mapping[str, Any]) -> Any:
    value = copy.deepcopy(_get(document, _pointer(operation, "from")))
    return _put(document, _pointer(operation, "path"), value)


def _test(document: Any, operation: Mapping[str, Any]) -> Any:
    there = _get(document, _pointer(operation, "path"))
    # as JSON, where true is not 1, nor 1 the same as "1"; but 1.0 is 1 (RFC 6902, section 4.6)
    if not _same(there, _given(operation, "value")):
        # the values are not shown: an object may be a Secret
        raise ManifestError("the value there is another one")
    return document


_OPERATIONS: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


def _put(document: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    parent = _get(document, path[:-1])
    if isinstance(parent, list):
        # an entry is put before the one that has the index; "-" is after the last
        parent.insert(_index(parent, path, end=True), value)
    elif isinstance(parent, dict):
        parent[path[-1]] = value
    else:
        raise _no_way(path[:-1], parent)
    return document


def _get(document: Any, path: Sequence[str]) -> Any:
    for depth in range(len(path)):
        document = document[_step(document, path[: depth + 1])]
    return document


def _step(parent: Any, path: Sequence[str]) -> Any:
    """The key or index at the end of `path`, which has to be in `parent`."""
    if isinstance(parent, list):
        return _index(parent, path)
    if not isinstance(parent, dict):
        raise _no_way(path[:-1], parent)
    if path[-1] not in parent:
        raise ManifestError(
            f"{_written(path[:-1])} has no {path[-1]!r}", hint=did_you_mean(path[-1], parent)
        )
    return path[-1]


def _index(parent: list[Any], path: Sequence[str], *, end: bool = False) -> int:
    text, size = path[-1], len(parent)
    if end and text == "-":
        return size
    # no sign and no leading zero (RFC 6901, section 4)
    if not (text.isascii() and text.isdecimal()) or str(int(text)) != text:
        raise ManifestError(f"{_written(path[:-1])} is a list, and {text!r} is no index of it")
    if int(text) >= size + end:
        raise ManifestError(f"{_written(path[:-1])} has {size} entries, and none at {text}")
    return int(text)


def _pointer(operation: Mapping[str, Any], name: str) -> list[str]:
    text = _given(operation, name)
    if text == "":
        return []
    if not isinstance(text, str) or not text.startswith("/"):
        raise ManifestError(
            f"{name} is {text!r}, and has to begin with /",
            hint="a path is a JSON pointer: /spec/template/spec/containers/0/image",
        )
    return [step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/")]


def _given(operation: Mapping[str, Any], name: str) -> Any:
    if name not in operation:
        raise ManifestError(f"has no {name}")
    return operation[name]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _no_way(path: Sequence[str], value: Any) -> ManifestError:
    kind = "empty" if value is None else "a single value"
    return ManifestError(f"{_written(path)} is {kind}, and nothing is below it")


def _written(path: Sequence[str]) -> str:
    steps = (step.replace("~", "~0").replace("/", "~1") for step in path)
    return "".join(f"/{step}" for step in steps) or "the object"


def _title(operation: Any) -> str:
    if not isinstance(operation, Mapping):
        return ""
    words = [str(operation[name]) for name in ("op", "path") if name in operation]
    return f" ({' '.join(words)})" if words else ""
