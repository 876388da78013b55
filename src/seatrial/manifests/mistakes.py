"""What the API server says is wrong with a manifest, told with the file, line and field.

The words come in several forms, as they come from different parts of the API server (seen with
Kubernetes 1.34 to 1.37; `kube.errors` has made one line of each cause):

- server-side apply, by the schema: `unknown field spec.replica`, or
  `failed to create typed patch object (…): errors: .a: expected string, got … .b: expected …`;
- conversion, which names no field: `unable to convert unstructured object to …: quantities must …`;
- validation: `spec.replicas: Invalid value: -1: must be greater than or equal to 0`;
- field managers: `spec.replicas: conflict with "kubectl" with subresource "scale" using apps/v1`.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from seatrial.core.errors import ApiError
from seatrial.core.model import Object, dig
from seatrial.manifests.documents import Manifest
from seatrial.manifests.places import FieldPath, steps_of, written

__all__ = ["Fault", "Mistake", "mistakes_of", "shown_value"]

TAKE_OVER = (
    "leave these fields out of the manifest, so that their owner keeps them, "
    "or take them over: force=True"
)

#: characters of a value that are shown
LONGEST = 60

_REFUSED = re.compile(r"^the API server refused to apply [^\s:]+: ")
_UNKNOWN = re.compile(r"^unknown field (\S+)$")
_TWICE = re.compile(r"^field (\S+) is given twice$")
_TYPED = re.compile(r"^failed to create typed (?:patch|live) object \([^)]*\): (?:errors: )?")
_CONVERSION = re.compile(r"^failed to convert new object .*?, Kind=\w+: ")
_EACH = re.compile(r" (?=\.[A-Za-z_$][^\s:]*(?:\[[^\]]*\][^\s:]*)*: )")
_FIELD = re.compile(r"^\.?((?:\[(?:\"(?:[^\"\\]|\\.)*\"|[^\]\"])*\]|[^\s:\[])+): (.+)$")
_EXPECTED = re.compile(r"^(expected [^,]+), got .*$")
_CONFLICT = re.compile(r'^conflict with "([^"]*)"(?: with subresource "([^"]*)")?')


class Fault(enum.Enum):
    """What kind of a mistake it is."""

    UNKNOWN = "the kind has no such field"
    TYPE = "the value is of another type than the field"
    CONVERSION = "a value cannot be read, and the API server does not say which"
    CONFLICT = "another field manager has set the field"
    OTHER = "anything else"


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong with a manifest."""

    manifest: Manifest
    path: FieldPath
    """Empty where nobody knows the field."""
    message: str
    fault: Fault = Fault.OTHER
    hint: str = ""

    @property
    def line(self) -> int:
        """Of the field, or of the nearest one around it; 0 where there is no text."""
        passage = self.manifest.passage
        return passage.line(self.path, self.manifest.object)[0] if passage else 0

    @property
    def shown(self) -> str:
        """The line itself, where it is in no file. Never a Secret's."""
        passage = self.manifest.passage
        if passage is None or self.manifest.kind == "Secret":
            return ""
        return passage.shown(self.line)

    @property
    def detail(self) -> str:
        """Itself as a further line, below one that names the object already."""
        if self.manifest.passage or not self.path:
            return str(self) if self.path else self.message
        return f"{written(self.path)}: {self.message}{self._put_in_by()}"

    def __str__(self) -> str:
        parts = [self.manifest.place(self.path)]
        if self.path:
            parts.append(written(self.path))
        elif self.manifest.passage:
            parts.append(str(self.manifest))
        return f"{': '.join(parts)}: {self.message}{self._put_in_by()}"

    def _put_in_by(self) -> str:
        """The patches, for a field that has a value which does not stand in the text."""
        manifest = self.manifest
        if not manifest.changed_by or dig(manifest.object, *self.path) is None:
            return ""
        if manifest.passage and manifest.passage.line(self.path, manifest.object)[1]:
            return ""
        return f" (changed by {', '.join(manifest.changed_by)})"


def mistakes_of(
    error: ApiError, manifest: Manifest, *, obj: Object | None = None, there: Object | None = None
) -> tuple[Mistake, ...]:
    """What a refused apply says of the manifest, each cause a mistake of its own.

    `obj` is what was applied, where it was not the manifest's own content; `there` the object as
    it is in the cluster, which tells what a conflict is about. A cause that names no field has an
    empty path.
    """
    reader = _Reader(manifest, manifest.object if obj is None else obj, there)
    lines = [_REFUSED.sub("", error.cause), *error.details.splitlines()]
    return tuple(mistake for line in lines for mistake in reader.read(line))


class _Reader:
    def __init__(self, manifest: Manifest, obj: Object, there: Object | None) -> None:
        self._manifest = manifest
        self._obj = obj
        self._there = there

    def read(self, line: str) -> Iterator[Mistake]:
        if found := _UNKNOWN.match(line):
            yield self._at(found[1], "unknown field", Fault.UNKNOWN)
        elif found := _TWICE.match(line):
            yield self._at(found[1], "is given twice")
        elif found := _TYPED.match(line):
            for each in _EACH.split(line[found.end() :]):
                yield self._of_field(each)
        elif found := _CONVERSION.match(line):
            yield Mistake(self._manifest, (), line[found.end() :], Fault.CONVERSION)
        else:
            yield self._of_field(line)

    def _at(self, field: str, message: str, fault: Fault = Fault.OTHER) -> Mistake:
        return Mistake(self._manifest, steps_of(field, self._obj), message, fault)

    def _of_field(self, line: str) -> Mistake:
        found = _FIELD.match(line)
        path = steps_of(found[1], self._obj) if found else ()
        # "json: cannot unmarshal …" looks like a field as well
        if not found or path[0] not in (*self._obj, "metadata", "spec"):
            return Mistake(self._manifest, (), line)
        field, message = found[1], found[2]
        if conflict := _CONFLICT.match(message):
            words = self._conflict(conflict, field, path)
            return Mistake(self._manifest, path, words, Fault.CONFLICT, TAKE_OVER)
        if expected := _EXPECTED.match(message):
            value = dig(self._obj, *path)
            hint = "put it in quotes" if _is_unquoted(expected[1], value) else ""
            words = f"{expected[1]}, got {shown_value(self._manifest, value)}"
            return Mistake(self._manifest, path, words, Fault.TYPE, hint)
        return Mistake(self._manifest, path, message)

    def _conflict(self, found: re.Match[str], field: str, path: FieldPath) -> str:
        owner = f"{found[1]!r}" + (f" (subresource {found[2]})" if found[2] else "")
        words = f"belongs to field manager {owner}"
        live = dig(self._there, *steps_of(field, self._there))
        if live is None:
            return words
        return f"{words}, which set {shown_value(self._manifest, live)}; here it is " + shown_value(
            self._manifest, dig(self._obj, *path)
        )


def shown_value(manifest: Manifest, value: Any) -> str:
    """A value of a manifest, as JSON; of a mapping, a list and a Secret only what kind it is."""
    if manifest.kind == "Secret" or isinstance(value, dict | list):
        return _kind_of(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _kind_of(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "text", bool: "a boolean"}
    return names.get(type(value), "nothing" if value is None else "a number")


def _is_unquoted(expected: str, value: Any) -> bool:
    return expected == "expected string" and isinstance(value, bool | int | float)
