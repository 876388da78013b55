"""A connection whose watches deliver lines twice, once more, or late.

TCP and TLS keep a proxy from doing that, so it is done where the lines come out. An API server may
do it too: a client has to expect that a resumed watch repeats what it has seen.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from seatrial.kube import Connection, LineStream

__all__ = ["MeddledConnection", "Meddler"]

#: lines that `replay` delivers again
REPLAYED = 5
#: seconds that `late` holds a line back
LATE = 1.5


class Meddler:
    """Takes orders for what is to be done to the next lines, whichever stream they come from."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: deque[str] = deque()
        self.done: Counter[str] = Counter()

    def order(self, what: str) -> None:
        """`twice`, `replay` or `late`."""
        with self._lock:
            self._orders.append(what)

    @property
    def open(self) -> int:
        """Orders not yet carried out."""
        return len(self._orders)

    def take(self) -> str:
        with self._lock:
            if not self._orders:
                return ""
            what = self._orders.popleft()
            self.done[what] += 1
            return what


class _MeddledLines:
    def __init__(self, lines: LineStream, meddler: Meddler, closed: Callable[[], None]) -> None:
        self._lines, self._meddler, self._closed = lines, meddler, closed
        self._latest: deque[bytes] = deque(maxlen=REPLAYED)

    def __iter__(self) -> Iterator[bytes]:
        for line in self._lines:
            what = self._meddler.take()
            if what == "late":
                time.sleep(LATE)
            yield line
            self._latest.append(line)
            if what == "twice":
                yield line
            elif what == "replay":
                yield from list(self._latest)

    def cut(self) -> None:
        self._lines.cut()

    def close(self) -> None:
        self._closed()
        self._lines.close()


class MeddledConnection(Connection):
    """A connection that knows the local port of each of its streams, and meddles with them."""

    def __init__(self, connection: Connection, meddler: Meddler) -> None:
        super().__init__(connection.client)
        self._meddler = meddler
        #: by the path that is watched
        self.ports: dict[str, int] = {}

    def stream(
        self, path: str, *, doing: str, query: Mapping[str, Any], idle_timeout: float
    ) -> LineStream:
        lines = super().stream(path, doing=doing, query=query, idle_timeout=idle_timeout)
        port = lines.local_port
        self.ports[path] = port
        meddled = _MeddledLines(lines, self._meddler, lambda: self._forget(path, port))
        return cast("LineStream", meddled)

    def _forget(self, path: str, port: int) -> None:
        if self.ports.get(path) == port:
            del self.ports[path]
