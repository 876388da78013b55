"""An engine without containers and commands that run nothing, for the tests of this folder."""

from __future__ import annotations

import json
from contextlib import contextmanager
from types import SimpleNamespace

import docker.errors

from seatrial.core.errors import CommandError
from seatrial.tools import Completed

IMAGE = "seatrial/node:v1.37.2-abc"
ALL_CAPABILITIES = b"Name:\tcat\nCapBnd:\t000001ffffffffff\n"


def matches(labels, filters):
    key, _, value = filters["label"].partition("=")
    return key in labels and value in ("", labels[key])


class FakeContainer:
    def __init__(self, engine, name, labels, *, status="running", ports=None):
        self.engine, self.name, self.labels = engine, name, labels
        self.status, self.ports = status, ports or {}
        self.attrs = {"HostConfig": {"NetworkMode": f"seatrial-{labels['io.x-k8s.kind.cluster']}"}}

    def start(self):
        self.status = "running"

    def remove(self, *, force, v):
        assert force, "a running node is not removed without force"
        assert v, "a node's /var is a volume, to be removed with it"
        self.engine.all_containers.remove(self)


class FakeVolume:
    def __init__(self, engine, labels):
        self.engine, self.attrs = engine, {"Labels": labels}

    def remove(self, *, force):
        assert force
        self.engine.all_volumes.remove(self)


class FakeNetwork:
    def __init__(self, engine, name, labels):
        self.engine, self.name, self.attrs = engine, name, {"Labels": labels}

    def remove(self):
        assert not self.engine.all_containers, "a network that is in use cannot be removed"
        self.engine.all_networks.remove(self)


class FakeEngine:
    """As much of `docker.DockerClient` as the provider asks for."""

    def __init__(self, image_labels=None):
        self.image_labels = {IMAGE: image_labels or {}}
        self.all_containers, self.all_networks = [], []
        self.information = {"CgroupVersion": "2"}
        self.component, self.all_volumes = "Engine", []
        self.volumes = SimpleNamespace(list=lambda: list(self.all_volumes))
        self.privileged = ALL_CAPABILITIES
        self.ran = []
        self.images = SimpleNamespace(get=self._image)
        self.networks = SimpleNamespace(list=self._networks, create=self._create_network)
        self.containers = SimpleNamespace(list=self._containers, run=self._run)

    def info(self):
        return self.information

    def version(self):
        return {"Components": [{"Name": self.component}]}

    def node(self, cluster, name, *, network="", **more):
        labels = {"io.x-k8s.kind.cluster": cluster}
        made = FakeContainer(self, name, labels, **more)
        if network:
            made.attrs["HostConfig"]["NetworkMode"] = network
        self.all_containers.append(made)

    def _image(self, reference):
        if reference not in self.image_labels:
            raise docker.errors.ImageNotFound(f"No such image: {reference}")
        return SimpleNamespace(labels=self.image_labels[reference])

    def _networks(self, *, filters):
        return [n for n in self.all_networks if matches(n.attrs["Labels"], filters)]

    def _create_network(self, name, *, labels):
        self.all_networks.append(FakeNetwork(self, name, labels))

    def _containers(self, *, all, filters):  # noqa: A002 - the SDK's own name
        assert all, "a node that has stopped is a node as well"
        return [c for c in self.all_containers if matches(c.labels, filters)]

    def _run(self, image, command, **options):
        self.ran.append((image, command, options))
        if isinstance(self.privileged, Exception):
            raise self.privileged
        return self.privileged


class FakeCommands:
    """Stands in for `run`: records every command, and does what kind, kubectl and docker would."""

    def __init__(self, engine, nodes=("control-plane",)):
        self.engine, self.nodes = engine, nodes
        self.calls = []
        #: the first two words after the program, or a word among the arguments → what it raises
        self.failing = {}
        self.logs = "the log of {}"
        self.dns = "True"
        self.ready = "True"

    def __call__(self, argv, *, stdin=None, env=None, on_line=None, check=True, timeout=600.0):
        words = [str(word) for word in argv]
        sent = b"".join(stdin) if stdin is not None else b""
        self.calls.append(SimpleNamespace(argv=words, env=dict(env or {}), stdin=sent))
        if words[1:3] == ["export", "kubeconfig"]:
            self._write_kubeconfig(words)
        if "create" in words[:2]:
            self._create(words)
            on_line("Preparing nodes")
        for word, error in self.failing.items():
            if any(word in each for each in words):
                if not check and isinstance(error, CommandError) and error.status is not None:
                    return Completed(tuple(words), error.status, "", error.output)
                raise error
        return Completed(tuple(words), 0, self._answer(words), self._answer(words))

    def _create(self, words):
        name = next(w.partition("=")[2] for w in words if w.startswith("--name="))
        for node in self.nodes:
            self.engine.node(name, f"{name}-{node}")
        self._write_kubeconfig(words)

    def _write_kubeconfig(self, words):
        path = next(w.partition("=")[2] for w in words if w.startswith("--kubeconfig="))
        with open(path, "w") as file:  # noqa: PTH123 - as kind does: with the umask's own mode
            file.write("apiVersion: v1\n")

    def _answer(self, words):
        if words[0] in ("docker", "podman"):
            return self.logs.format(words[-1])
        if "--output=json" in words:
            dns = {
                "kind": "Deployment",
                "metadata": {"name": "coredns"},
                "status": {"conditions": [{"type": "Available", "status": self.dns}]},
            }
            items = [
                {
                    "kind": "Node",
                    "metadata": {"name": container.name},
                    "spec": {"podCIDR": f"10.244.{number}.0/24"},
                    "status": {
                        "conditions": [{"type": "Ready", "status": self.ready}],
                        "addresses": [
                            {"type": "Hostname", "address": container.name},
                            {"type": "InternalIP", "address": f"172.18.0.{number + 2}"},
                        ],
                    },
                }
                for number, container in enumerate(self.engine.all_containers)
            ]
            whole = [*items, dns] if "nodes,deployments" in words else items
            return json.dumps({"items": whole})
        return ""

    def lines(self, *words):
        """The commands that have all these words, each as one line."""
        lines = [" ".join(call.argv) for call in self.calls]
        return [line for line in lines if all(word in line for word in words)]


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


def failed(*argv, output="", status=1, because=""):
    return CommandError(argv, status=status, output=output, because=because)
