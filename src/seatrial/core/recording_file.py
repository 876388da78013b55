"""The file that a test's watch records are kept in: JSON lines, as `docs/recording.md` has them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TextIO

from seatrial.core.errors import ConfigurationError
from seatrial.core.merging import difference, merged
from seatrial.core.model import Change, Object, ObjectRef, Record, dig
from seatrial.core.redaction import Redactor

__all__ = ["FORMAT", "Asked", "Contents", "Header", "RecordingWriter", "read_contents"]

#: raised when what is written from then on cannot be read by what was released before
FORMAT = 1

_MAGIC = "seatrial_recording"
_Key = tuple[str, str, str]


@dataclass(frozen=True)
class Header:
    """What a recording is about."""

    test: str
    namespace: str
    kubernetes: str
    """Version of the API server, without a `v`."""
    seatrial: str
    """Version of what wrote it."""
    started: float
    """Seconds on the clock that the records are stamped with."""
    wall: datetime
    """The time of day at the start, UTC."""
    tie: float
    """Seconds within which events of different components have no order (`event_tie`)."""


@dataclass(frozen=True)
class Asked:
    """A wait or an expectation of the test: what it asked for, and what came of it."""

    kind: str
    """`wait` or `expect`."""
    question: Mapping[str, Any]
    """As `seatrial.harness.descriptions` writes it."""
    started: float
    """Seconds on the recording's clock."""
    after: int
    """Number of the last record that had been received."""
    ended: float | None = None
    """None if the recording ends before."""
    outcome: str = ""
    """`satisfied`, or the name of an error; empty if the recording ends before."""
    cause: str = ""
    """Its verdict's message, or the first line of its error."""
    text: str = ""
    """The whole text of its error."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """What the cluster was asked meanwhile: `existed`, `logs`."""


@dataclass(frozen=True)
class Contents:
    """All that a file holds."""

    header: Header
    records: Sequence[Record] = ()
    asked: Sequence[Asked] = ()
    """The test's waits and expectations, in their order."""
    phases: Sequence[Mapping[str, Any]] = ()
    """What became of the test: `when` (setup, call, teardown), `outcome`, `message`."""
    ended: float | None = None
    """When it was closed; None if it broke off, as when the run was killed."""
    cut: int = 0
    """Number of the last line, if that is cut off."""


class RecordingWriter:
    """Writes one recording to a text file, line by line, without its secrets.

    Of an object that was written before only the difference is written. What it holds is the latest
    version of each object that is there.
    """

    def __init__(self, file: TextIO, header: Header, redactor: Redactor | None = None) -> None:
        self.redactor = redactor or Redactor()
        #: how many records there are by now
        self.records = 0
        self._file = file
        #: of each object that is there: the number of its last record, and what that said
        self._latest: dict[_Key, tuple[int, Object]] = {}
        self.line({
            _MAGIC: FORMAT,
            "seatrial": header.seatrial,
            "kubernetes": header.kubernetes,
            "namespace": header.namespace,
            "test": self.redactor.text(header.test),
            "started": round(header.started, 6),
            "wall": _stamp(header.wall),
            "tie": header.tie,
        })  # fmt: skip

    def line(self, line: Mapping[str, Any]) -> None:
        """Write a line of any kind; its secrets are the caller's to leave out."""
        # in one call: a line is either whole or the last one of the file
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def record(self, record: Record) -> None:
        """Write what a stream delivered."""
        line: dict[str, Any] = {
            "line": "record",
            "number": record.number,
            "received": round(record.received, 6),
            "wall": _stamp(record.wall),
            "change": record.change.value,
            "kind": record.kind,
        }
        if record.note:
            line["note"] = self.redactor.text(record.note)
        if record.change is not Change.GAP:
            line |= self._told(record)
        self.line(line)
        self.records += 1

    def flush(self) -> None:
        """Hand what is written to the system: it is there then even if this process is killed."""
        self._file.flush()

    def _told(self, record: Record) -> dict[str, Any]:
        obj = self.redactor.object(record.object)
        key = _key(obj)
        before, known = self._latest.pop(key, (0, {}))
        if record.change is not Change.DELETED:
            self._latest[key] = (record.number, obj)
        if known and _uid(known) == _uid(obj):
            patch = difference(known, obj)
            # a patch cannot tell of a null
            if merged(known, patch) == obj:
                return {"of": before, "patch": patch}
        return {"object": obj}


