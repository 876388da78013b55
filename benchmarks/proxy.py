"""A TCP proxy on 127.0.0.1 that does to its connections what networks do.

It passes TLS through without looking into it. A connection is known by the local port of its
client, so that a test can pick the one it means.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from types import TracebackType

__all__ = ["Pair", "Proxy"]

_CHUNK = 64 * 1024
#: `SO_LINGER` on, with no time: the connection is not closed but reset
_RESET = struct.pack("ii", 1, 0)


class Pair:
    """One connection of a client, and the one to the server that belongs to it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.port: int = client.getpeername()[1]
        self._client, self._server = client, server
        self._lock = threading.Lock()
        self._closed = False
        #: what is to be done to the bytes that the server sends next
        self._midway = False
        self._late = 0.0
        self._silent = False

    def start(self) -> None:
        for source, target in ((self._client, self._server), (self._server, self._client)):
            threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    @property
    def alive(self) -> bool:
        return not self._closed

    def reset(self) -> None:
        """End both connections abruptly (RST)."""
        self._end(abruptly=True)

    def finish(self) -> None:
        """End both connections as a server does that exits (FIN, without TLS's own good-bye)."""
        self._end(abruptly=False)

    def reset_midway(self) -> None:
        """Reset it in the middle of what the server sends next."""
        self._midway = True

    def delay(self, seconds: float) -> None:
        """Hold back for so long what the server sends next."""
        self._late = seconds

    def silence(self) -> None:
        """Pass nothing on any more, and keep both connections open."""
        self._silent = True

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(_CHUNK):
                if self._silent:
                    continue
                if source is self._server:
                    if self._midway:
                        target.sendall(data[: len(data) // 2])
                        time.sleep(0.02)  # a reset overtakes what is not read yet
                        self.reset()
                        return
                    if self._late:
                        seconds, self._late = self._late, 0.0
                        time.sleep(seconds)
                target.sendall(data)
        except OSError:
            pass  # the other direction has ended it
        self.finish()

    def _end(self, *, abruptly: bool) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
        for each in (self._client, self._server):
            with contextlib.suppress(OSError):
                if abruptly:
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                # wakes the thread that reads it: a socket that is being read is not really closed
                each.shutdown(socket.SHUT_RD if abruptly else socket.SHUT_RDWR)
            each.close()


class Proxy:
    """Listens on a free port of 127.0.0.1, for one server on 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        #: refuse new connections, as a server does that is not there
        self.refusing = False
        self._pairs: list[Pair] = []
        self._lock = threading.Lock()

    @property
    def pairs(self) -> list[Pair]:
        """The connections that are open."""
        with self._lock:
            self._pairs = [pair for pair in self._pairs if pair.alive]
            return list(self._pairs)

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()
        for pair in self.pairs:
            pair.reset()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            try:
                if self.refusing:
                    raise ConnectionRefusedError
                server = socket.create_connection(self._target, timeout=5)
            except OSError:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                client.close()
                continue
            server.settimeout(None)
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = Pair(client, server)
            with self._lock:
                self._pairs.append(pair)
            pair.start()
