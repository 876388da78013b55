"""A small Kubernetes API server in threads, whose connections can be made to fail on command.

kmock would be the natural choice, but its server lives in an asyncio loop and answers in whole
responses or generators. The client under test is synchronous and reads in threads, and what matters
here happens below HTTP: a connection cut in the middle of a line, a chunk that ends inside a UTF-8
character, an answer that is held back until the test says so.

Revisions, lists in pages, watches from a revision, bookmarks and compaction behave as in the real
server, so a test can assert that nothing is lost and nothing doubled, whatever was cut.
"""

from __future__ import annotations

import json
import queue
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

TIMEOUT = 10.0

MAY_I = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
WHO_AM_I = "/apis/authentication.k8s.io/v1/selfsubjectreviews"

RESOURCES = {
    "v1": [
        ("Namespace", "namespaces", False),
        ("Node", "nodes", False),
        ("Pod", "pods", True),
        ("Event", "events", True),
        ("ConfigMap", "configmaps", True),
    ],
    "apps/v1": [("Deployment", "deployments", True), ("ReplicaSet", "replicasets", True)],
    "events.k8s.io/v1": [("Event", "events", True)],
}


@dataclass
class Seen:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any = None

    @property
    def verb(self) -> str:
        if self.method == "GET":
            return "watch" if self.query.get("watch") == "true" else "read"
        return self.method


@dataclass
class _Watch:
    request: Seen
    actions: queue.Queue = field(default_factory=queue.Queue)


class _Listener(ThreadingHTTPServer):
    # a hub opens all its streams at once, and a connection that finds no room waits for a second
    request_queue_size = 64

    # `server_bind` of the parent asks the resolver for the host's name, which can take seconds
    def server_bind(self):
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address):
        """A connection that the test cut is no news."""


