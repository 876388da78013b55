"""The few types that every layer speaks in: objects, records, snapshots and verdicts.

Kubernetes objects stay what the API server sent: JSON as nested `dict`s, under the alias `Object`.
They are never changed once received.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

__all__ = [
    "Change",
    "Object",
    "ObjectRef",
    "Record",
    "Snapshot",
    "State",
    "Verdict",
    "dig",
]

Object = Mapping[str, Any]


def dig(obj: Any, *path: str | int, default: Any = None) -> Any:
    """The value at `path` inside nested mappings and lists, or `default` where there is none."""
    try:
        for step in path:
            obj = obj[step]
    except (KeyError, IndexError, TypeError):
        return default
    return default if obj is None else obj


@dataclass(frozen=True, order=True)
class ObjectRef:
    """Which object is meant, as in an Event's `involvedObject` or an owner reference."""

    kind: str
    name: str
    namespace: str = ""
    uid: str = ""

    @classmethod
    def of(cls, obj: Object) -> ObjectRef:
        """The reference of an object as the API server sent it."""
        return cls(
            kind=dig(obj, "kind", default=""),
            name=dig(obj, "metadata", "name", default=""),
            namespace=dig(obj, "metadata", "namespace", default=""),
            uid=dig(obj, "metadata", "uid", default=""),
        )

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class Change(enum.Enum):
    """What a record says happened to its object."""

    LISTED = "LISTED"
    """It was there when the stream listed: no order among listed objects is implied."""
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    GAP = "GAP"
    """The stream had to start over (410 Gone): changes before this record may be missing."""


@dataclass(frozen=True)
class Record:
    """One thing that a watch stream delivered, numbered and stamped when it was received."""

    number: int
    """1, 2, 3, … over all streams of one hub, in the order of receipt."""
    received: float
    """Seconds on the hub's monotonic clock."""
    wall: datetime
    """The time of day at the receipt, UTC."""
    change: Change
    kind: str
    """Kind of the watched resource, such as `Pod`."""
    object: Object
    """The object as the server sent it; empty for a GAP."""
    note: str = ""
    """Why there is a gap."""

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef.of(self.object)


@dataclass(frozen=True)
class Snapshot:
    """The latest state of every watched object at one moment: what conditions are judged on.

    Build one from records (`Snapshot.of_records`) or from objects (`Snapshot.of`).
    """

    objects: Mapping[tuple[str, str, str], Object] = field(default_factory=dict)
    """By (kind, namespace, name)."""

    @classmethod
    def of(cls, *objects: Object) -> Snapshot:
        """A snapshot of exactly these objects."""
        return cls({_key(obj): obj for obj in objects})

    @classmethod
    def of_records(cls, records: Iterable[Record]) -> Snapshot:
        """What is left after these records were applied one after another."""
        latest: dict[tuple[str, str, str], Object] = {}
        for record in records:
            if record.change is Change.GAP:
                continue
            if record.change is Change.DELETED:
                latest.pop(_key(record.object), None)
            else:
                latest[_key(record.object)] = record.object
        return cls(latest)

    def get(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """The object of that kind and name, or None; an empty namespace means any."""
        if namespace:
            return self.objects.get((kind, namespace, name))
        return next((obj for obj in self.all(kind) if dig(obj, "metadata", "name") == name), None)

    def all(self, kind: str, namespace: str = "") -> Iterator[Object]:
        """Every object of that kind, by namespace and name."""
        for key in sorted(self.objects):
            if key[0] == kind and namespace in ("", key[1]):
                yield self.objects[key]

    def owned_by(self, uid: str, kind: str) -> Iterator[Object]:
        """The objects of `kind` whose controller has that uid."""
        for obj in self.all(kind):
            owners = dig(obj, "metadata", "ownerReferences", default=[])
            if any(owner.get("uid") == uid and owner.get("controller") for owner in owners):
                yield obj


def _key(obj: Object) -> tuple[str, str, str]:
    ref = ObjectRef.of(obj)
    return ref.kind, ref.namespace, ref.name


class State(enum.Enum):
    """The three outcomes of looking at a condition."""

    WAITING = "waiting"
    SATISFIED = "satisfied"
    IMPOSSIBLE = "impossible"
    """It will not come true any more, so waiting for it is of no use."""


@dataclass(frozen=True)
class Verdict:
    """What a condition says of a snapshot."""

    state: State
    reason: str
    """One CamelCase word, such as `Available` or `ImagePullFailed`."""
    message: str
    """One line for a person, with the progress in it: `Ready: 1/3`."""
    object: ObjectRef | None = None
    """What the verdict is about, where it is one object."""
    evidence: tuple[str, ...] = ()
    """Lines that show why."""
    hint: str = ""
    """The way out, for a verdict that nobody wants."""

    @classmethod
    def waiting(cls, reason: str, message: str, **more: Any) -> Verdict:
        return cls(State.WAITING, reason, message, **more)

    @classmethod
    def satisfied(cls, reason: str, message: str, **more: Any) -> Verdict:
        return cls(State.SATISFIED, reason, message, **more)

    @classmethod
    def impossible(cls, reason: str, message: str, **more: Any) -> Verdict:
        return cls(State.IMPOSSIBLE, reason, message, **more)
