"""Making images without a registry, with an engine that only writes down what it is given."""

import io
import json
import tarfile
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from setup_fakes import Commands, FakeClient, Said

from seatrial.core.errors import CommandError, NodeImageError
from seatrial.setup import debian, debian_image, node_image
from seatrial.setup.debian_image import DebianImage
from seatrial.setup.node_image import NodeImageBuilder
from seatrial.setup.node_recipe import BASE, Recipe, known_versions
from seatrial.tools import Artifacts, GoBuild

VERSION = known_versions()[-1]
IMAGE = DebianImage("seatrial/python", ("python3", "python3-pip"), changes=("ENV A=b",))


# --- images of Debian's packages


@pytest.fixture
def mmdebstrap(monkeypatch):
    """Runs nothing, but says what it was asked."""
    commands = Commands()
    monkeypatch.setattr(debian_image, "run", commands)
    monkeypatch.setattr(debian_image.shutil, "which", lambda name: f"/usr/bin/{name}")
    return commands


@pytest.fixture
def client():
    client = FakeClient()
    client.imported = []

    def import_image(tar, *, repository, tag, changes):
        client.imported.append((repository, tag, changes))
        client.images.has.add(f"{repository}:{tag}")

    client.api.import_image = import_image
    return client


def ensure(image, client, tmp_path, said=None):
    return image.ensure(
        client, Artifacts(tmp_path), said or Said(), mirror="http://mirror.example/debian"
    )


def test_a_debian_image_is_made_of_its_packages_alone(mmdebstrap, client, tmp_path):
    said = Said()
    reference = ensure(IMAGE, client, tmp_path, said)
    [line] = mmdebstrap.lines
    assert line.startswith("mmdebstrap --mode=root --variant=essential --format=tar ")
    assert "--include=python3,python3-pip" in line
    assert "--dpkgopt=path-exclude=/usr/share/doc/*" in line
    assert line.endswith("/rootfs.tar http://mirror.example/debian")
    assert " bookworm " in line
    assert client.imported == [("seatrial/python", reference.partition(":")[2], ["ENV A=b"])]
    assert said.lines[0] == f"making {reference} from Debian's packages"
    assert [p.name for p in tmp_path.iterdir() if p.suffix != ".lock"] == []


def test_a_debian_image_that_is_there_is_not_made_again(mmdebstrap, client, tmp_path):
    said = Said()
    assert ensure(IMAGE, client, tmp_path) == ensure(IMAGE, client, tmp_path, said)
    assert len(mmdebstrap.lines) == len(client.imported) == 1
    assert said.lines == []


def test_a_debian_image_that_another_process_made_meanwhile_is_used(
    mmdebstrap, client, tmp_path, monkeypatch
):
    lock = Artifacts.lock

    def made_by_another(self, name):
        client.images.has.add(IMAGE.reference)
        return lock(self, name)

    monkeypatch.setattr(Artifacts, "lock", made_by_another)
    assert ensure(IMAGE, client, tmp_path) == IMAGE.reference
    assert mmdebstrap.lines == []


@pytest.mark.parametrize(
    "other",
    [
        DebianImage("seatrial/python", ("python3",), changes=("ENV A=b",)),
        DebianImage("seatrial/python", ("python3", "python3-pip"), changes=("ENV A=c",)),
        DebianImage("seatrial/python", ("python3", "python3-pip"), "trixie", ("ENV A=b",)),
    ],
    ids=["packages", "changes", "suite"],
)
def test_the_tag_of_a_debian_image_changes_with_what_it_is_made_of(other):
    assert other.reference != IMAGE.reference
    assert IMAGE.reference.startswith("seatrial/python:bookworm-")


def test_mmdebstrap_is_installed_where_it_is_missing(monkeypatch):
    installed = []
    monkeypatch.setattr(debian_image.shutil, "which", lambda name: None)
    monkeypatch.setattr(debian, "release", lambda: SimpleNamespace(has_apt=True))
    monkeypatch.setattr(debian, "is_root", lambda: True)
    monkeypatch.setattr(debian, "apt_install", lambda names, **_: installed.extend(names))
    debian_image.ensure_mmdebstrap(lambda line: None)
    assert installed == ["mmdebstrap"]


