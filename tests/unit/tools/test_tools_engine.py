"""Reaching the Docker engine, or saying that there is none."""

import gc
import http.server
import json
import socket
import socketserver
import threading
from contextlib import contextmanager

import pytest

from seatrial.core.errors import EngineError
from seatrial.tools import engine


@contextmanager
def an_engine(ping_status):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            is_version = self.path.endswith("/version")
            said = {"ApiVersion": "1.45", "Components": [{"Name": "Engine"}]}
            answers = {self.path: json.dumps(said).encode()} if is_version else {}
            status = 200 if is_version else ping_status
            body = answers.get(self.path, b"OK" if status == 200 else b"out of order")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("host", "evidence"),
    [
        ("tcp://127.0.0.1:1", "Connection refused"),
        ("gopher://127.0.0.1", "Invalid bind address protocol: gopher://127.0.0.1"),
        ("tcp://127.0.0.1:docker", "Port could not be cast to integer value as 'docker'"),
    ],
)
def test_without_an_engine_the_error_says_so_and_what_to_do(monkeypatch, host, evidence):
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(EngineError) as caught:
        engine.connect(timeout=5)
    lines = str(caught.value).splitlines()
    assert lines[0] == "no Docker engine answers"
    assert evidence in lines[1]
    assert lines[2].startswith("-> start Docker, or point DOCKER_HOST at an engine that runs")
    assert "`seatrial setup` installs and starts one" in lines[3]
    assert caught.value.__cause__ is not None
    assert not engine.is_reachable()


def test_an_engine_that_answers_is_reached(monkeypatch):
    with an_engine(200) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        assert engine.is_reachable()
        client = engine.connect()
        assert client.ping()
        client.close()


def test_an_engine_that_answers_with_an_error_is_none(monkeypatch):
    with an_engine(500) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        with pytest.raises(EngineError, match="no Docker engine answers") as caught:
            engine.connect()
    assert "out of order" in caught.value.details


def test_asking_for_an_engine_that_is_not_there_leaves_no_open_socket(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert not engine.is_reachable()
    with pytest.raises(EngineError) as caught:
        engine.connect()
    assert caught.value.details == f"{tmp_path}/none.sock: No such file or directory"
    # under -W error a socket that was left open would be told of here, in somebody's test
    gc.collect()


def test_an_error_without_words_is_named_by_its_type():
    assert engine._short(ConnectionError()) == "ConnectionError"
    assert engine._short(ConnectionError("gone\nfor good")) == "gone"


# --- podman


@contextmanager
def a_podman(path):
    """An engine that listens on a socket file, and says that it is podman."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            said = {"ApiVersion": "1.41", "Components": [{"Name": "Podman Engine"}]}
            body = b"OK" if self.path.endswith("_ping") else json.dumps(said).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self):
            return "a file has no address"

        def log_message(self, *_):
            pass

    path.parent.mkdir(parents=True)
    with socketserver.UnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def no_docker(monkeypatch, tmp_path):
    """A machine of an ordinary user on which Docker is not."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    parse = engine.docker.utils.parse_host
    monkeypatch.setattr(
        engine.docker.utils,
        "parse_host",
        lambda host, *more, **named: parse(host or "unix:///nowhere", *more, **named),
    )
    monkeypatch.setattr(engine.os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "podman" / "podman.sock"


def test_where_docker_is_not_podman_is_taken(no_docker):
    with pytest.raises(EngineError, match="no Docker engine answers"):
        engine.connect()
    with a_podman(no_docker):
        client = engine.connect()
        assert engine.is_podman(client)
        client.close()


def test_podman_is_not_taken_where_docker_is_asked_for(no_docker):
    with a_podman(no_docker), pytest.raises(EngineError, match="no Docker engine answers"):
        engine.connect("docker")


def test_podman_is_taken_where_it_is_asked_for_whatever_docker_there_is(no_docker, monkeypatch):
    with an_engine(200) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        with pytest.raises(EngineError) as caught:
            engine.connect("podman")
        assert caught.value.cause == "podman's service does not answer"
        assert "seatrial setup --engine podman" in caught.value.hint
        assert not engine.is_reachable("podman")
        with a_podman(no_docker):
            client = engine.connect("podman")
            assert engine.is_podman(client)
            client.close()


def test_podman_is_given_the_tag_of_an_import_together_with_its_name(no_docker, monkeypatch):
    given = []
    monkeypatch.setattr(
        engine.docker.APIClient, "import_image", lambda self, *args, **more: given.append(more)
    )
    with a_podman(no_docker):
        client = engine.connect("podman")
        client.api.import_image("file.tar", repository="seatrial/python", tag="1", changes=[])
        client.close()
    assert given == [{"repository": "seatrial/python:1", "changes": []}]


def test_a_podman_that_has_gone_is_no_engine(no_docker):
    no_docker.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(no_docker))
    with pytest.raises(EngineError, match="no Docker engine answers"):
        engine.connect()


def test_an_engine_that_is_named_is_not_replaced_by_podman(no_docker, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with a_podman(no_docker), pytest.raises(EngineError, match="no Docker engine answers"):
        engine.connect(timeout=5)


@pytest.mark.parametrize(
    ("user", "runtime", "place"),
    [
        (0, "/run/user/0", "/run/podman/podman.sock"),
        (1000, "/x", "/x/podman/podman.sock"),
        (1000, "", "/run/user/1000/podman/podman.sock"),
    ],
)
def test_podmans_socket_is_where_its_unit_puts_it(monkeypatch, user, runtime, place):
    monkeypatch.setattr(engine.os, "geteuid", lambda: user)
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    assert str(engine.podman_socket()) == place


def test_docker_is_not_podman():
    with an_engine(200) as host:
        client = engine.docker.DockerClient(base_url=host, version="1.45")
        assert not engine.is_podman(client)
        client.close()