def read_contents(path: Path) -> Contents:
    """Read a file that a `RecordingWriter` wrote. A last line that is cut off is left out.

    Lines of kinds that are not known are left out as well: a later version may have more of them.

    Raises `ConfigurationError`, which names the line, for what is no recording.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise _no_recording(path) from error
    # a text without its last line's end has been cut off there
    lines = text.split("\n")
    return _Reading(path, _header(path, lines[0])).take(lines[1:])


def _header(path: Path, text: str) -> Header:
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    if not isinstance(line, Mapping) or not isinstance(line.get(_MAGIC), int):
        raise _no_recording(path)
    if line[_MAGIC] > FORMAT:
        raise ConfigurationError(
            f"{path} is written in format {line[_MAGIC]}, and this seatrial reads up to {FORMAT}",
            hint=f"seatrial {line.get('seatrial', '?')} wrote it: install that, or a later one",
        )
    try:
        return Header(
            test=line["test"],
            namespace=line["namespace"],
            kubernetes=line["kubernetes"],
            seatrial=line["seatrial"],
            started=float(line["started"]),
            wall=_moment(line["wall"]),
            tie=float(line["tie"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, 1, error) from error


class _Reading:
    """Puts the lines of one file together."""

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self.contents = Contents(header)
        self._records: list[Record] = []
        self._asked: dict[int, Asked] = {}
        self._phases: list[Mapping[str, Any]] = []
        #: by the number of the record that told of it
        self._objects: dict[int, Object] = {}
        self._take = {
            "record": self._record,
            "wait": self._question,
            "expect": self._question,
            "end": self._answer,
            "phase": self._phases.append,
            "close": self._close,
        }

    def take(self, lines: Sequence[str]) -> Contents:
        for number, line in self._parsed(lines):
            take = self._take.get(str(line["line"]))
            if take is not None:
                try:
                    take(line)
                except (AttributeError, KeyError, TypeError, ValueError) as error:
                    raise _damaged(self.path, number, error) from error
        return replace(
            self.contents,
            records=self._records,
            asked=tuple(self._asked.values()),
            phases=self._phases,
        )

    def _parsed(self, lines: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        for number, text in enumerate(lines, start=2):
            is_last = number == len(lines) + 1
            if is_last and not text:
                return
            try:
                line = json.loads(text)
            except ValueError as error:
                if is_last:
                    self.contents = replace(self.contents, cut=number)
                    return
                raise ConfigurationError(
                    f"line {number} of {self.path} is not JSON",
                    details=f"{text[:80]} ({error})",
                    hint="was the file changed, or put together from two?",
                ) from error
            if not isinstance(line, Mapping) or "line" not in line:
                raise _damaged(self.path, number, KeyError("line"))
            yield number, line

    def _record(self, line: Mapping[str, Any]) -> None:
        change = Change(line["change"])
        self._records.append(
            Record(
                number=int(line["number"]),
                received=float(line["received"]),
                wall=_moment(line["wall"]),
                change=change,
                kind=line["kind"],
                object={} if change is Change.GAP else self._object(line),
                note=line.get("note", ""),
            )
        )

    def _object(self, line: Mapping[str, Any]) -> Object:
        # each version is changed at most once
        obj = (
            merged(self._objects.pop(line["of"]), line["patch"])
            if "patch" in line
            else line["object"]
        )
        self._objects[line["number"]] = obj
        return obj

    def _question(self, line: Mapping[str, Any]) -> None:
        self._asked[line["id"]] = Asked(
            line["line"], line["question"], float(line["started"]), int(line["after"])
        )

    def _answer(self, line: Mapping[str, Any]) -> None:
        self._asked[line["id"]] = replace(
            self._asked[line["id"]],
            ended=float(line["ended"]),
            outcome=line["outcome"],
            cause=line.get("cause", ""),
            text=line.get("text", ""),
            more=line.get("more", {}),
        )

    def _close(self, line: Mapping[str, Any]) -> None:
        self.contents = replace(self.contents, ended=float(line["ended"]))


def _no_recording(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{path} is not a recording",
        hint="a recording is what --seatrial-record=DIR writes into DIR for each test",
    )


def _damaged(path: Path, number: int, error: Exception) -> ConfigurationError:
    lacks = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
    return ConfigurationError(f"line {number} of {path} is damaged", details=lacks)


def _stamp(moment: datetime) -> str:
    utc = moment.astimezone(timezone.utc).replace(tzinfo=None)
    return utc.isoformat(timespec="milliseconds") + "Z"


def _moment(stamp: str) -> datetime:
    # Python 3.10 does not read the Z
    return datetime.fromisoformat(stamp.replace("Z", "+00:00"))


def _key(obj: Object) -> _Key:
    ref = ObjectRef.of(obj)
    return ref.kind, ref.namespace, ref.name


def _uid(obj: Object) -> str:
    return str(dig(obj, "metadata", "uid", default=""))
