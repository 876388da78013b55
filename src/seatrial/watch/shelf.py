"""The latest of every object, and which of several overlapping streams still sees it.

Streams whose scopes overlap (a namespace and all namespaces, two selectors) each tell of the same
change, one after the other. It becomes one record: the first to tell of a version is heard, and an
object is gone when the last stream that saw it has told so.
"""

from __future__ import annotations

from collections.abc import Hashable

from seatrial.core.model import Change, Object, ObjectRef, Record, Snapshot, dig
from seatrial.watch.stream import newer

__all__ = ["Admission", "Shelf"]

_Key = tuple[str, str, str]


class Shelf:
    """The objects that a row of records adds up to; a snapshot is copied only when one is asked
    for, and only after a change.
    """

    def __init__(self) -> None:
        self._objects: dict[_Key, Object] = {}
        self._snapshot: Snapshot | None = None

    def apply(self, record: Record) -> None:
        if record.change is Change.GAP:
            return
        key = _key(record.object)
        if record.change is not Change.DELETED:
            self._objects[key] = record.object
        elif _uid(self._objects.get(key, {})) == _uid(record.object):
            del self._objects[key]
        self._snapshot = None

    def snapshot(self) -> Snapshot:
        if self._snapshot is None:
            self._snapshot = Snapshot(dict(self._objects))
        return self._snapshot


class Admission:
    """Decides whether what a stream tells is news."""

    def __init__(self) -> None:
        #: by uid: the version last told, and the streams that see the object
        self._seen: dict[str, tuple[str, set[Hashable]]] = {}

    def admit(self, stream: Hashable, change: Change, obj: Object) -> Change | None:
        """What the change is to those who listen to all streams together; None if not news."""
        uid = _uid(obj)
        version = str(dig(obj, "metadata", "resourceVersion", default=""))
        told, seers = self._seen.get(uid, ("", set()))
        if change is Change.DELETED:
            if stream not in seers:
                return None
            seers.discard(stream)
            if seers:
                return None
            # kept, so that a slower stream cannot bring the object back to life
            self._seen[uid] = (version if newer(version, told) else told, seers)
            return change
        if told and not newer(version, told):
            # a slower stream tells an old story: it counts as a seer only of what still is
            if seers:
                seers.add(stream)
            return None
        known = bool(seers)
        seers.add(stream)
        self._seen[uid] = (version, seers)
        return Change.MODIFIED if known else change


def _key(obj: Object) -> _Key:
    ref = ObjectRef.of(obj)
    return ref.kind, ref.namespace, ref.name


def _uid(obj: Object) -> str:
    return str(dig(obj, "metadata", "uid", default=""))
