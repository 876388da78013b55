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
_Seers = frozenset[Hashable]
_NOBODY: _Seers = frozenset()


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
        self._seen: dict[str, tuple[str, _Seers]] = {}
        #: each set of streams once, whatever the number of objects that it sees
        self._groups: dict[_Seers, _Seers] = {}

    def admit(self, stream: Hashable, change: Change, obj: Object) -> Change | None:
        """What the change is to those who listen to all streams together; None if not news."""
        uid = _uid(obj)
        version = str(dig(obj, "metadata", "resourceVersion", default=""))
        told, seers = self._seen.get(uid, ("", _NOBODY))
        if change is Change.DELETED:
            if stream not in seers:
                return None
            left = self._group(seers - {stream})
            # kept even without seers, so that a slower stream cannot bring it back to life
            self._seen[uid] = (told if left or not newer(version, told) else version, left)
            return None if left else change
        if told and not newer(version, told):
            # a slower stream tells an old story: it counts as a seer only of what still is
            if seers:
                self._seen[uid] = (told, self._group(seers | {stream}))
            return None
        self._seen[uid] = (version, self._group(seers | {stream}))
        return Change.MODIFIED if seers else change

    def forget(self, obj: Object) -> None:
        """Forget an object that has been gone for so long that no stream will tell of it."""
        _, seers = self._seen.get(_uid(obj), ("", _NOBODY))
        if not seers:
            self._seen.pop(_uid(obj), None)

    def _group(self, seers: _Seers) -> _Seers:
        return self._groups.setdefault(seers, seers)


def _key(obj: Object) -> _Key:
    ref = ObjectRef.of(obj)
    return ref.kind, ref.namespace, ref.name


def _uid(obj: Object) -> str:
    return str(dig(obj, "metadata", "uid", default=""))
