"""One stream of bytes for many readers at once, none of which may run far ahead of the others."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterable, Iterator

__all__ = ["Fanout"]

#: chunks that wait for a reader; the slowest one sets the pace
DEPTH = 4


class Fanout:
    """Copies chunks to readers, each of which has a thread of its own."""

    def __init__(self, readers: int) -> None:
        self._changed = threading.Condition()
        self._waiting: list[deque[bytes] | None] = [deque() for _ in range(readers)]
        self._ended = False
        self.read_bytes = [0] * readers
        """How much each reader took."""

    def feed(
        self, chunks: Iterable[bytes], readers: Collection[int] | None = None
    ) -> Iterator[int]:
        """Hand out `chunks`, giving the number of bytes so far after each; ends early if nobody
        reads any more.

        They go to all readers, or to those whose numbers are given.
        """
        meant = range(len(self._waiting)) if readers is None else readers
        total = 0
        for chunk in chunks:
            with self._changed:
                self._changed.wait_for(lambda: self._has_room(meant))
                queues = [queue for each in meant if (queue := self._waiting[each]) is not None]
                if not queues:
                    return
                for queue in queues:
                    queue.append(chunk)
                self._changed.notify_all()
            total += len(chunk)
            yield total

    def end(self) -> None:
        """Nothing more will come: the readers' streams end."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def read(self, reader: int) -> Iterator[bytes]:
        """The chunks, for the reader of that number."""
        while True:
            with self._changed:
                # an empty queue is waited on; one that was left, or will get no more, is not
                self._changed.wait_for(lambda: self._waiting[reader] != deque() or self._ended)
                queue = self._waiting[reader]
                if not queue:
                    return
                chunk = queue.popleft()
                self.read_bytes[reader] += len(chunk)
                self._changed.notify_all()
            yield chunk

    def leave(self, reader: int) -> None:
        """The reader of that number takes no more, and nobody waits for it."""
        with self._changed:
            self._waiting[reader] = None
            self._changed.notify_all()

    def _has_room(self, readers: Iterable[int]) -> bool:
        return all(len(self._waiting[each] or ()) < DEPTH for each in readers)
