"""The application as a process: signals, the end, and what is refused at the start."""

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

#: the application with two more routes, which only a test needs
WITH_SLOW_ROUTES = """
import logging, sys, threading, time
from app import create_app
from app.server import serve
from flask import Response

logging.basicConfig(stream=sys.stdout, level=logging.INFO)
app = create_app({})

@app.get("/slow")
def slow():
    print("slow began", flush=True)
    time.sleep(0.5)
    return "done at last"

@app.get("/large")
def large():
    response = Response("x" * 8_000_000)
    response.call_on_close(lambda: print("large is in the buffers", flush=True))
    return response

serve(app, host="127.0.0.1", port=0)
"""


class Process:
    """A child, and its output line by line."""

    def __init__(self, *argv, **env):
        # ended and closed by `running` below
        self.child = subprocess.Popen(
            [sys.executable, *argv],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def line(self, pattern):
        """Read on until a line fits."""
        passed = []
        for line in self.child.stdout:
            if found := re.search(pattern, line):
                return found
            passed.append(line)
        raise AssertionError(f"{pattern!r} was not printed, but:\n{''.join(passed)}")


@contextlib.contextmanager
def running(*argv, **env):
    process = Process(*argv, **env)
    try:
        yield process
    finally:
        process.child.kill()
        process.child.wait()
        process.child.stdout.close()


def get(port, path, *, connection=None):
    connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers.get("Connection")


def in_background(call):
    got = []
    thread = threading.Thread(target=lambda: got.append(call()))
    thread.start()

    def result():
        thread.join(10)
        return got[0]

    return result


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_process_ends_at_once(number):
    # port 0 is taken for "any free port" by the kernel
    with running("-m", "app", PORT="0") as process:
        port = int(process.line(r"listening on port (\d+)")[1])
        assert get(port, "/readyz")[:2] == (200, "ready\n")
        process.child.send_signal(number)
        assert process.child.wait(5) == 0
        assert process.line(rf"{number.name}: \d requests in flight")


def test_a_request_in_flight_is_finished_and_meanwhile_it_is_not_ready():
    with running("-c", WITH_SLOW_ROUTES) as process:
        port = int(process.line(r"listening on port (\d+)")[1])
        kept_alive = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        kept_alive.request("GET", "/healthz")
        assert kept_alive.getresponse().read() == b"ok\n"
        slow = in_background(lambda: get(port, "/slow"))
        process.line("slow began")
        process.child.send_signal(signal.SIGTERM)
        process.line(r"SIGTERM: [1-9] requests in flight")
        assert get(port, "/readyz") == (503, "shutting down\n", "close")
        assert get(port, "/healthz", connection=kept_alive)[0] == 200
        assert slow() == (200, "done at last", "close")
        assert process.child.wait(5) == 0
        with pytest.raises(ConnectionRefusedError):
            get(port, "/readyz")


def test_an_answer_that_is_still_being_sent_is_sent_to_its_end():
    with running("-c", WITH_SLOW_ROUTES) as process:
        port = int(process.line(r"listening on port (\d+)")[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/large")
            process.line("large is in the buffers")
            answer = connection.getresponse()
            # we do not read on: what the kernel does not take waits in the server
            process.child.send_signal(signal.SIGTERM)
            process.line(r"SIGTERM: [1-9] requests in flight")
            assert len(answer.read()) == 8_000_000
        assert process.child.wait(5) == 0


def test_a_body_that_would_need_a_file_is_refused():
    with running("-m", "app", PORT="0") as process:
        port = int(process.line(r"listening on port (\d+)")[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.closing(connection):
            connection.putrequest("POST", "/")
            connection.putheader("Content-Length", "1000000")
            connection.endheaders()
            assert connection.getresponse().status == 413


@pytest.mark.parametrize(
    ("env", "line"),
    [
        ({"PORT": "http"}, "cannot start: invalid literal for int"),
        ({"READY_DELAY_SECONDS": "x"}, "cannot start: READY_DELAY_SECONDS must be a number"),
    ],
)
def test_an_environment_that_makes_no_sense_ends_it_with_one_line(env, line):
    with running("-m", "app", **env) as process:
        assert process.line(line)
        assert process.child.wait(5) == 2
