"""A small web application to put through its sea trial: a page, two probes and its version."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from urllib.parse import quote

from flask import Flask, Response, g, jsonify, render_template, request

from app.state import State

__all__ = ["NAME", "VERSION", "create_app"]

NAME = "flask"
VERSION = "1.0.0"

access_log = logging.getLogger("app.access")


def create_app(
    environ: Mapping[str, str] | None = None, clock: Callable[[], float] = time.monotonic
) -> Flask:
    """The application, configured by `environ`; its state is `app.extensions["state"]`.

    Raises `ValueError`, with one line for a person, for an environment that makes no sense.
    """
    app = Flask(__name__)
    state = State.of(environ or {}, clock)
    app.extensions["state"] = state

    @app.get("/")
    def page() -> str:
        return render_template(
            "index.html",
            name=NAME,
            version=VERSION,
            build_id=state.build_id,
            pod=state.pod_name,
            node=state.node_name,
            count=state.count(),
        )

    @app.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @app.get("/readyz")
    def readyz() -> Response:
        reason = state.unready_because()
        return Response(
            f"{reason or 'ready'}\n", status=503 if reason else 200, mimetype="text/plain"
        )

    @app.get("/version")
    def version() -> Response:
        return jsonify(name=NAME, version=VERSION, build_id=state.build_id)

    @app.before_request
    def start_timer() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        # the page needs its own style and its icon, and nothing from anywhere else
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
        )
        access_log.info(
            "%s %s %d %s bytes %.1f ms from %s %r",
            request.method,
            quote(request.path),
            response.status_code,
            response.content_length,
            (time.perf_counter() - g.started) * 1000,
            request.remote_addr,
            request.user_agent.string,
        )
        return response

    return app
