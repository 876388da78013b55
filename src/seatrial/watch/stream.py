"""One kind in one scope: list it, watch from there, and never lose the thread.

The rules are those of "Efficient detection of changes" in Kubernetes' API concepts: a watch starts
at the `resourceVersion` of a list; one that ended is resumed at the last version seen, which
bookmarks move on while nothing happens; 410 Gone says that the server has forgotten that version.
Then the only way on is a new list, and whatever came and went in between stays unknown.

Events have no bookmarks. Their watch is opened anew every minute, from a version that is moved on
as bookmarks would: see `_mark`.

Three levels, as their names say: `_keep_watching` goes on until it is stopped or refused for good,
`_list` and `_watch` do one round, `_take` one line.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from seatrial.core.clock import Clock, Deadline
from seatrial.core.errors import ApiError, SeatrialError
from seatrial.core.model import Change, Object, dig
from seatrial.kube import Connection, LineStream, Objects, Resource, refusal
from seatrial.watch.folding import folded

__all__ = ["NOT_FOUND", "Delta", "Scope", "Stream", "newer"]

#: seconds after which the server is asked to end a watch; else it picks 30 to 60 minutes
WATCH_TIMEOUT = 3600
#: the same for Events. They come straight from etcd, without the watch cache and its bookmarks, so
#: that nothing else would tell a silent stream from a dead one
EVENT_WATCH_TIMEOUT = 60
#: seconds of silence after which a stream is taken for dead: there is a bookmark, or the end of a
#: watch of Events, about every minute
IDLE_TIMEOUT = 90.0
#: seconds between two tries: doubled from the first to the last
FIRST_PAUSE, LAST_PAUSE = 0.1, 2.0
#: seconds for which a stream that has worked before bears with being refused: an API server that
#: has just been restarted says 403 until it has read its roles
FORBEARANCE = 10.0
#: seconds after which a watch that brought nothing was still worth opening
WORTH_IT = 10.0

# no number of tries changes these
_REFUSED = frozenset({400, 401, 403, 404, 405, 422})
_GONE = 410
NOT_FOUND = 404


@dataclass(frozen=True)
class Scope:
    """What one stream watches."""

    resource: Resource
    namespace: str = ""
    """Empty for all namespaces, and for kinds that live in none."""
    label_selector: str = ""
    field_selector: str = ""

    def covers(self, other: Scope) -> bool:
        """Whether whoever watches this sees all of `other` as well."""
        unselected = not self.label_selector and not self.field_selector
        wide = unselected and self.namespace in ("", other.namespace)
        return self.resource == other.resource and (wide or self == other)

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        selectors = " ".join(filter(None, (self.label_selector, self.field_selector)))
        return f"{self.resource.plural}{where}" + (f" ({selectors})" if selectors else "")


@dataclass(frozen=True)
class Delta:
    """One thing that a stream found out; the hub makes a `Record` of it."""

    change: Change
    object: Object = field(default_factory=dict)
    note: str = ""


class Stream:
    """Runs one list-and-watch loop in a thread of its own, until `stop`.

    `deliver` is called in that thread with everything that one step brought (a whole list at once),
    and with nothing when the stream has failed. The first call that is not about a failure brings
    the first list.
    """

    def __init__(
        self,
        connection: Connection,
        scope: Scope,
        deliver: Callable[[Stream, Sequence[Delta]], None],
        *,
        clock: Clock,
        idle_timeout: float = 0.0,
    ) -> None:
        self.scope = scope
        #: why the stream has ended for good
        self.failure: SeatrialError | None = None
        #: whether it has ended since its kind is not served any more
        self.retired = False
        #: the latest thing that went wrong and is being retried
        self.trouble: ApiError | None = None
        self._connection = connection
        self._objects = Objects(connection)
        self._deliver = deliver
        self._clock = clock
        self._marked = scope.resource.kind == "Event"
        self._typed = _is_typed(scope.resource)
        self._idle_timeout = idle_timeout or IDLE_TIMEOUT
        self._state = threading.Condition()
        self._stopped = threading.Event()
        self._lines: LineStream | None = None
        #: where a watch would go on; empty when only a list can tell
        self._version = ""
        #: the latest of every object that is there, by uid
        self._known: dict[str, Object] = {}
        #: what was received last: what comes next is likely to be much like it
        self._last: Object = {}
        #: a version before which a watch, since ended in good order, had nothing to tell
        self._proven = ""
        #: why the next list comes after a gap
        self._gap = ""
        #: rounds in a row that brought nothing
        self._fruitless = 0
        self._listed = False
        self._refused_since: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"watch {scope}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Make the stream end; returns at once."""
        with self._state:
            self._stopped.set()
            self._state.notify_all()
            if self._lines is not None:
                self._lines.cut()

    def join(self, timeout: float) -> None:
        """Wait for the thread's end. One that hangs in a request is left to end by itself."""
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self._keep_watching()
        except Exception as error:  # noqa: BLE001 - a thread that ends must not end unseen
            if self._stopped.is_set():
                return
            self.failure = SeatrialError(f"the watch of {self.scope} broke: {error!r}")
            self.failure.__cause__ = error
            self._deliver(self, ())

    def _keep_watching(self) -> None:
        while not self._stopped.is_set():
            try:
                if not self._version:
                    self._list()
                self._watch()
            except ApiError as error:
                self.trouble = error
                if error.status == _GONE or _ahead_of_server(error):
                    self._version = ""
                    self._gap = self._gap or (
                        f"the watch of {self.scope} had to start over: {error.cause}"
                    )
                elif self._is_final(error):
                    self._end(error)
                    return
            self._pause()

    def _is_final(self, error: ApiError) -> bool:
        if error.status not in _REFUSED:
            self._refused_since = None
            return False
        now = self._clock.monotonic()
        if self._refused_since is None:
            self._refused_since = now
        return not self._listed or now - self._refused_since >= FORBEARANCE

    def _end(self, error: ApiError) -> None:
        """Fail; but where the kind is gone for good, so are its objects, and that is no failure.

        A path that is not served any more is a CustomResourceDefinition, or a version of it, that
        was deleted: of a kind that is served even a namespace that is not there can be listed.
        """
        if error.status != NOT_FOUND or not self._listed:
            self.failure = error
            self._deliver(self, ())
            return
        self.retired = True
        gap = Delta(Change.GAP, note=f"{self.scope.resource.plural} are not served any more")
        self._deliver(self, [gap, *(Delta(Change.DELETED, obj) for obj in self._known.values())])

    def _pause(self) -> None:
        if not self._fruitless:
            self._fruitless = 1
            return
        pause = min(LAST_PAUSE, FIRST_PAUSE * 2 ** (self._fruitless - 1))
        self._fruitless += 1
        deadline = Deadline.after(pause, self._clock)
        with self._state:
            while not self._stopped.is_set() and not deadline.passed:
                self._clock.wait(self._state, deadline.remaining)

    def _list(self) -> None:
        found: dict[str, Object] = {}
        version = ""
        scope = self.scope
        for page, version in self._objects.pages(  # noqa: B007 - the last page's, as of all
            scope.resource,
            scope.namespace,
            label_selector=scope.label_selector,
            field_selector=scope.field_selector,
        ):
            for item in page:
                found[_uid(item)] = self._kept(item)
            if self._stopped.is_set():
                return
        deltas = (
            self._differences(found)
            if self._listed
            else [Delta(Change.LISTED, item) for item in found.values()]
        )
        self._known, self._version, self._gap, self._proven = found, version, "", ""
        self._refused_since = None
        self._listed = True
        self._deliver(self, deltas)

    def _differences(self, found: dict[str, Object]) -> list[Delta]:
        """What a list after a gap shows to have happened, in the most likely order.

        What vanished goes first: its name may have been taken by one that is new.
        """
        deltas = [Delta(Change.GAP, note=self._gap)]
        deltas += [
            Delta(Change.DELETED, obj) for uid, obj in self._known.items() if uid not in found
        ]
        changed = [
            Delta(Change.MODIFIED if uid in self._known else Change.ADDED, obj)
            for uid, obj in found.items()
            if uid not in self._known or _version(self._known[uid]) != _version(obj)
        ]
        return deltas + sorted(changed, key=lambda delta: _number(_version(delta.object)))

    def _watch(self) -> None:
        scope = self.scope
        mark = self._mark() if self._marked else ""
        since = self._version
        began = self._clock.monotonic()
        lines = self._connection.stream(
            scope.resource.path(scope.namespace),
            doing=f"watch {scope.resource.plural}"
            + (f" in {scope.namespace}" if scope.namespace else ""),
            query={
                "watch": True,
                "allowWatchBookmarks": True,
                "resourceVersion": since,
                "timeoutSeconds": EVENT_WATCH_TIMEOUT if self._marked else WATCH_TIMEOUT,
                "labelSelector": scope.label_selector,
                "fieldSelector": scope.field_selector,
            },
            idle_timeout=self._idle_timeout,
        )
        self._refused_since = None
        try:
            with self._state:
                self._lines = lines
                if self._stopped.is_set():
                    return
            for line in lines:
                if self._stopped.is_set():
                    return
                self._take(line)
                self._fruitless = 0
        finally:
            with self._state:
                self._lines = None
            lines.close()
        lasted = self._clock.monotonic() - began
        if lasted >= WORTH_IT:
            self._fruitless = 0
        # the server may end a watch early, as when it shuts down, with something not yet sent
        if mark and self._version == since and lasted >= EVENT_WATCH_TIMEOUT - 1:
            self._proven = mark

    def _mark(self) -> str:
        """A version that a watch which is opened now will have passed, should it stay silent.

        A watch of Events that was silent is resumed at the version of the last Event, and if that
        is too long ago (etcd is compacted every 5 minutes) the server has forgotten it. So the
        version is asked for before a watch is opened. If the watch then brings nothing, lasts its
        full minute and ends in good order, then nothing that was written before that version was on
        its way: a response that ended properly came whole. The number of Events has to agree.
        """
        scope = self.scope
        answer = self._connection.get_json(
            scope.resource.path(scope.namespace),
            query={
                "limit": 1,
                "labelSelector": scope.label_selector,
                "fieldSelector": scope.field_selector,
            },
            doing=f"list {scope.resource.plural}",
        )
        meta = answer["metadata"]
        # not told where there is a selector; then nothing is proven
        rest = meta.get("remainingItemCount", -1 if meta.get("continue") else 0)
        count = len(dig(answer, "items", default=[])) + rest if rest >= 0 else -1
        if self._proven and count == len(self._known) and newer(self._proven, self._version):
            self._version = self._proven
        self._proven = ""
        return str(meta["resourceVersion"])

    def _take(self, line: bytes) -> None:
        try:
            event: dict[str, Any] = json.loads(line)
        except ValueError as error:
            raise ApiError(
                f"the watch of {self.scope} brought a line that is not JSON",
                details=line[:200].decode(errors="replace"),
            ) from error
        obj = event["object"]
        if event["type"] == "ERROR":
            raise refusal(f"go on watching {self.scope}", obj.get("code", 0), json.dumps(obj))
        version = _version(obj)
        if event["type"] == "BOOKMARK":
            self._version = version
            return
        uid = _uid(obj)
        if not newer(version, self._version) or version == _version(self._known.get(uid, {})):
            return  # it was delivered before, by a list or by the connection before this one
        self._version = version
        if event["type"] == "DELETED":
            if self._known.pop(uid, None) is not None:
                self._deliver(self, [Delta(Change.DELETED, self._kept(obj))])
            return
        change = Change.MODIFIED if uid in self._known else Change.ADDED
        obj = self._known[uid] = self._kept(obj)
        self._deliver(self, [Delta(change, obj)])

    def _kept(self, obj: dict[str, Any]) -> Object:
        """The object as it is handed on: the same, but smaller."""
        # often half of its size, and nobody here reads them
        obj["metadata"].pop("managedFields", None)
        alike = self._known.get(_uid(obj), self._last) if self._typed else None
        self._last = folded(obj, alike)
        return self._last


def newer(version: str, than: str) -> bool:
    """Whether a resourceVersion is later than another of the same resource.

    They are decimal numbers that grow (guaranteed since Kubernetes 1.35, so in practice before);
    of a server where they are not, all that can be said is whether two are the same.
    """
    if version.isdecimal() and than.isdecimal():
        return int(version) > int(than)
    return version != than


def _number(version: str) -> int:
    return int(version) if version.isdecimal() else 0


def _ahead_of_server(error: ApiError) -> bool:
    # the server's store went back in time (restored from a backup), and may never catch up
    return error.status == 504 and "Too large resource version" in error.cause


def _version(obj: Object) -> str:
    return str(dig(obj, "metadata", "resourceVersion", default=""))


def _uid(obj: Object) -> str:
    return str(dig(obj, "metadata", "uid", default=""))


def _is_typed(resource: Resource) -> bool:
    """Whether a field of the kind has one type for ever, as in all that Kubernetes itself serves.

    Their groups have no dot or end in k8s.io; a custom resource may leave its fields open.
    """
    return "." not in resource.group or resource.group.endswith(".k8s.io")