@pytest.mark.parametrize(("has_apt", "root"), [(False, True), (True, False)])
def test_where_mmdebstrap_cannot_be_installed_the_error_says_what_else_to_do(
    monkeypatch, has_apt, root
):
    monkeypatch.setattr(debian_image.shutil, "which", lambda name: None)
    system = SimpleNamespace(has_apt=has_apt, pretty="Fedora Linux 40")
    monkeypatch.setattr(debian, "release", lambda: system)
    monkeypatch.setattr(debian, "is_root", lambda: root)
    with pytest.raises(NodeImageError) as caught:
        debian_image.ensure_mmdebstrap(lambda line: None)
    lines = str(caught.value).splitlines()
    assert lines[0] == (
        "an image is to be made from Debian's packages, which needs mmdebstrap and root"
    )
    assert lines[1] == "  this is Fedora Linux 40"
    assert lines[2].startswith("-> give the machine access to an image registry")


# --- node images

EXECUTABLES = {
    "kubernetes": ("kubernetes",),
    "containerd": ("containerd", "containerd-shim-runc-v2", "ctr"),
    "cni": ("host-local", "loopback", "portmap", "ptp"),
    "etcd": ("etcd",),
    "coredns": ("coredns",),
    "crictl": ("crictl",),
    "pause": ("pause",),
}
ASKED_FOR = [
    f"r.example/{name}"
    for name in (
        f"kube-apiserver:v{VERSION}", f"kube-controller-manager:v{VERSION}",
        f"kube-scheduler:v{VERSION}", f"kube-proxy:v{VERSION}", "coredns/coredns:v1.14.6",
        "pause:3.10.2", "etcd:3.7.3-0",
    )
]  # fmt: skip


