"""An engine and a node that are plain objects."""

import io
import json
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


class Node:
    """A node with a containerd: `images` by id, each with its tags."""

    def __init__(self, name, images=None, gives=("sha256:app", "docker.io/library/flask:sha-1")):
        self.name = name
        self.images = {key: list(tags) for key, tags in (images or {}).items()}
        self.gives = gives
        self.calls = []
        self.received = b""
        self.fails = {}
        #: how often the kubelet's view is asked for before it has followed an import
        self.lags = 0
        self._coming = None

    def exec(self, argv, *, stdin=None):
        self.calls.append(" ".join(argv))
        if argv[0] == "crictl":
            self._fail("crictl", argv)
            if self._coming and self.lags == 0:
                self.images.setdefault(self._coming[0], []).append(self._coming[1])
                self._coming = None
            self.lags = max(0, self.lags - 1) if self._coming else self.lags
            listed = [{"id": key, "repoTags": tags} for key, tags in self.images.items()]
            return json.dumps({"images": listed})
        if "tag" in argv:
            self._fail("tag", argv)
            self._coming = next(
                (key, argv[-1]) for key, tags in self.images.items() if argv[-2] in (key, *tags)
            )
            return ""
        assert argv[-3:] == ["images", "import", "-"]
        self._fail("import", argv)
        for chunk in stdin:
            self.received += chunk
            self._fail("import midway", argv)
        self._coming = self.gives
        return ""

    def _fail(self, call, argv):
        failure = self.fails.get(call)
        if isinstance(failure, Exception):
            raise failure
        if failure:
            raise CommandError(argv, status=1, output=failure)
