"""An engine and a node that are plain objects."""

import base64
import gzip
import hashlib
import io
import json
import re
import tarfile
from contextlib import contextmanager

import docker.errors

from seatrial.core.errors import CommandError


class Progress:
    """Notes what a person would see."""

    def __init__(self):
        self.titles = []
        self.lines = []
        self.notes = []

    @contextmanager
    def step(self, title):
        self.titles.append(title)
        yield self

    def line(self, text):
        self.lines.append(text)

    def note(self, text):
        self.notes.append(text)


class Engine:
    """The part of the docker SDK's client that is used; `images` by reference."""

    def __init__(self, **images):
        self.images = dict(images)
        self.api = self
        self.builds = []
        self.pulled = []
        self.pullable = {}
        self.output = [{"stream": "Step 1/1 : FROM x\n"}]
        self.saved = b""
        self.saves = 0
        self.fails = {}
        #: files and folders of its machine, each folder a list of (TarInfo, content)
        self.store = {}
        self.driver_type = ""
        self.containers = {}
        self.created = 0

    def version(self):
        return {"Components": [{"Name": "Engine"}]}

    def info(self):
        self._fail("info")
        status = [["driver-type", self.driver_type]] if self.driver_type else []
        return {"DockerRootDir": "/engine", "DriverStatus": status}

    def keeps(self, reference, image):
        """Have an image unpacked, with its layers in the store as overlay2 has them."""
        folders = []
        for number, (layer, chain_id) in enumerate(zip(image.layers, image.chain_ids, strict=True)):
            folder = f"/engine/overlay2/{number}/diff"
            folders.insert(0, folder)
            self.store[folder] = layer.files
            notes = f"/engine/image/overlay2/layerdb/sha256/{chain_id[7:]}"
            self.store[f"{notes}/tar-split.json.gz"] = layer.notes
            self.store[notes] = []
        self.store[f"/engine/image/overlay2/imagedb/content/sha256/{image.id[7:]}"] = image.config
        described = {
            "RootFS": {"Layers": [layer.digest for layer in image.layers]},
            "GraphDriver": {
                "Name": "overlay2",
                "Data": {"UpperDir": folders[0], "LowerDir": ":".join(folders[1:])},
            },
        }
        self.has(image.id, image.id, **described)
        return self.has(reference, image.id, **described)

    def create_host_config(self, *, mounts):
        return mounts

    def create_container(self, image, *, command, labels, network_disabled, host_config):
        self._fail("create")
        assert image in self.images or any(image == each["Id"] for each in self.images.values())
        assert labels
        assert network_disabled
        self.created += 1
        for mount in host_config:
            assert mount["ReadOnly"]
            if mount["Source"] not in self.store:
                raise docker.errors.APIError(f"bind source path does not exist: {mount['Source']}")
        self.containers["c0ffee"] = {each["Target"]: each["Source"] for each in host_config}
        return {"Id": "c0ffee"}

    def get_archive(self, container, path, *, chunk_size):
        self._fail("archive")
        target, rest = re.fullmatch(r"(/\.seatrial/\d+)(?:/(.*))?", path).groups()
        source = self.containers[container][target]
        found = self.store.get(f"{source}/{rest}" if rest else source)
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as tar:
            if found is None:
                # the one file of a folder that is asked for again
                name = {each.name: each for each, _ in self.store[source]}[rest]
                wanted = name.linkname or rest
                found = next(data for each, data in self.store[source] if each.name == wanted)
            if isinstance(found, bytes):
                info = tarfile.TarInfo("file")
                info.size = len(found)
                tar.addfile(info, io.BytesIO(found))
            else:
                root = tarfile.TarInfo("diff")
                root.type = tarfile.DIRTYPE
                tar.addfile(root)
                for each, data in found:
                    info = tarfile.TarInfo(f"diff/{each.name}")
                    info.type, info.size = each.type, len(data)
                    info.linkname = f"diff/{each.linkname}"
                    tar.addfile(info, io.BytesIO(data))
        return iter([stream.getvalue()]), {}

    def remove_container(self, container, *, v, force):
        assert (v, force) == (True, True)
        del self.containers[container]
        self._fail("remove")

    def has(self, reference, image_id="sha256:base", **more):
        self.images[reference] = {"Id": image_id, "Size": 5, **more}
        return self

    def inspect_image(self, reference):
        self._fail("inspect")
        if reference not in self.images:
            raise docker.errors.ImageNotFound(f"No such image: {reference}")
        return self.images[reference]

    def build(self, *, fileobj, tag, labels, **more):
        with tarfile.open(fileobj=io.BytesIO(fileobj.read())) as archive:
            files = {
                each.name: archive.extractfile(each).read() if each.isfile() else None
                for each in archive
            }
        self.builds.append({"tag": tag, "labels": labels, "files": files, **more})
        self._fail("build")
        yield from self.output
        if not any("error" in entry for entry in self.output) and "lost" not in self.fails:
            self.has(tag, f"sha256:built-{len(self.builds)}", Config={"Labels": labels})

    def pull(self, repository, *, tag, stream, decode, platform):
        self.pulled.append((repository, tag, platform))
        self._fail("pull")
        yield {"status": "Pulling", "id": "abc", "progress": "1/2"}
        if repository not in self.pullable:
            yield {"error": "manifest unknown"}
        for reference in self.pullable.get(repository, ()):
            self.has(reference, "sha256:pulled")

    def get_image(self, reference):
        self.saves += 1
        self._fail("save")
        for start in range(0, len(self.saved), 1000):
            yield self.saved[start : start + 1000]
            self._fail("save midway")

    def _fail(self, call):
        if call in self.fails:
            raise self.fails[call]


