"""An application in a thread, for whatever sends requests."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TIMEOUT = 10.0


class App:
    """An application in a thread; `plan` says how the next requests end: a status, or a fault."""

    def __init__(self):
        self.plan = []
        self.seen = []
        self.gate = threading.Event()
        handler = type("Handler", (_Handler,), {"app": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler, bind_and_activate=False)
        self.server.daemon_threads = True
        self.server.request_queue_size = 128  # a probe does not wait for the one before
        socket.socket.bind(self.server.socket, self.server.server_address)
        self.server.server_activate()
        self.port = self.server.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(TIMEOUT)


class _Handler(BaseHTTPRequestHandler):
    app: App
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits for an acknowledgement, 40 ms

    def log_message(self, *args):
        pass

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.app.seen.append((self.command, self.path, self.rfile.read(length)))
        step = self.app.plan.pop(0) if self.app.plan else 200
        if step == "hang":
            self.app.gate.wait(TIMEOUT)
            step = "reset"
        if step == "reset":
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        body = b"Hello from Flask"
        self.send_response(302 if step == "loop" else 200 if step == "half" else step)
        if step == "loop":
            self.send_header("Location", "/again")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:5] if step == "half" else body)
        if step == "half":
            self.close_connection = True

    do_GET = do_HEAD = do_OPTIONS = do_PUT = do_DELETE = handle_any  # noqa: N815 - http.server's
    do_POST = do_PATCH = handle_any  # noqa: N815 - names that http.server asks for