def unpacked(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {
            m.name: (m, archive.extractfile(m).read() if m.isfile() else b"")
            for m in archive.getmembers()
        }


class BuildContainer:
    """The container in which a node image is assembled."""

    def __init__(self, engine, options):
        self.engine, self.options = engine, options
        self.put, self.executed, self.committed = [], [], None

    def start(self):
        self.engine.running.append(self)

    def put_archive(self, place, content):
        assert place == "/"
        self.put.append(unpacked(content if isinstance(content, bytes) else content.read()))

    def exec_run(self, argv, *, demux):
        assert demux
        self.executed.append(argv)
        if argv[0] in self.engine.failing:
            return 3, (b"unpacking\n", b"ctr: no space left\n")
        return 0, (b"the proxy's tar" if argv[0] == "/proxy-files" else None, None)

    def commit(self, repository, tag, *, changes):
        self.committed = changes
        self.engine.images.has.add(f"{repository}:{tag}")

    def remove(self, *, force, v):
        assert force
        assert v
        self.engine.removed.append(self)


class BuildEngine(FakeClient):
    def __init__(self):
        super().__init__()
        self.running, self.removed, self.leftovers, self.failing = [], [], [], set()
        self.containers = SimpleNamespace(list=self._list, create=self._create)

    def _list(self, *, all, filters):  # noqa: A002 - the SDK's own name
        self.asked_for = filters
        return self.leftovers

    def _create(self, image, command, **options):
        return BuildContainer(self, {"image": image, **options})


@pytest.fixture
def engine():
    return BuildEngine()


@pytest.fixture
def commands(monkeypatch):
    commands = Commands()
    commands.answers = {"config images list": "\n".join(ASKED_FOR) + "\n"}
    monkeypatch.setattr(node_image, "run", commands)
    return commands


@pytest.fixture
def built(monkeypatch):
    """No Go, no mmdebstrap: names of what was built."""
    names = []

    def go(self, artifacts, progress):
        name = next(n for n, build in Recipe(VERSION).builds.items() if build == self)
        names.append(name)

        def fill(folder):
            for executable in EXECUTABLES[name]:
                (folder / executable).write_text(f"bits of {executable}")

        return artifacts.get(self.name, self.key, fill)

    def base(self, client, artifacts, progress, *, mirror):
        names.append(f"{self.repository} from {mirror}")

    monkeypatch.setattr(GoBuild, "run", go)
    monkeypatch.setattr(DebianImage, "ensure", base)
    monkeypatch.setattr(node_image.platform, "machine", lambda: "x86_64")
    return names


@pytest.fixture
def builder(engine, commands, built, tmp_path):
    return NodeImageBuilder(engine, Artifacts(tmp_path), Said(), "http://mirror.example/debian")


def test_a_node_image_is_built_once(builder, engine, built):
    reference = builder.build(VERSION)
    assert reference == Recipe(VERSION).reference == builder.find(VERSION)
    assert sorted(built[:-1]) == sorted(EXECUTABLES)
    assert built[-1] == "seatrial/node-base from http://mirror.example/debian"
    built.clear()
    assert builder.build(VERSION) == reference
    assert built == []
    assert len(engine.running) == 1


def test_an_image_that_was_not_built_is_not_found(builder):
    assert builder.find(VERSION) is None


def test_an_image_of_an_unknown_version_is_an_error(builder):
    with pytest.raises(NodeImageError, match=r"no recipe for a node image of Kubernetes 9\.9\.9"):
        builder.build("9.9.9")


def test_the_progress_says_what_is_being_assembled(builder):
    builder.build(VERSION)
    assert builder.progress.lines == [
        f"assembling {Recipe(VERSION).reference}",
        "copying the executables",
        "unpacking Kubernetes' images",
    ]


def test_the_container_gets_executables_node_files_and_the_images(builder, engine):
    builder.build(VERSION)
    [container] = engine.running
    scripts, payload = container.put
    assert list(scripts) == ["proxy-files"]
    for name in ("containerd", "containerd-shim-runc-v2", "ctr", "crictl"):
        assert payload[f"usr/local/bin/{name}"][1] == f"bits of {name}".encode()
    for name in EXECUTABLES["cni"]:
        assert payload[f"opt/cni/bin/{name}"][1] == f"bits of {name}".encode()
    assert payload["kind/version"][1] == f"v{VERSION}".encode()
    assert set(Recipe(VERSION).node_files) <= set(payload)
    assert payload["assemble"][0].mode == 0o755
    assert b"@PAUSE@" not in payload["etc/containerd/config.toml"][1]
    assert b'"r.example/pause:3.10.2"' in payload["etc/containerd/config.toml"][1]


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("usr/local/bin/entrypoint", 0o755),
        ("usr/local/lib/seatrial/kubelet-cgroups", 0o755),
        ("etc/systemd/system/kubelet.service", 0o644),
        ("etc/containerd/config.toml", 0o644),
        ("etc/systemd", 0o755),
    ],
)
def test_files_in_the_node_have_the_mode_they_need_whatever_the_checkouts_is(
    builder, engine, name, mode
):
    builder.build(VERSION)
    assert engine.running[0].put[1][name][0].mode == mode


def test_the_images_are_those_that_kubeadm_asks_for(builder, engine):
    builder.build(VERSION)
    archive = unpacked(engine.running[0].put[1]["seatrial-images.tar"][1])
    index = json.loads(archive["index.json"][1])

    def blob(descriptor):
        return json.loads(archive["blobs/" + descriptor["digest"].replace(":", "/")][1])

    images = {}
    for descriptor in index["manifests"]:
        manifest = blob(descriptor)
        name = descriptor["annotations"]["io.containerd.image.name"]
        images[name.partition("/")[2].rpartition(":")[0]] = manifest, blob(manifest["config"])
    assert list(images) == [
        "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy",
        "coredns/coredns", "pause", "etcd",
    ]  # fmt: skip
    one, two = (images[n][0]["layers"] for n in ("kube-apiserver", "kube-proxy"))
    # all of Kubernetes is one layer; the proxy has its programs on top
    assert one == images["kube-scheduler"][0]["layers"] == two[:1]
    assert len(two) == 2
    assert images["coredns/coredns"][1]["config"]["Entrypoint"] == ["/coredns"]
    assert images["pause"][1]["config"]["User"] == "65535"
    assert images["etcd"][1]["architecture"] == "amd64"


