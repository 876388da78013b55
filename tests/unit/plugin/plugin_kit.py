"""Runs of pytest inside of this one, with the real fixtures on a fake API server."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from fake_apiserver import FakeApiServer

# What a run inside imports for the first time is forgotten at its end, so that the next one would
# import it anew: all that the fixtures import is imported here.
import seatrial
import seatrial.harness
import seatrial.report.console
import seatrial.report.events
from seatrial.core.settings import CA_VARIABLES
from seatrial.setup import preparing, provision

IMPORTED = (seatrial.event, seatrial.ready, seatrial.report.console, seatrial.report.events)


class ApiServer(FakeApiServer):
    """Serves all that is watched, and gives each new namespace its service account."""

    def __init__(self):
        super().__init__()
        # all streams of a hub connect at once; one that finds no room tries again a second later
        self.server.socket.listen(64)
        self.resources["v1"] += [
            ("Service", "services", True),
            ("ServiceAccount", "serviceaccounts", True),
        ]
        self.resources["storage.k8s.io/v1"] = [("StorageClass", "storageclasses", False)]
        self.resources["discovery.k8s.io/v1"] = [("EndpointSlice", "endpointslices", True)]

    def put(self, obj):
        stored = super().put(obj)
        if obj["kind"] == "Namespace":
            place = {"name": "default", "namespace": obj["metadata"]["name"]}
            super().put({"kind": "ServiceAccount", "metadata": place})
        return stored

    def namespaces(self):
        return [name for kind, _, name in self.objects if kind == "Namespace"]


@dataclass
class Handle:
    name: str
    kubeconfig_path: Path
    provider: str = "kind"
    nodes: tuple = ()
    tenancy: object = None

    def host_port(self, node_port):
        return None


@dataclass
class Machine:
    """What is on the machine, and a log of what was done to its clusters."""

    pytester: object
    monkeypatch: object
    folder: Path
    log: list[str] = field(default_factory=list)
    made_of: list[object] = field(default_factory=list)
    images: list[dict] = field(default_factory=list)

    def __post_init__(self):
        self.api = ApiServer()
        machine, patch = self, self.monkeypatch
        for name in [*CA_VARIABLES, *(n for n in os.environ if n.startswith("SEATRIAL_"))]:
            patch.delenv(name, raising=False)
        # leases and locks are of this machine, and not of the one that runs the tests
        patch.setenv("XDG_STATE_HOME", str(self.folder / "state"))
        # of the plugins that are installed here, only the one under test
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        patch.delenv("PYTEST_ADDOPTS", raising=False)

        class Provider:
            realm = ""

            def __init__(self, client, kind, kubectl, state_dir, timeout=300.0):
                assert (client, kind, kubectl) == ("engine", Path("/tools/kind"), Path("/k"))

            def ensure(self, options, progress):
                machine.log.append(f"ensure {options.name}")
                machine.made_of.append(options)
                progress.note("the cluster is up")
                return Handle(options.name, machine.api.kubeconfig(machine.folder / "kubeconfig"))

            def find(self, name):
                return None

            def delete(self, name, progress):
                left = ",".join(machine.api.namespaces())
                machine.log.append(f"delete {name}" + (f" with {left}" if left else ""))

        def prepare(settings, progress):
            machine.log.append("prepare")
            progress.note("the machine is ready")
            return preparing.Prepared(
                "engine", Path("/tools/kind"), Path("/k"), "node:1", settings.kubernetes
            )

        class Factory:
            def __init__(self, cluster, **options):
                assert callable(options.pop("buildx"))
                self.options = {**options, "progress": None}

            def __call__(self, **options):
                machine.images.append({**self.options, **options})
                return "an image"

        patch.setattr(provision, "KindProvider", Provider)
        patch.setattr(provision, "prepare", prepare)
        patch.setattr(preparing, "prepare_image_base", lambda settings, client, _: f"on {client}")
        patch.setattr(seatrial.harness, "ImageFactory", Factory)

    def ini(self, **values):
        lines = [f"{key} = {value}" for key, value in values.items()]
        self.pytester.makeini("\n".join(["[pytest]", *lines]))

    def run(self, *args, **kwargs):
        """Run pytest in the folder of the test's own files."""
        return self.pytester.runpytest_inprocess(
            "-p", "seatrial.plugin", "-p", "no:cacheprovider", *args, **kwargs
        )

    def tests(self, source, *args, **kwargs):
        """Run this text as a test module."""
        self.pytester.makepyfile(source)
        return self.run(*args, **kwargs)

    @property
    def clusters(self):
        """What was done to clusters, without the preparing."""
        return [line for line in self.log if line != "prepare"]
