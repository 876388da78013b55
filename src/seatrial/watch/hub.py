"""All streams of one cluster, as one feed: numbered, stamped, and added up.

A record gets its number and its times when it is received, under the lock that readers hold as
well. The order of the numbers is the order of receipt, which is all that is known across streams.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from weakref import WeakValueDictionary

from seatrial.core.clock import Clock, Deadline, SystemClock
from seatrial.core.errors import ApiError, ClusterError
from seatrial.core.model import Change, Record, Snapshot, dig
from seatrial.kube import Connection
from seatrial.watch.log import KEPT, Log
from seatrial.watch.shelf import Admission, Shelf
from seatrial.watch.stream import NOT_FOUND, Delta, Scope, Stream

__all__ = ["Hub", "View"]

#: seconds for a first list; a test cluster answers in milliseconds, a starting one in seconds
OPEN_TIMEOUT = 30.0
#: seconds that `close` waits for the threads, all together; those that hang are daemons
CLOSE_TIMEOUT = 1.0
#: views that are kept though nobody holds them: those of the tests that run now
LASTING_VIEWS = 8


class Hub:
    """Opens watch streams, and is the `core.feed.Feed` of what they bring.

    `kept`: how many of the latest records are kept whatever they say; see `seatrial.watch.log`.
    """

    def __init__(
        self, connection: Connection, clock: Clock | None = None, *, kept: int = KEPT
    ) -> None:
        self._connection = connection
        self._clock = clock or SystemClock()
        self._changed = threading.Condition(threading.RLock())
        self._streams: dict[Scope, Stream] = {}
        #: the streams whose first list has been received
        self._listed: set[Stream] = set()
        self._closed = False
        self._kept = kept
        self._log = Log(kept)
        #: number of the latest record
        self._last = 0
        #: by the number of a gap: the namespace that its stream watches
        self._gaps: dict[int, str] = {}
        self._admission = Admission()
        self._shelf = Shelf()
        #: by namespace; a session has one for each test, and each ends with its test
        self._views: WeakValueDictionary[str, View] = WeakValueDictionary()
        self._lasting: deque[View] = deque(maxlen=LASTING_VIEWS)

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def changed(self) -> threading.Condition:
        return self._changed

    def open(
        self,
        kind: str,
        api_version: str | None = None,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        timeout: float = OPEN_TIMEOUT,
    ) -> None:
        """Watch a kind, in one namespace or (none given) in all; returns once it is listed.

        From then on no change is missed. What is watched already is not watched twice.

        Raises `ConfigurationError` for a kind that the cluster does not know, and `ApiError` when
        the list is refused or not complete within `timeout` seconds.
        """
        resource = self._connection.discovery.find(kind, api_version)
        scope = Scope(
            resource, namespace if resource.namespaced else "", label_selector, field_selector
        )
        stream = self._stream(scope)
        deadline = Deadline.after(timeout, self._clock)
        with self._changed:
            while not (stream in self._listed or stream.failure or self._closed or deadline.passed):
                self._clock.wait(self._changed, deadline.remaining)
            if self._closed:
                raise self._closed_error(scope)
            if stream in self._listed and not stream.failure:
                return
            if stream not in self._listed:
                # it has told nothing yet, so it can be opened anew without harm
                self._streams.pop(stream.scope, None)
        stream.stop()
        if stream.failure:
            if isinstance(stream.failure, ApiError) and stream.failure.status == NOT_FOUND:
                # what discovery told may be from before a definition was deleted
                self._connection.discovery.forget(resource)
                self._connection.discovery.find(kind, api_version)
            raise stream.failure.with_traceback(None)
        trouble = stream.trouble
        raise ApiError(
            f"{scope} could not be listed within {timeout:g} s"
            + (f": {trouble.cause}" if trouble else ""),
            status=trouble.status if trouble else 0,
            reason=trouble.reason if trouble else "",
        ) from trouble

    def records(self, kind: str = "", *, after: int = 0) -> Sequence[Record]:
        """Those that are still kept; see `seatrial.watch.log` for which those are."""
        with self._changed:
            return self._log.after(after, kind)

    def snapshot(self) -> Snapshot:
        with self._changed:
            return self._shelf.snapshot()

    def check(self, namespace: str = "") -> None:
        """Raise the error that ended a stream for good, if one did.

        With `namespace` only of a stream that this namespace's records come from.
        """
        with self._changed:
            for scope, stream in self._streams.items():
                if stream.failure and (not namespace or scope.namespace in ("", namespace)):
                    raise stream.failure.with_traceback(None)

    def concerns(self, record: Record, namespace: str) -> bool:
        """Whether a record is about an object in that namespace, or in none (a Node), or about a
        gap that may hide one."""
        if record.change is Change.GAP:
            return self._gaps[record.number] in ("", namespace)
        return dig(record.object, "metadata", "namespace", default="") in ("", namespace)

    def view(self, namespace: str) -> View:
        """A feed of what happens in one namespace, and to what lives in none (Nodes).

        Its records keep the numbers that they have here. There is one view of each namespace, for
        as long as somebody holds it, and a while longer; asking for it again costs nothing.
        """
        with self._changed:
            view = self._views.get(namespace)
            if view is None:
                view = self._views[namespace] = View(self, namespace, kept=self._kept)
                self._lasting.append(view)
            return view

    def leave(self, namespace: str) -> None:
        """End the streams of one namespace, which is given up; its objects count as gone.

        Streams that see all namespaces go on, and what they tell of this one with them.
        """
        with self._changed:
            left = [each for each in self._streams.values() if each.scope.namespace == namespace]
            snapshot = self._shelf.snapshot()
            for stream in left if namespace else ():
                gap = Delta(Change.GAP, note=f"{stream.scope} are not watched any more")
                kind = stream.scope.resource.kind
                for delta in (
                    gap, *(Delta(Change.DELETED, obj) for obj in snapshot.all(kind, namespace))
                ):  # fmt: skip
                    self._record(stream, delta)
                del self._streams[stream.scope]
                self._listed.discard(stream)
                stream.stop()
            self._changed.notify_all()

    def close(self) -> None:
        """End all streams, within a second; what they brought stays readable."""
        with self._changed:
            self._closed = True
            streams = list(self._streams.values())
            self._streams.clear()
            self._changed.notify_all()
        for stream in streams:
            stream.stop()
        # real seconds, whatever the clock: threads end in no other time
        deadline = Deadline.after(CLOSE_TIMEOUT, SystemClock())
        for stream in streams:
            stream.join(deadline.remaining)

    def __enter__(self) -> Hub:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _closed_error(self, scope: Scope) -> ClusterError:
        return ClusterError(f"{scope} cannot be watched any more: the hub is closed")

    def _stream(self, scope: Scope) -> Stream:
        with self._changed:
            if self._closed:
                raise self._closed_error(scope)
            for opened, stream in self._streams.items():
                if opened.covers(scope):
                    return stream
            stream = Stream(self._connection, scope, self._receive, clock=self._clock)
            self._streams[scope] = stream
            stream.start()
            return stream

    def _receive(self, stream: Stream, deltas: Sequence[Delta]) -> None:
        with self._changed:
            if self._streams.get(stream.scope) is not stream:
                return  # stopped meanwhile
            if not stream.failure:
                self._listed.add(stream)
            for delta in deltas:
                self._record(stream, delta)
            if stream.retired:
                # its kind may be defined again, and is watched anew then
                del self._streams[stream.scope]
                self._listed.discard(stream)
            if self._log.full:
                self._trim()
            self._changed.notify_all()

    def _record(self, stream: Stream, delta: Delta) -> None:
        change: Change | None = delta.change
        number = self._last + 1
        if delta.change is Change.GAP:
            self._gaps[number] = stream.scope.namespace
        else:
            change = self._admission.admit(stream, delta.change, delta.object)
        if change is None:
            return
        record = Record(
            number=number,
            received=self._clock.monotonic(),
            wall=self._clock.wall(),
            change=change,
            kind=stream.scope.resource.kind,
            object=delta.object,
            note=delta.note,
        )
        self._last = number
        self._log.append(record)
        self._shelf.apply(record)

    def _trim(self) -> None:
        for view in list(self._views.values()):
            view.catch_up()  # it keeps more of its namespace than is kept of all
        for record in self._log.trim():
            if record.change is Change.DELETED:
                self._admission.forget(record.object)


class View:
    """The part of a hub's feed that is about one namespace, and about what lives in none."""

    def __init__(self, hub: Hub, namespace: str, *, kept: int = KEPT) -> None:
        self._hub = hub
        self.namespace = namespace
        self._log = Log(kept)
        self._shelf = Shelf()
        #: number of the last record of the hub that was looked at
        self._seen = 0

    @property
    def clock(self) -> Clock:
        return self._hub.clock

    @property
    def changed(self) -> threading.Condition:
        return self._hub.changed

    def records(self, kind: str = "", *, after: int = 0) -> Sequence[Record]:
        with self.changed:
            self.catch_up()
            return self._log.after(after, kind)

    def snapshot(self) -> Snapshot:
        with self.changed:
            self.catch_up()
            return self._shelf.snapshot()

    def check(self) -> None:
        self._hub.check(self.namespace)

    def catch_up(self) -> None:
        """Take in what the hub has that is new. For who holds `changed`."""
        for record in self._hub.records(after=self._seen):
            self._seen = record.number
            if self._hub.concerns(record, self.namespace):
                self._log.append(record)
                self._shelf.apply(record)
        if self._log.full:
            self._log.trim()