def test_the_image_starts_as_kind_expects_and_says_what_it_is(builder, engine):
    builder.build(VERSION)
    recipe = Recipe(VERSION)
    assert engine.running[0].committed == [
        'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]',
        "CMD []",
        "LABEL seatrial.dev/cni=host",
        f"LABEL seatrial.dev/kubernetes={VERSION}",
        f"LABEL seatrial.dev/recipe={recipe.key}",
    ]


def test_the_build_container_is_labelled_has_no_network_and_is_gone_afterwards(builder, engine):
    builder.build(VERSION)
    [container] = engine.running
    assert container.options["image"] == BASE.reference
    assert container.options["network_mode"] == "none"
    labels = container.options["labels"]
    assert engine.asked_for == {"label": [f"{k}={v}" for k, v in labels.items()]}
    assert labels["seatrial.dev/role"] == "node-image-build"
    assert engine.removed == [container]


def test_what_a_killed_build_left_in_the_engine_is_removed(builder, engine):
    left = BuildContainer(engine, {})
    engine.leftovers = [left]
    builder.build(VERSION)
    assert engine.removed[0] is left


def test_a_build_that_fails_leaves_nothing_half_made(builder, engine, tmp_path):
    engine.failing = {"/assemble"}
    with pytest.raises(NodeImageError) as caught:
        builder.build(VERSION)
    assert str(caught.value).splitlines() == [
        "/assemble ended with status 3 while the node image was assembled",
        "  unpacking",
        "  ctr: no space left",
    ]
    assert engine.removed == engine.running
    assert builder.find(VERSION) is None
    assert not list(tmp_path.glob(".node-image-*.work"))
    engine.failing = set()
    assert builder.build(VERSION)


def test_a_kubeadm_that_asks_for_an_unknown_image_is_an_error(builder, commands):
    commands.answers = {"config images list": "\n".join([*ASKED_FOR, "r.example/konnectivity:1"])}
    with pytest.raises(NodeImageError) as caught:
        builder.build(VERSION)
    assert caught.value.cause == (
        f"kubeadm {VERSION} asks for images that the recipe does not know"
    )
    assert "konnectivity" in caught.value.details.splitlines()[0]
    assert "konnectivity" not in caught.value.details.splitlines()[1]


def test_kubeadm_is_asked_for_the_images_of_that_very_version(builder, commands):
    builder.build(VERSION)
    [line] = commands.lines
    assert line.endswith(f"/kubeadm config images list --kubernetes-version=v{VERSION}")


def test_a_build_with_go_that_fails_begins_no_container(builder, engine, monkeypatch):
    def fail(self, artifacts, progress):
        raise CommandError(["go", "build"], status=1, output="no such module")

    monkeypatch.setattr(GoBuild, "run", fail)
    with pytest.raises(CommandError, match="go ended with status 1"):
        builder.build(VERSION)
    assert engine.running == []


def test_another_machine_than_the_two_that_are_known_is_an_error(builder, monkeypatch):
    monkeypatch.setattr(node_image.platform, "machine", lambda: "riscv64")
    with pytest.raises(NodeImageError, match="node images are not made for riscv64 machines"):
        builder.build(VERSION)


def test_two_builds_at_once_share_one(builder, engine, built, monkeypatch):
    """The second finds the image once it holds the lock."""
    lock = Artifacts.lock

    @contextmanager
    def made_meanwhile(self, name):
        with lock(self, name):
            engine.images.has.add(Recipe(VERSION).reference)
            yield

    monkeypatch.setattr(Artifacts, "lock", made_meanwhile)
    assert builder.build(VERSION) == Recipe(VERSION).reference
    assert built == engine.running == []
