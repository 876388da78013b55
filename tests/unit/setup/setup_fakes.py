"""Commands that run nothing and an engine that holds nothing, for the tests of this folder."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import docker.errors

from seatrial.tools import Completed


class Commands:
    """Stands in for `run`: records every command and gives what is planned for its words."""

    def __init__(self):
        self.lines = []
        #: words in the command → its standard output, or what it raises
        self.answers = {}

    def __call__(self, argv, *, check=True, on_line=None, **more):
        line = " ".join(str(word) for word in argv)
        self.lines.append(line)
        if on_line:
            on_line(f"running {argv[0]}")
        for words, answer in self.answers.items():
            if words in line:
                if isinstance(answer, BaseException):
                    raise answer
                status = answer if isinstance(answer, int) else 0
                text = "" if isinstance(answer, int) else answer
                return Completed(tuple(argv), status, text, text)
        return Completed(tuple(argv), 0, "", "")


class Said:
    """Progress that remembers what was said."""

    def __init__(self):
        self.lines = []

    def note(self, text):
        self.lines.append(text)

    def line(self, text):
        self.lines.append(text)

    @contextmanager
    def step(self, title):
        self.lines.append(title)
        yield self


class FakeImages:
    """`client.images` and `client.api.pull`: what the engine has, and what a registry has."""

    def __init__(self, *, has=(), registry=(), refuses=None):
        self.has, self.registry, self.refuses = set(has), set(registry), refuses
        self.pulled = []

    def get(self, reference):
        if reference not in self.has:
            raise docker.errors.ImageNotFound(f"No such image: {reference}")
        return SimpleNamespace(labels={})

    def get_registry_data(self, reference):
        if self.refuses:
            raise self.refuses
        if reference not in self.registry:
            raise docker.errors.NotFound("manifest unknown")

    def pull(self, reference, *, stream, decode):
        assert stream
        assert decode
        if self.refuses:
            raise self.refuses
        yield {"status": "Pulling from kindest/node", "id": "v1.37.0"}
        if reference in self.registry:
            self.has.add(reference)
            self.pulled.append(reference)
            yield {"status": "Download complete", "id": "abc"}
        else:
            yield {"error": "toomanyrequests: rate limit", "errorDetail": {}}
            yield {"status": "bye"}


class FakeClient:
    """As much of `docker.DockerClient` as preparing and examining ask for."""

    def __init__(self, **images):
        self.images = FakeImages(**images)
        self.api = SimpleNamespace(pull=self.images.pull)
        self.information = {
            "ServerVersion": "26.1.5", "Driver": "overlay2", "CgroupVersion": "2",
            "CgroupDriver": "systemd", "DockerRootDir": "/",
        }  # fmt: skip
        self.name = "Engine"
        self.closed = False

    def version(self):
        return {"Components": [{"Name": self.name}]}

    def info(self):
        return self.information

    def close(self):
        self.closed = True
