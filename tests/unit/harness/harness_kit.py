"""A cluster of plain objects, in virtual time: what is written is seen by the streams `lag` seconds
later, and a Deployment's rollout is done `rollout` seconds after it was written."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path

from seatrial.core.errors import ApiError, ConfigurationError
from seatrial.core.model import Change
from seatrial.harness import Cluster
from seatrial.testing import ScriptedFeed

NAMESPACE = "shop"
#: kinds that live in no namespace
SHARED = ("Namespace", "CustomResourceDefinition", "PersistentVolume", "StorageClass")


@dataclass
class Handle:
    """A cluster as its provider gives it."""

    kubeconfig_path: Path
    name: str = "sea"
    provider: str = "kind"
    nodes: tuple = ()
    published: dict[int, int] = field(default_factory=dict)
    tenancy: object = None

    def host_port(self, node_port):
        return self.published.get(node_port)


class FakeHub(ScriptedFeed):
    """A scripted feed that can be opened and looked at like a hub."""

    def __init__(self, log):
        super().__init__()
        self.log = log
        #: by kind: why it cannot be watched
        self.refusals = {}
        self.opened = set()
        self.discovery = FakeDiscovery(self.clock)

    def open(self, kind, api_version=None, *, namespace=""):
        self.discovery.find(kind, api_version)
        if kind in self.refusals:
            raise self.refusals[kind]
        if kind not in self.opened:
            self.log.append(f"watch {kind} {api_version}")
        self.opened.add(kind)

    def view(self, namespace):
        assert namespace == NAMESPACE
        return self

    def shows(self, obj, after=0.0):
        """The streams tell of an object, in `after` seconds."""
        self.at(self.clock.now + after, Change.MODIFIED, copy.deepcopy(obj))


@dataclass
class FakeResource:
    verbs: frozenset
    namespaced: bool


@dataclass
class FakeDiscovery:
    """The kinds that the API server serves: all, but for those that come later."""

    clock: object
    #: by kind: when it begins to be served
    served_from: dict[str, float] = field(default_factory=dict)
    #: kinds that can be written and read, and no more
    unwatchable: set[str] = field(default_factory=set)

    def find(self, kind, api_version=None):
        if self.clock.now < self.served_from.get(kind, 0.0):
            raise ConfigurationError(f"the cluster knows no kind {kind!r}")
        verbs = {"get", "patch"} if kind in self.unwatchable else {"get", "list", "watch", "patch"}
        return FakeResource(frozenset(verbs), kind not in SHARED)


class FakeObjects:
    """What the API server holds; every write is told to the hub."""

    def __init__(self, hub, log):
        self.hub = hub
        self.log = log
        self.discovery = hub.discovery
        self.stored = {}
        #: seconds until the streams show what was written; None for never
        self.lag = 0.0
        #: seconds from the asking to an object's being gone
        self.going = 0.0
        self.text_of_log = ""
        self.on_write = []
        self._uids = 0
        self._gone = {}

    def put(self, obj, *, shown=True):
        """Store an object as the API server would."""
        key = self._key(obj)
        old = self.stored.get(key)
        meta = dict(obj["metadata"])
        if old is None:
            self._uids += 1
            meta |= {"uid": f"uid-{self._uids}"}
        else:
            meta |= {"uid": old["metadata"]["uid"]}
        if "spec" in obj:
            generation = old["metadata"]["generation"] if old else 0
            same = old is not None and old["spec"] == obj["spec"]
            meta["generation"] = generation if same else generation + 1
        new = {**obj, "metadata": meta}
        if old is not None and "status" in old and "status" not in obj:
            new["status"] = old["status"]
        self.stored[key] = new
        if shown and self.lag is not None:
            self.hub.shows(new, self.lag)
        return new

    def keep(self, obj):
        """Store an object as it is."""
        self.stored[self._key(obj)] = obj

    def get(self, api_version, kind, name, namespace=""):
        self.discovery.find(kind, api_version)
        key = (kind, "" if kind in SHARED else namespace, name)
        if self._gone.get(key, float("inf")) <= self.hub.clock.now:
            self.stored.pop(key, None)
            self._gone.pop(key)
        return copy.deepcopy(self.stored.get(key))

    def apply(self, obj, *, namespace="", field_manager, force=False, dry_run=False):
        meta = dict(obj["metadata"])
        if obj["kind"] not in SHARED:
            meta["namespace"] = namespace
        self.log.append(f"apply {obj['kind']}/{meta['name']} by {field_manager}")
        return self._written({**obj, "metadata": meta})

    def create(self, obj, *, namespace=""):
        self.log.append(f"create {obj['kind']}/{obj['metadata']['name']}")
        return self._written(obj)

    def delete(self, api_version, kind, name, *, namespace="", propagation="Background", uid=None):
        self.log.append(f"delete {kind}/{name} {propagation}")
        key = (kind, "" if kind in SHARED else namespace, name)
        assert self.stored[key]["metadata"]["uid"] == uid
        self._gone[key] = self.hub.clock.now + self.going
        return True

    def logs(self, namespace, pod, container="", *, previous=False, tail=None):
        self.log.append(f"logs {namespace} {pod} {container} previous={previous} tail={tail}")
        if not self.text_of_log:
            raise ApiError("the API server refused to show the logs", status=400)
        return self.text_of_log

    def _written(self, obj):
        stored = self.put(obj)
        for react in self.on_write:
            react(stored)
        return stored

    @staticmethod
    def _key(obj):
        return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


class World:
    """The cluster under test, its fakes, and a log of all that was asked of them."""

    def __init__(self, tmp_path):
        self.log = []
        self.hub = FakeHub(self.log)
        self.clock = self.hub.clock
        self.objects = FakeObjects(self.hub, self.log)
        self.handle = Handle(tmp_path / "kubeconfig")
        self.cluster = Cluster(
            self.handle,
            kind=tmp_path / "kind",
            kubectl=tmp_path / "kubectl",
            node_image="node:1",
            client=object(),
        )
        self.cluster.hub = self.hub
        self.cluster.objects = self.objects

    def wrote(self, verb):
        return [line for line in self.log if line.startswith(verb)]

    def rolls_out(self, seconds):
        """From now on a Deployment is ready so long after it was written."""

        def react(obj):
            if obj["kind"] == "Deployment":
                *_, done = shown = rolled_out(obj)
                for each in shown:
                    self.hub.shows(each, seconds)
                # the next write keeps the status of this one
                self.objects.keep(done)

        self.objects.on_write.append(react)


PROBE = {"readinessProbe": {"tcpSocket": {"port": 5000}}}


def deployment(name="flask", image="flask:1", replicas=1, probe=PROBE):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": name, "image": image, **probe}]},
            },
        },
    }


def config_map(name="look"):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {}}


def service(name="flask", *ports, selector=None, **spec):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "type": "ClusterIP",
            "selector": {"app": name} if selector is None else selector,
            "ports": list(ports) or [{"port": 5000}],
            **spec,
        },
    }


def pod(name, app="flask", *, status=None, ready=True, owner="", ports=(), **meta):
    """A pod that is ready, or has that container status."""
    container = {"name": app, "ready": ready, "restartCount": 0, "image": "flask:1"}
    container |= status or {"state": {"running": {}}}
    owners = [{"kind": "ReplicaSet", "name": owner, "uid": owner, "controller": True}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-of-{name}",
            "labels": {"app": app},
            "ownerReferences": owners if owner else [],
            **meta,
        },
        "spec": {
            "containers": [
                {"name": "side", **PROBE},
                {"name": app, "image": "x", "ports": list(ports), **PROBE},
            ]
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [container],
        },
    }


def crashed(times):
    """The container status of one that ended so often, and waits for its next run."""
    return {
        "ready": False,
        "restartCount": times - 1,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}},
    }


def unpullable(why="not found"):
    """The container status of one whose image cannot be had."""
    return {
        "ready": False,
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": why}},
    }


def replica_set(owner, revision=1):
    name, uid = owner["metadata"]["name"], owner["metadata"]["uid"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name}-{revision}",
            "namespace": NAMESPACE,
            "uid": f"rs-{uid}-{revision}",
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
            "ownerReferences": [
                {"kind": "Deployment", "name": name, "uid": uid, "controller": True}
            ],
        },
    }


def rolled_out(obj):
    """What the controllers and the kubelet make of a Deployment, once all is done."""
    generation, wanted = obj["metadata"]["generation"], obj["spec"]["replicas"]
    owned = replica_set(obj, revision=generation)
    done = {
        **obj,
        "metadata": {
            **obj["metadata"],
            "annotations": {"deployment.kubernetes.io/revision": str(generation)},
        },
        "status": {
            "observedGeneration": generation,
            "replicas": wanted,
            "updatedReplicas": wanted,
            "availableReplicas": wanted,
        },
    }
    name = owned["metadata"]["name"]
    pods = [
        pod(f"{name}-{number}", obj["metadata"]["name"], owner=owned["metadata"]["uid"])
        for number in range(wanted)
    ]
    return [owned, *pods, endpoints(obj["metadata"]["name"], ready=wanted), done]


def endpoints(name, ready=1, ports=("",)):
    """What the controllers make of a Service that selects so many ready pods, by its ports'
    names."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-1",
            "namespace": NAMESPACE,
            "uid": f"uid-of-slice-{name}",
            "labels": {"kubernetes.io/service-name": name},
        },
        "endpoints": [{"conditions": {"ready": True}}] * ready,
        "ports": [{"name": name, "port": 5000, "protocol": "TCP"} for name in ports],
    }


def shared(kind, name, api_version="v1", **body):
    """An object that lives in no namespace."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **body}


def definition(kind="Boat"):
    return shared(
        "CustomResourceDefinition",
        f"{kind.lower()}s.sea.dev",
        "apiextensions.k8s.io/v1",
        spec={"group": "sea.dev", "names": {"kind": kind}},
    )


def established(obj, status="True"):
    """What the API server makes of a definition."""
    conditions = [{"type": "Established", "status": status}]
    return {**obj, "status": {"conditions": conditions}}
