"""An answer without an end, read line by line, that another thread can end.

`http.client` cannot go on reading after a read timed out, so a reader cannot look up now and then
whether it should stop. It blocks instead, and is woken by shutting its socket down: the reader sees
the end of the stream and closes what it holds itself. Nothing else is touched from the outside.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import urllib3
import urllib3.exceptions

from seatrial.kube.errors import unreachable

__all__ = ["LineStream"]

_CHUNK = 64 * 1024


class LineStream:
    """The lines of one response. Iterate in one thread; `cut` may be called from any other.

    The iteration ends when the server ended its answer properly, or after `cut`. It raises
    `ApiError` (status 0) when the connection broke or nothing came for `idle_timeout` seconds; a
    line that was not complete by then is never given.
    """

    def __init__(
        self,
        response: urllib3.BaseHTTPResponse,
        *,
        doing: str,
        host: str,
        close: Callable[[], None],
        idle_timeout: float,
    ) -> None:
        self._response = response
        self._doing = doing
        self._host = host
        self._close = close
        self._cut = False
        # `connection` is forgotten by urllib3 once the response has been read to its end
        self._socket = getattr(response.connection, "sock", None)
        if isinstance(self._socket, socket.socket):
            self._socket.settimeout(idle_timeout)

    @property
    def local_port(self) -> int:
        """The port that it comes in at, by which a proxy or `ss` knows it; 0 once it ended."""
        if not isinstance(self._socket, socket.socket):
            return 0
        try:
            return int(self._socket.getsockname()[1])
        except OSError:
            return 0

    def __iter__(self) -> Iterator[bytes]:
        rest = b""
        try:
            for chunk in self._response.stream(_CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (line for line in lines if line.strip())
        except (urllib3.exceptions.HTTPError, OSError) as error:
            if self._cut:
                return
            raise unreachable(self._doing, self._host, error) from error

    def cut(self) -> None:
        """End the stream: whoever reads it sees its end at once. Safe at any time, any number."""
        self._cut = True
        if isinstance(self._socket, socket.socket):
            with contextlib.suppress(OSError):  # it has ended by itself
                # not `SSLSocket.shutdown`, which takes the TLS state away under the reader's feet
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the connection back. Only for the thread that reads."""
        self._response.close()
        self._close()
