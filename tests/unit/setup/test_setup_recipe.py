"""What a node image is made of: pinned, complete, and with a key that heeds all of it."""

import re
import shutil
import subprocess

import pytest

from seatrial.cluster import kind
from seatrial.core.errors import NodeImageError
from seatrial.core.settings import Settings
from seatrial.setup import node_recipe
from seatrial.setup.node_image import CNI_LABEL
from seatrial.setup.node_recipe import FOLDER, Recipe, known_versions

VERSION = known_versions()[-1]
#: files of our own, among them what runs in the node; the rest is pinned modules
OURS = sorted(p for p in FOLDER.rglob("*") if p.is_file() and "go" not in p.parts)
SHELL = [p for p in OURS if p.read_bytes().startswith(b"#!/bin/")]


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The recipe's folder as a copy that a test may change."""
    shutil.copytree(FOLDER, tmp_path / "recipe")
    monkeypatch.setattr(node_recipe, "FOLDER", tmp_path / "recipe")
    return tmp_path / "recipe"


def test_the_default_kubernetes_can_be_made():
    assert Settings().kubernetes in known_versions()


def test_known_versions_go_from_oldest_to_newest_by_number(copied):
    for version in ("v1.9.12", "v1.10.0", "v1.9.2"):
        (copied / "go" / "kubernetes" / version).mkdir()
    assert known_versions()[:3] == ("1.9.2", "1.9.12", "1.10.0")
    assert known_versions()[-1] == VERSION


def test_an_unknown_version_is_an_error_that_names_the_known_ones():
    with pytest.raises(NodeImageError) as caught:
        Recipe("9.9.9")
    assert str(caught.value).splitlines() == [
        "there is no recipe for a node image of Kubernetes 9.9.9",
        f"-> choose one of: {', '.join(known_versions())}",
    ]


# --- the Go modules


@pytest.mark.parametrize(
    ("version", "name"),
    [(VERSION, name) for name in sorted(Recipe(VERSION).builds)]
    + [(version, "kubernetes") for version in known_versions()[:-1]],
)
def test_every_build_is_pinned_by_go_mod_and_go_sum(version, name):
    build = Recipe(version).builds[name]
    files = {path.name: path for path in build.sources}
    assert len(files) == len(build.sources), "two files of one name would be one in the build"
    assert {"go.mod", "go.sum"} <= set(files)
    assert all(path.is_file() for path in build.sources)
    assert build.needs >= (1, 20)
    required = re.findall(
        r"^\s+(\S+) (v\S+)(?: // indirect)?$", files["go.mod"].read_text(), re.MULTILINE
    )
    sums = files["go.sum"].read_text()
    replaced = files["go.mod"].read_text().partition("replace")[2]
    missing = [
        module
        for module, version in required
        if f"{module} {version}/go.mod h1:" not in sums and f"{module} =>" not in replaced
    ]
    assert missing == []


def test_every_build_has_a_main_of_ours_or_names_its_commands():
    for name, build in Recipe(VERSION).builds.items():
        has_main = "main.go" in {path.name for path in build.sources}
        assert has_main == (build.packages == (".",)), name


def test_kubernetes_is_stamped_with_its_version_and_with_no_day():
    flags = Recipe(VERSION).kubernetes_build.ldflags
    assert f"version.gitVersion=v{VERSION} " in flags
    major, minor, _ = VERSION.split(".")
    assert f"version.gitMajor={major} " in flags
    assert f"version.gitMinor={minor} " in flags
    assert "version.buildDate=1970-01-01T00:00:00Z" in flags


@pytest.mark.parametrize("version", known_versions())
def test_kubernetes_is_of_the_version_that_the_image_says_it_is(version):
    go_mod = next(p for p in Recipe(version).kubernetes_build.sources if p.name == "go.mod")
    assert f"k8s.io/kubernetes v{version}" in go_mod.read_text()


