"""Puts a layer's tar together again from its files and the notes that the engine took of it.

The engine keeps a layer unpacked. Beside it lies a `tar-split.json.gz`, one JSON object per line,
with all of the original tar that is not a file's content, so that the very same bytes, and so the
same digest, come out again. Format: https://github.com/vbatts/tar-split (`archive/storage`).
"""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ["FileEntry", "assemble", "entries", "size"]

_FILE = 1


@dataclass(frozen=True)
class FileEntry:
    """The place of a file's content."""

    name: str
    size: int


def entries(notes: bytes) -> Iterator[bytes | FileEntry]:
    """What the tar consists of, in its order: bytes as they are, or the content of a file.

    `notes` are compressed. Raises `ValueError`, `KeyError` or `OSError` if they are no such notes.
    """
    with gzip.open(io.BytesIO(notes)) as lines:
        for line in lines:
            entry = json.loads(line)
            if entry["type"] != _FILE:
                yield base64.b64decode(entry["payload"])
            elif entry.get("size"):
                # a name that is not UTF-8 has its bytes beside it
                raw = entry.get("name_raw")
                name = base64.b64decode(raw).decode("utf-8", "surrogateescape") if raw else ""
                yield FileEntry(name or entry["name"], entry["size"])


def size(notes: bytes) -> int:
    """How long the tar is, in bytes."""
    return sum(e.size if isinstance(e, FileEntry) else len(e) for e in entries(notes))


def assemble(notes: bytes, content: Callable[[FileEntry], Iterator[bytes]]) -> Iterator[bytes]:
    """The bytes of the tar; `content` gives those of one file."""
    for entry in entries(notes):
        if isinstance(entry, FileEntry):
            yield from content(entry)
        else:
            yield entry
