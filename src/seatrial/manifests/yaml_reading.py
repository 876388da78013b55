"""Reads YAML and JSON the way `kubectl` does, and says where what went wrong.

Three things differ from plain PyYAML, each so that a manifest means here what it means to kubectl:
a key that is given twice is an error (`sigs.k8s.io/yaml`, strict), dates stay text, and `22:22` is
text rather than a number to the base of 60 (both as in go-yaml).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import yaml

from seatrial.core.errors import ManifestError

__all__ = ["Document", "read_json", "read_yaml"]


@dataclass(frozen=True)
class Document:
    """One document of a file, or one item of a `List` in it."""

    body: Any
    number: int
    """1, 2, 3, … within the file."""
    line: int
    """Where it starts, from 1; 0 where that is not known."""
    node: yaml.Node | None = None
    """What it was composed from; every node in it knows its line."""


class _Loader(yaml.SafeLoader):
    """Safe loading, with the differences that the module's docstring names."""

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        # looked at as it is written: construction puts in what merge keys ("<<") bring, and to
        # override that is what they are for
        node = super().compose_mapping_node(anchor)
        seen: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            name = (key.tag, key.value)
            if name in seen:
                raise yaml.composer.ComposerError(
                    None,
                    None,
                    f"key {key.value!r} is there twice, first in line {seen[name]}",
                    key.start_mark,
                )
            seen[name] = key.start_mark.line + 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        return {_as_key(key): value for key, value in super().construct_mapping(node, deep).items()}


def _as_key(key: Any) -> str:
    # JSON has only text as keys; a ConfigMap's `404: …` is meant as text
    return json.dumps(key) if isinstance(key, bool | int | float) else str(key)


def _without(*tags: str) -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    resolvers = yaml.SafeLoader.yaml_implicit_resolvers
    return {
        first: [(tag, regexp) for tag, regexp in known if tag not in tags]
        for first, known in resolvers.items()
    }


_INT, _FLOAT, _TIME = (f"tag:yaml.org,2002:{name}" for name in ("int", "float", "timestamp"))
_Loader.yaml_implicit_resolvers = _without(_INT, _FLOAT, _TIME)
_Loader.add_implicit_resolver(
    _INT,
    re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|0|[1-9][0-9_]*)$"),
    list("-+0123456789"),
)
_Loader.add_implicit_resolver(
    _FLOAT,
    re.compile(
        r"([-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"
    ),
    list("-+.0123456789"),
)


def read_yaml(text: str, origin: str) -> Iterator[Document]:
    """The documents of a YAML text that are not empty.

    Raises `ManifestError` with file, line, column and the line itself.
    """
    number = 0
    try:
        loader = _Loader(text)
        while loader.check_node() and (node := loader.get_node()) is not None:
            number += 1
            body = loader.construct_document(node)
            if body is not None:
                yield Document(body, number, node.start_mark.line + 1, node)
    except (yaml.MarkedYAMLError, yaml.reader.ReaderError) as error:
        raise _unreadable(error, text, origin) from error
    except (ValueError, LookupError, AttributeError) as error:
        # an explicit tag such as "!!int x": PyYAML lets the errors of the conversion through
        raise ManifestError(
            f"{origin}, document {number}: a value does not fit the tag it has", details=str(error)
        ) from error


def read_json(text: str, origin: str) -> Iterator[Document]:
    """The one document of a JSON text. Raises `ManifestError` as `read_yaml` does."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        for key in keys:
            if keys.count(key) > 1:
                raise ManifestError(f"{origin} cannot be read: key {key!r} is there twice")
        return dict(pairs)

    try:
        body = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise _cannot_read(origin, text, error.lineno, error.colno, error.msg) from error
    yield Document(body, 1, 1, _composed(text))


def _composed(text: str) -> yaml.Node | None:
    """A JSON text as YAML nodes, which know their lines; None where it is no YAML after all."""
    try:
        # JSON allows tabs between its tokens only, and YAML does not allow them there
        node: yaml.Node | None = yaml.compose(text.replace("\t", " "), yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    return node


def _unreadable(
    error: yaml.MarkedYAMLError | yaml.reader.ReaderError, text: str, origin: str
) -> ManifestError:
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        because = f"a character that YAML does not allow (#x{ord(text[error.position]):04x})"
    else:
        # every error of scanner, parser, composer and constructor has its mark
        mark = cast("yaml.Mark", error.problem_mark)
        line, column = mark.line + 1, mark.column + 1
        because = " ".join(part for part in (error.context, error.problem) if part)
    return _cannot_read(origin, text, line, column, because)


def _cannot_read(origin: str, text: str, line: int, column: int, because: str) -> ManifestError:
    lines = text.splitlines()
    # an error at the very end is about a line that is not there any more
    raw = lines[line - 1] if 0 < line <= len(lines) else ""
    # the mark below stands under the right column only if every character takes one
    shown = "".join(" " if each == "\t" else each if each.isprintable() else "�" for each in raw)
    number = f"{line} | "
    details = f"{number}{shown}\n{' ' * (len(number) + column - 1)}^" if shown.strip() else ""
    template = any("{{" in each for each in lines[max(0, line - 2) : line])
    return ManifestError(
        f"{origin}, line {line}, column {column}: {because}",
        details=details,
        hint="this looks like a template; render it first and give what comes out"
        if template
        else "",
    )
