"""Serves the application with waitress, and ends it without cutting anybody off.

On SIGTERM or SIGINT `/readyz` turns 503 while the requests in flight are finished; those that still
come in meanwhile are answered as well, and told that the connection closes. Then the port is closed
and the process ends.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from flask import Flask
from waitress import wasyncore  # type: ignore[import-untyped]  # waitress has no type hints
from waitress.channel import HTTPChannel  # type: ignore[import-untyped]  # as above
from waitress.server import TcpWSGIServer  # type: ignore[import-untyped]  # as above
from waitress.task import WSGITask  # type: ignore[import-untyped]  # as above

from app import NAME, VERSION, create_app

__all__ = ["Server", "main", "serve"]

log = logging.getLogger("app")


class _Task(WSGITask):  # type: ignore[misc]  # its base has no type hints
    def build_response_header(self) -> Any:
        if self.channel.server.draining:
            self.set_close_on_finish()
        return super().build_response_header()


class _Channel(HTTPChannel):  # type: ignore[misc]  # as above
    task_class = _Task

    @property
    def busy(self) -> bool:
        # a request stays in the list until all of its answer is in the buffers
        return bool(self.requests or self.total_outbufs_len or self.close_when_flushed)


class _Listener(TcpWSGIServer):  # type: ignore[misc]  # as above
    channel_class = _Channel
    draining = False


class Server:
    """One port, served until `stop` is called, then drained."""

    def __init__(self, app: Flask, *, host: str, port: int, threads: int = 8) -> None:
        self._state = app.extensions["state"]
        self._sockets: dict[int, Any] = {}
        self._stopping = ""
        self._listener = _Listener(
            app.wsgi_app,
            map=self._sockets,
            host=host,
            port=port,
            threads=threads,
            ident=None,
            # nothing here takes a body, and a large one would be kept in a file
            max_request_body_size=64 * 1024,
            clear_untrusted_proxy_headers=True,
        )

    @property
    def port(self) -> int:
        """The port that is listened on; of use where 0 was asked for."""
        return int(self._listener.effective_port)

    @property
    def wakeup_fd(self) -> int:
        """A byte that is written here wakes the server up; writing never blocks."""
        fd = int(self._listener.trigger.trigger)
        os.set_blocking(fd, False)
        return fd

    def stop(self, why: str) -> None:
        """Ask for the end; may be called from a signal handler."""
        self._stopping = why
        self._state.shutting_down = True
        self._listener.draining = True
        # wakes the loop below out of its select()
        self._listener.pull_trigger()

    def run(self) -> None:
        """Serve until `stop`, then finish what is in flight."""
        log.info("listening on port %d", self.port)
        while not self._stopping:
            self._turn()
        began = time.monotonic()
        in_flight = self._busy()
        log.info("%s: %d requests in flight are finished first", self._stopping, len(in_flight))
        # the port stays open for them: it is how the world learns that we are not ready
        self._finish(lambda: in_flight & self._busy())
        # who has connected by now is still let in, and what was sent by now is still read
        self._turn(timeout=0)
        wasyncore.dispatcher.close(self._listener)
        self._turn(timeout=0)
        self._finish(self._busy)
        log.info("stopped after %.2f s", time.monotonic() - began)

    def close(self) -> None:
        """End the threads and close what is open still."""
        self._listener.task_dispatcher.shutdown()
        self._listener.trigger.close()
        wasyncore.close_all(self._sockets)

    def _finish(self, unfinished: Callable[[], Iterable[Any]]) -> None:
        while unfinished():
            self._turn()

    def _turn(self, timeout: float = 1.0) -> None:
        # a request that ends wakes the loop, so nothing waits for the timeout
        wasyncore.loop(timeout=timeout, map=self._sockets, count=1)

    def _busy(self) -> set[_Channel]:
        return {each for each in self._sockets.values() if isinstance(each, _Channel) and each.busy}


def serve(app: Flask, *, host: str, port: int) -> None:
    """Serve `app` until SIGTERM or SIGINT. Raises `OSError` if the port cannot be had."""
    server = Server(app, host=host, port=port)

    def stop(number: int, _frame: FrameType | None) -> None:
        server.stop(signal.Signals(number).name)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    # a signal that comes just before select() begins would be noticed only after it
    signal.set_wakeup_fd(server.wakeup_fd, warn_on_full_buffer=False)
    try:
        server.run()
    finally:
        signal.set_wakeup_fd(-1)
        server.close()


def main() -> int:
    """Serve on PORT (5000 unless set) until told to stop; gives the exit status."""
    logging.basicConfig(
        stream=sys.stdout,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    host = "0.0.0.0"  # noqa: S104 - the pod's address is not known before the pod is there
    try:
        port = int(os.environ.get("PORT") or "5000")
        app = create_app(os.environ)
        log.info("%s %s, build %s", NAME, VERSION, app.extensions["state"].build_id)
        serve(app, host=host, port=port)
    except (OSError, ValueError) as error:
        log.critical("cannot start: %s", error)
        return 2
    return 0