class FakeApiServer:
    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.lock = threading.Condition(threading.RLock())
        self.revision = 100
        self.compacted = 0
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.history: list[tuple[int, str, dict[str, Any]]] = []
        self.requests: list[Seen] = []
        self.watches: list[_Watch] = []
        self.opened = 0
        self.refusals: list[tuple[str, Callable[[Seen], bool], int, Any, bool]] = []
        self.resources = {version: list(kinds) for version, kinds in RESOURCES.items()}
        self.texts: dict[str, str] = {"/readyz": "ok"}
        self.gate: dict[str, threading.Event] = {}
        #: what an access review answers to its resourceAttributes
        self.allows: Callable[[dict[str, str]], bool] = lambda _: True
        self.account = "system:serviceaccount:ci:seatrial"
        #: bytes per chunk of a watch; 0 for one chunk per line
        self.chunk = 0
        handler = type("Handler", (_Handler,), {"fake": self})
        self.server = _Listener(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        scheme = "http"
        if tls is not None:
            scheme = "https"
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        for gate in self.gate.values():
            gate.set()
        self.cut()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(TIMEOUT)

    def stop_listening(self) -> None:
        """Refuse new connections from now on; open ones stay."""
        # the loop first: while it polls the socket, the system keeps on accepting
        self.server.shutdown()
        self.server.socket.close()

    def kubeconfig(self, path: Path, *, user: dict[str, Any] | None = None, **cluster: Any) -> Path:
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "fake", "cluster": {"server": self.url, **cluster}}],
            "users": [{"name": "tester", "user": user or {}}],
            "contexts": [{"name": "sea", "context": {"cluster": "fake", "user": "tester"}}],
            "current-context": "sea",
        }
        path.write_text(yaml.safe_dump(document))
        return path

    # what a test does to the cluster

    def put(self, obj: dict[str, Any]) -> dict[str, Any]:
        """Create or change an object, as a controller would."""
        with self.lock:
            self.revision += 1
            meta = obj["metadata"]
            key = (obj["kind"], meta.get("namespace", ""), meta["name"])
            old = self.objects.get(key)
            uid = old["metadata"]["uid"] if old else f"uid-{self.revision}"
            stored = {
                **obj,
                "metadata": {
                    **meta,
                    "uid": uid,
                    "resourceVersion": str(self.revision),
                    "managedFields": [{"manager": "fake"}],
                },
            }
            self.objects[key] = stored
            self._happened("MODIFIED" if old else "ADDED", stored)
            return stored

    def remove(self, kind: str, name: str, namespace: str = "") -> None:
        with self.lock:
            self.revision += 1
            gone = self.objects.pop((kind, namespace, name))
            meta = {**gone["metadata"], "resourceVersion": str(self.revision)}
            self._happened("DELETED", {**gone, "metadata": meta})

    def compact(self) -> None:
        """Forget the history, as etcd's compaction does: older revisions are 410 Gone."""
        with self.lock:
            self.revision += 1
            self.compacted = self.revision
            self.history.clear()

    def pass_by(self) -> None:
        """Something happens that no watch sees."""
        with self.lock:
            self.revision += 1

    # what a test does to the connections

    def bookmark(self) -> None:
        with self.lock:
            obj = {"metadata": {"resourceVersion": str(self.revision)}}
            self.send({"type": "BOOKMARK", "object": obj})

    def send(self, *events: dict[str, Any] | bytes) -> None:
        """Send lines as they are to every open watch."""
        with self.lock:
            for watch in self.watches:
                for event in events:
                    line = event if isinstance(event, bytes) else json.dumps(event).encode() + b"\n"
                    watch.actions.put(line)

    def cut(self, half_a_line: bytes = b"") -> None:
        """Break every open watch, perhaps in the middle of a line."""
        self._end("cut", half_a_line)

    def end(self) -> None:
        """End every open watch properly, as the server does when its time is up."""
        self._end("end", b"")

    def hold(self, verb: str) -> threading.Event:
        """Hold answers to a verb back until the event is set."""
        return self.gate.setdefault(verb, threading.Event())

    def refuse(
        self,
        verb: str,
        status: int,
        reason: str = "",
        message: str = "",
        *,
        times: int = 1,
        where: Callable[[Seen], bool] = lambda _: True,
        body: Any = None,
        causes: list[dict[str, str]] | None = None,
        close: bool = False,
    ) -> None:
        """Answer the next requests of a verb (`read`, `watch`, `PATCH`) with a Status, or `body`.

        `close`: say that the connection will be closed, and close it.
        """
        if body is None:
            body = failure(status, reason, message, causes)
        with self.lock:
            self.refusals += [(verb, where, status, body, close)] * times

    # what a test waits for

    def until(self, look: Callable[[], Any]) -> Any:
        with self.lock:
            assert self.lock.wait_for(look, TIMEOUT), "the fake waited in vain"
            return look()

    def wait_for_watches(self, opened: int) -> None:
        """Wait until so many watches have been opened, over all of time."""
        self.until(lambda: self.opened >= opened)

    def seen(self, verb: str) -> list[Seen]:
        with self.lock:
            return [one for one in self.requests if one.verb == verb]

    # inside

    def _end(self, how: str, last: bytes) -> None:
        with self.lock:
            for watch in self.watches:
                if last:
                    watch.actions.put(last)
                watch.actions.put(how)
            self.watches.clear()

    def _happened(self, kind: str, obj: dict[str, Any]) -> None:
        self.history.append((self.revision, kind, obj))
        for watch in self.watches:
            if self.matches(obj, watch.request):
                watch.actions.put(_line(kind, obj))
        self.lock.notify_all()

    def matches(self, obj: dict[str, Any], request: Seen) -> bool:
        kind, namespace, _ = self.place(request.path)
        meta = obj["metadata"]
        if obj["kind"] != kind or (namespace and meta.get("namespace", "") != namespace):
            return False
        for pair in filter(None, request.query.get("labelSelector", "").split(",")):
            key, _, value = pair.partition("=")
            if meta.get("labels", {}).get(key) != value:
                return False
        for pair in filter(None, request.query.get("fieldSelector", "").split(",")):
            path, _, value = pair.partition("=")
            found: Any = obj
            for step in path.split("."):
                found = found.get(step, {})
            if found != value:
                return False
        return True

    def place(self, path: str) -> tuple[str, str, str]:
        """Kind, namespace and name (each may be empty) behind a path."""
        parts = path.strip("/").split("/")
        version = parts[1] if parts[0] == "api" else "/".join(parts[1:3])
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = ""
        if len(rest) > 2 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        plural, name, *_ = [*rest, "", ""]
        kind = next((k for k, p, _ in self.resources.get(version, []) if p == plural), "")
        return kind, namespace, name


