"""Reads `.dockerignore` as BuildKit does, which the classic builder's own reading is a part of.

Rules: https://docs.docker.com/build/concepts/context/#dockerignore-files. A pattern is Go's
`filepath.Match` with `**` for any number of folders; the last that fits a path or a folder above it
counts, and one that begins with `!` brings back what an earlier one took out.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Pattern", "patterns_of", "walk"]

#: a `^` is none of them: it turns a class of characters around
_LITERAL = ".+()|{}$"


@dataclass(frozen=True)
class Pattern:
    """One line of the file."""

    text: str
    """Without the `!`."""
    brings_back: bool
    regex: re.Pattern[str]

    @property
    def is_plain(self) -> bool:
        """Whether it names one path, or all below one."""
        return not re.search(r"[*?\[\\]", self.plain)

    @property
    def plain(self) -> str:
        return re.sub(r"(/\*{1,2})+$", "", self.text)


def patterns_of(text: str) -> list[Pattern]:
    """The patterns in a file's text. Raises `ValueError`, with the line, for one that is none."""
    found = []
    for line in text.removeprefix("\ufeff").splitlines():
        # a comment begins where the line does
        pattern = "" if line.startswith("#") else line.strip()
        brings_back = pattern.startswith("!")
        pattern = pattern.removeprefix("!").strip()
        if not pattern:
            if brings_back:
                raise ValueError(f"{line!r} names nothing to bring back")
            continue
        pattern = posixpath.normpath(pattern).lstrip("/")
        try:
            found.append(Pattern(pattern, brings_back, re.compile(_regex(pattern), re.DOTALL)))
        except re.error as error:
            raise ValueError(f"{line!r} is no pattern: {error}") from error
    return found


def _regex(pattern: str) -> str:
    parts, rest = [], pattern
    while rest:
        if rest.startswith("**"):
            # `**/` is `**`, which at the end takes all, and elsewhere any number of folders
            rest = rest[2:].removeprefix("/")
            parts.append("(.*/)?" if rest else ".*")
        elif rest.startswith("\\") and len(rest) > 1:
            parts.append(re.escape(rest[1]))
            rest = rest[2:]
        else:
            parts.append(_character(rest[0]))
            rest = rest[1:]
    return "".join(parts)


def _character(character: str) -> str:
    if character == "*":
        return "[^/]*"
    if character == "?":
        return "[^/]"
    # what is between brackets means the same to Go, to Docker and to Python
    return f"\\{character}" if character in _LITERAL else character


def walk(root: Path, patterns: Sequence[Pattern]) -> Iterator[str]:
    """The paths below `root` that are not ignored, folders included. Raises `OSError`."""
    yield from _walk(root, "", patterns, [False] * len(patterns))


def _walk(
    root: Path, folder: str, patterns: Sequence[Pattern], above: Sequence[bool]
) -> Iterator[str]:
    with os.scandir(root / folder) as entries:
        for entry in entries:
            path = posixpath.join(folder, entry.name)
            # what fits a folder fits all in it
            fits = [
                fitted or pattern.regex.fullmatch(path) is not None
                for pattern, fitted in zip(patterns, above, strict=True)
            ]
            last = max((number for number, each in enumerate(fits) if each), default=None)
            ignored = last is not None and not patterns[last].brings_back
            if not ignored:
                yield path
            if entry.is_dir(follow_symlinks=False) and not (ignored and _is_lost(path, patterns)):
                yield from _walk(root, path, patterns, fits)


def _is_lost(folder: str, patterns: Sequence[Pattern]) -> bool:
    """Whether nothing in a folder that is ignored can be brought back: a folder may be large."""
    return all(
        each.is_plain and not f"{each.plain}/".startswith(f"{folder}/")
        for each in patterns
        if each.brings_back
    )