class LayerKit:
    """A layer: files by name, in the order of its tar; `->other` is a second name of a file."""

    def __init__(self, **files):
        stream, notes = io.BytesIO(), []
        self.files = []
        with tarfile.open(fileobj=stream, mode="w") as tar:
            for name, given in files.items():
                info = tarfile.TarInfo(name.replace("__", "/"))
                content = given if isinstance(given, bytes) else b""
                if isinstance(given, str):
                    info.type, info.linkname = tarfile.LNKTYPE, given
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        self.tar = stream.getvalue()
        with tarfile.open(fileobj=io.BytesIO(self.tar)) as tar:
            for info in tar.getmembers():
                self.files.append((info, tar.extractfile(info).read() if info.isreg() else b""))
        at = 0
        for info, content in self.files:
            # what stands before a file's content, its own header included
            begin = info.offset_data
            notes.append({"type": 2, "payload": base64.b64encode(self.tar[at:begin]).decode()})
            notes.append({"type": 1, "name": info.name, "payload": None})
            if content:
                notes[-1]["size"] = len(content)
            at = begin + len(content)
        notes.append({"type": 2, "payload": base64.b64encode(self.tar[at:]).decode()})
        self.notes = gzip.compress("".join(json.dumps(each) + "\n" for each in notes).encode())
        self.digest = sha256(self.tar)


class ImageKit:
    """An image of layers."""

    def __init__(self, *layers, architecture="amd64"):
        self.layers = layers
        self.config = json.dumps(
            {
                "os": "linux",
                "architecture": architecture,
                "rootfs": {"diff_ids": [layer.digest for layer in layers]},
            }
        ).encode()
        self.id = sha256(self.config)

    @property
    def chain_ids(self):
        chain = []
        for layer in self.layers:
            chain.append(sha256(f"{chain[-1]} {layer.digest}".encode()) if chain else layer.digest)
        return chain

    def manifest(self):
        return json.dumps(
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"digest": self.id, "size": len(self.config)},
                "layers": [
                    {"mediaType": "x.tar", "digest": each.digest, "size": len(each.tar)}
                    for each in self.layers
                ],
            }
        ).encode()