def failure(
    code: int, reason: str, message: str, causes: list[dict[str, str]] | None = None
) -> dict[str, Any]:
    """A Status object that says no."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": {"causes": causes or []},
        "code": code,
    }


def _line(kind: str, obj: dict[str, Any]) -> bytes:
    # as Go writes it: UTF-8 as it is
    return json.dumps({"type": kind, "object": obj}, ensure_ascii=False).encode() + b"\n"


class _Handler(BaseHTTPRequestHandler):
    fake: FakeApiServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 0

    def log_message(self, *args):
        pass

    def handle_any(self):
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        request = Seen(self.command, url.path, query, dict(self.headers.items()), body)
        fake = self.fake
        with fake.lock:
            fake.requests.append(request)
            fake.lock.notify_all()
        gate = fake.gate.get(request.verb)
        if gate is not None:
            gate.wait(TIMEOUT)
        with fake.lock:
            for index, (verb, where, status, answer, close) in enumerate(fake.refusals):
                if verb == request.verb and where(request):
                    del fake.refusals[index]
                    self.answer(status, answer, close=close)
                    return
        getattr(self, f"do_{request.verb}_")(request)

    do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815 - names that http.server asks for

    def answer(self, status: int, body: Any, *, close: bool = False) -> None:
        if body == "reset":
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        kind = "text/plain" if isinstance(body, str) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        if close:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(raw)

    def not_found(self, request: Seen) -> None:
        self.answer(404, failure(404, "NotFound", f"{request.path} not found"))

    def do_read_(self, request: Seen) -> None:
        fake, path = self.fake, request.path
        with fake.lock:
            if path in fake.texts:
                self.answer(200, fake.texts[path])
            elif path == "/version":
                self.answer(200, {"gitVersion": "v1.37.2"})
            elif path == "/apis":
                groups = [v for v in fake.resources if "/" in v]
                self.answer(
                    200,
                    {
                        "groups": [
                            {"name": v, "preferredVersion": {"groupVersion": v}} for v in groups
                        ]
                    },
                )
            elif path.count("/") <= 3 and path.split("/", 2)[2] in fake.resources:
                self.discover(path.split("/", 2)[2])
            else:
                self.read_objects(request)

    def discover(self, version: str) -> None:
        resources = [
            {"name": plural, "kind": kind, "namespaced": namespaced, "verbs": ["get", "list"]}
            for kind, plural, namespaced in self.fake.resources[version]
        ]
        resources.append(
            {"name": "pods/status", "kind": "Pod", "namespaced": True, "verbs": ["get"]}
        )
        self.answer(200, {"kind": "APIResourceList", "resources": resources})

    def read_objects(self, request: Seen) -> None:
        fake = self.fake
        kind, namespace, name = fake.place(request.path)
        if name:
            found = fake.objects.get((kind, namespace, name))
            self.answer(200, found) if found else self.not_found(request)
            return
        if not kind:
            self.not_found(request)
            return
        items = [
            {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}
            for obj in fake.objects.values()
            if fake.matches(obj, request)
        ]
        start = int(request.query.get("continue") or 0)
        end = start + int(request.query["limit"])
        meta = {"resourceVersion": str(fake.revision)}
        if end < len(items):
            meta["continue"] = str(end)
        self.answer(200, {"kind": f"{kind}List", "metadata": meta, "items": items[start:end]})

    def do_watch_(self, request: Seen) -> None:
        fake = self.fake
        since = int(request.query["resourceVersion"])
        with fake.lock:
            if since < fake.compacted:
                self.answer(410, failure(410, "Expired", f"too old resource version: {since}"))
                return
            watch = _Watch(request)
            for revision, kind, obj in fake.history:
                if revision > since and fake.matches(obj, request):
                    watch.actions.put(_line(kind, obj))
            fake.watches.append(watch)
            fake.opened += 1
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            fake.lock.notify_all()
        self.feed(watch)

    def feed(self, watch: _Watch) -> None:
        while True:
            action = watch.actions.get(timeout=60)
            if action == "cut":
                self.close_connection = True
                return
            if action == "end":
                self.wfile.write(b"0\r\n\r\n")
                return
            size = self.fake.chunk or len(action)
            for start in range(0, len(action), size):
                part = action[start : start + size]
                self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")

    def do_PATCH_(self, request: Seen) -> None:
        fake = self.fake
        kind, namespace, name = fake.place(request.path)
        with fake.lock:
            old = fake.objects.get((kind, namespace, name))
            if old is None and "apply" not in request.headers["Content-Type"]:
                self.not_found(request)
                return
            meta = {**(old or {}).get("metadata", {}), **request.body.get("metadata", {})}
            meta |= {"name": name} | ({"namespace": namespace} if namespace else {})
            self.answer(
                200, fake.put({**(old or {}), **request.body, "kind": kind, "metadata": meta})
            )

    def do_POST_(self, request: Seen) -> None:
        fake = self.fake
        if request.path == MAY_I:
            allowed = fake.allows(request.body["spec"]["resourceAttributes"])
            self.answer(201, {"status": {"allowed": allowed}})
            return
        if request.path == WHO_AM_I:
            self.answer(201, {"status": {"userInfo": {"username": fake.account}}})
            return
        kind, namespace, _ = fake.place(request.path)
        meta = dict(request.body["metadata"])
        if namespace:
            meta["namespace"] = namespace
        with fake.lock:
            if (kind, namespace, meta["name"]) in fake.objects:
                message = f'{kind.lower()}s "{meta["name"]}" already exists'
                self.answer(409, failure(409, "AlreadyExists", message))
                return
            self.answer(201, fake.put({**request.body, "metadata": meta}))

    def do_DELETE_(self, request: Seen) -> None:
        fake = self.fake
        kind, namespace, name = fake.place(request.path)
        with fake.lock:
            found = fake.objects.get((kind, namespace, name))
            if found is None:
                self.not_found(request)
                return
            wanted = request.body.get("preconditions", {}).get("uid")
            if wanted not in (None, found["metadata"]["uid"]):
                message = f"the UID in the precondition ({wanted}) does not match"
                self.answer(409, failure(409, "Conflict", message))
                return
            fake.remove(kind, name, namespace)
            self.answer(200, {"kind": "Status", "status": "Success"})