def test_the_versions_that_are_looked_after_by_kubernetes_can_be_built():
    assert known_versions() == ("1.34.4", "1.35.4", "1.36.3", "1.37.2")


# --- the key


def test_the_same_recipe_has_the_same_key_and_a_tag_with_it(copied):
    recipe = Recipe(VERSION)
    assert recipe.key == Recipe(VERSION).key
    assert re.fullmatch(r"[0-9a-f]{16}", recipe.key)
    assert recipe.reference == f"seatrial/node:v{VERSION}-{recipe.key}"


@pytest.mark.parametrize(
    "name",
    [str(path.relative_to(FOLDER)) for path in OURS if "node" in path.parts]
    + [f"go/kubernetes/v{VERSION}/go.sum", "go/etcd/go.mod", "go/pause/main.go"],
)
def test_the_key_changes_with_every_file(copied, name):
    before = Recipe(VERSION).key
    with (copied / name).open("a") as file:
        file.write("\n")
    assert Recipe(VERSION).key != before


def test_the_key_changes_with_a_file_that_is_added_or_renamed(copied):
    before = Recipe(VERSION).key
    crictl = copied / "node" / "etc" / "crictl.yaml"
    crictl.rename(crictl.with_name("crictl.yml"))
    renamed = Recipe(VERSION).key
    (copied / "node" / "etc" / "hostname").touch()
    assert len({before, renamed, Recipe(VERSION).key}) == 3


def test_the_key_changes_with_the_base(copied, monkeypatch):
    before = Recipe(VERSION).key
    base = type(node_recipe.BASE)("seatrial/node-base", packages=("systemd",))
    monkeypatch.setattr(node_recipe, "BASE", base)
    assert Recipe(VERSION).key != before


# --- files of ours


@pytest.mark.parametrize("script", SHELL, ids=lambda path: path.name)
def test_every_script_is_free_of_syntax_errors(script):
    shell = script.read_text().splitlines()[0].removeprefix("#!")
    checked = subprocess.run([shell, "-n", script], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_there_are_scripts_to_check():
    assert {path.name for path in SHELL} == {
        "entrypoint", "kubelet-cgroups", "assemble", "proxy-files",
    }  # fmt: skip


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_no_file_of_ours_names_a_registry_or_a_mirror(path):
    text = path.read_text()
    assert "://" not in text.replace("unix:///", "")
    assert not re.search(r"\b[\w-]+\.(io|com|org|net|dev|cloud)/", text)
    assert not re.search(r"\b(docker|quay|gcr|ghcr)\.io\b", text)


def test_node_files_are_at_their_paths_in_the_node():
    files = Recipe(VERSION).node_files
    assert {
        "usr/local/bin/entrypoint", "etc/containerd/config.toml", "etc/crictl.yaml",
        "etc/systemd/system/containerd.service", "etc/systemd/system/kubelet.service",
    } <= set(files)  # fmt: skip
    assert all(path.is_file() for path in files.values())


def test_the_kubelet_starts_once_kubeadm_has_configured_it_and_containerd_tells_when_it_is_up():
    files = {name: path.read_text() for name, path in Recipe(VERSION).node_files.items()}
    assert (
        "ConditionPathExists=/var/lib/kubelet/config.yaml"
        in files["etc/systemd/system/kubelet.service"]
    )
    assert "Type=notify" in files["etc/systemd/system/containerd.service"]


def test_the_pause_image_is_put_into_containerds_configuration():
    config = Recipe(VERSION).node_files["etc/containerd/config.toml"].read_text()
    assert 'sandbox_image = "@PAUSE@"' in config


def test_the_cluster_provider_and_the_image_agree_on_the_label_of_the_pod_network():
    assert kind.CNI_LABEL == CNI_LABEL


def test_the_entrypoint_hands_over_to_its_arguments():
    entrypoint = Recipe(VERSION).node_files["usr/local/bin/entrypoint"]
    assert entrypoint.read_text().rstrip().endswith('exec "$@"')