def sha256(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def tar_of(files):
    """A tar of files by name."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, given in files.items():
            info = tarfile.TarInfo(name)
            content = given if isinstance(given, bytes) else b""
            if isinstance(given, str):
                info.type, info.linkname = tarfile.SYMTYPE, given
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def layout_of(*named, index=None):
    """The files of an OCI layout: `(annotations, image)` each, or several images for platforms."""
    files, entries = {"oci-layout": b"{}"}, []

    def blob(data, **more):
        files[f"blobs/{sha256(data).replace(':', '/')}"] = data
        return {"digest": sha256(data), "size": len(data), **more}

    def of(image, **more):
        blob(image.config)
        for layer in image.layers:
            blob(layer.tar)
        return blob(image.manifest(), **more)

    for annotations, image in named:
        if isinstance(image, dict):
            inner = [
                of(each, **({"platform": platform} if platform else {}))
                for platform, each in [(json.loads(key), value) for key, value in image.items()]
            ]
            entries.append(blob(json.dumps({"manifests": inner}).encode(), annotations=annotations))
        else:
            entries.append(of(image, annotations=annotations))
    files["index.json"] = json.dumps({"manifests": entries} if index is None else index).encode()
    return files


class Node:
    """A node with a containerd: `images` by id, each with its tags; `chain_ids` of its layers."""

    def __init__(self, name, images=None, gives=("sha256:app", "docker.io/library/flask:sha-1")):
        self.name = name
        self.images = {key: list(tags) for key, tags in (images or {}).items()}
        self.gives = gives
        self.calls = []
        self.received = b""
        self.fails = {}
        self.chain_ids = set()
        #: how often the kubelet's view is asked for before it has followed an import
        self.lags = 0
        self._coming = None

    def exec(self, argv, *, stdin=None):
        self.calls.append("ask for layers" if argv[0] == "sh" else " ".join(argv))
        if argv[0] == "crictl":
            return self._list(argv)
        if argv[0] == "sh":
            self._fail("layers", argv)
            return "\n".join(
                ["snapshotter overlayfs", "KEY PARENT KIND", "4f sha256:" + 64 * "0" + " Active"]
                + [f"{each} {'sha256:' + 64 * '1'} Committed  " for each in self.chain_ids]
            )
        if "list" in argv:
            return self._find(argv)
        if argv[0] == "uname":
            self._fail("uname", argv)
            return "x86_64\n"
        if "tag" in argv:
            self._fail("tag", argv)
            self._coming = next(
                (key, argv[-1]) for key, tags in self.images.items() if argv[-2] in (key, *tags)
            )
            return ""
        assert argv[2:4] == ["images", "import"]
        assert argv[-1] == "-"
        self._fail("import", argv)
        received = b""
        for chunk in stdin:
            received += chunk
            self.received += chunk
            self._fail("import midway", argv)
        self._coming = self._import(received, argv) or self.gives
        return ""

    def _find(self, argv):
        """As `ctr images list` does it, with the filters `name==…`."""
        self._fail("list", argv)
        rows = [
            f"{name}  x.manifest  sha256:of-{image_id}  1.0 MiB  linux/amd64  -"
            for image_id, tags in self.images.items()
            for name in (image_id, *tags)
            if f"name=={name}" in argv
        ]
        return "\n".join(["REF TYPE DIGEST SIZE PLATFORMS LABELS", *rows])

    def _list(self, argv):
        self._fail("crictl", argv)
        if self._coming and self.lags == 0:
            self.images.setdefault(self._coming[0], []).append(self._coming[1])
            self._coming = None
        self.lags = max(0, self.lags - 1) if self._coming else self.lags
        listed = [{"id": key, "repoTags": tags} for key, tags in self.images.items()]
        return json.dumps({"images": listed})

    def _import(self, received, argv):
        """As containerd does: a layer is needed if there is no snapshot of it."""
        if not received.startswith(b"oci-layout"):
            return None
        with tarfile.open(fileobj=io.BytesIO(received)) as tar:
            files = {each.name: tar.extractfile(each).read() for each in tar}
        for name, data in files.items():
            if name.startswith("blobs/"):
                assert sha256(data) == name.removeprefix("blobs/").replace("/", ":")
        (entry,) = json.loads(files["index.json"])["manifests"]
        manifest = json.loads(files[f"blobs/{entry['digest'].replace(':', '/')}"])
        config = files[f"blobs/{manifest['config']['digest'].replace(':', '/')}"]
        chain = []
        for layer, diff_id in zip(
            manifest["layers"], json.loads(config)["rootfs"]["diff_ids"], strict=True
        ):
            chain.append(sha256(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
            name = f"blobs/{layer['digest'].replace(':', '/')}"
            if name in files:
                assert len(files[name]) == layer["size"]
            elif chain[-1] not in self.chain_ids:
                raise CommandError(argv, status=1, output=f"ctr: {layer['digest']}: not found")
        self.chain_ids |= set(chain)
        return sha256(config), entry["annotations"]["io.containerd.image.name"]

    def _fail(self, call, argv):
        failure = self.fails.get(call)
        if isinstance(failure, Exception):
            raise failure
        if failure:
            raise CommandError(argv, status=1, output=failure)
