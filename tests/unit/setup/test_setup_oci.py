"""Image archives, read back as containerd would read them."""

import hashlib
import json
import tarfile

import pytest

from seatrial.setup.oci import ImageSpec, Layer, write_archive


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program"
    path.write_bytes(b"#!bits")
    path.chmod(0o600)
    return path


@pytest.fixture
def layer(tmp_path, program):
    return Layer.of_files(
        tmp_path / "layer.tar",
        {"usr/local/bin/kubernetes": program, "pause": program},
        {"usr/local/bin/kubelet": "kubernetes"},
    )


def members(tar):
    with tarfile.open(tar) as archive:
        return {member.name: member for member in archive.getmembers()}


class Archive:
    """What is in an archive, by its place."""

    def __init__(self, path):
        with tarfile.open(path) as archive:
            self.names = archive.getnames()
            self.files = {name: archive.extractfile(name).read() for name in self.names}

    def json(self, name):
        return json.loads(self.files[name])

    def blob(self, descriptor):
        """The blob that a descriptor means, checked against its digest and size."""
        algorithm, _, digest = descriptor["digest"].partition(":")
        data = self.files[f"blobs/{algorithm}/{digest}"]
        assert hashlib.new(algorithm, data).hexdigest() == digest
        assert len(data) == descriptor["size"]
        return data

    def images(self):
        """Name → (manifest, config) of each image."""
        found = {}
        for descriptor in self.json("index.json")["manifests"]:
            manifest = json.loads(self.blob(descriptor))
            name = descriptor["annotations"]["io.containerd.image.name"]
            found[name] = manifest, json.loads(self.blob(manifest["config"]))
        return found


def written(tmp_path, *images, architecture="amd64"):
    write_archive(tmp_path / "images.tar", images, architecture=architecture)
    return Archive(tmp_path / "images.tar")


def test_a_layer_has_executables_links_and_the_folders_above_them(layer):
    found = members(layer.tar)
    assert list(found) == [
        "usr", "usr/local", "usr/local/bin", "pause", "usr/local/bin/kubernetes",
        "usr/local/bin/kubelet",
    ]  # fmt: skip
    assert all(found[name].isdir() for name in ("usr", "usr/local", "usr/local/bin"))
    assert found["usr"].mode == 0o755
    # whoever built it: everybody in the image may run it, and it is root's
    assert found["pause"].mode == 0o755
    assert (found["pause"].uid, found["pause"].mtime) == (0, 0)
    assert found["usr/local/bin/kubelet"].issym()
    assert found["usr/local/bin/kubelet"].linkname == "kubernetes"


def test_a_layers_digest_is_that_of_its_tar(layer):
    digest = hashlib.sha256(layer.tar.read_bytes()).hexdigest()
    assert layer.digest == f"sha256:{digest}"
    assert Layer.of_tar(layer.tar) == layer


def test_the_same_files_make_the_same_layer(tmp_path, program):
    first = Layer.of_files(tmp_path / "1.tar", {"b": program, "a": program}, {})
    second = Layer.of_files(tmp_path / "2.tar", {"a": program, "b": program}, {})
    assert first.digest == second.digest


def test_an_archive_reads_back_with_every_digest_and_size_right(tmp_path, layer):
    archive = written(
        tmp_path,
        ImageSpec(("r.example/pause:3",), (layer,), entrypoint=("/pause",), user="65535"),
    )
    assert archive.json("oci-layout") == {"imageLayoutVersion": "1.0.0"}
    index = archive.json("index.json")
    assert index["schemaVersion"] == 2
    manifest, config = archive.images()["r.example/pause:3"]
    [descriptor] = manifest["layers"]
    assert archive.blob(descriptor) == layer.tar.read_bytes()
    assert descriptor["mediaType"] == "application/vnd.oci.image.layer.v1.tar"
    assert config["rootfs"] == {"type": "layers", "diff_ids": [layer.digest]}
    assert (config["os"], config["architecture"]) == ("linux", "amd64")
    assert config["config"]["Entrypoint"] == ["/pause"]
    assert config["config"]["User"] == "65535"
    assert config["config"]["Env"][0].startswith("PATH=/usr/local/bin:")


def test_what_an_image_does_not_set_is_not_in_its_configuration(tmp_path, layer):
    _, config = written(tmp_path, ImageSpec(("a:1",), (layer,))).images()["a:1"]
    assert set(config["config"]) == {"Env"}


def test_a_layer_that_images_share_is_in_the_archive_once(tmp_path, layer, program):
    other = Layer.of_files(tmp_path / "other.tar", {"proxy": program}, {})
    archive = written(tmp_path, ImageSpec(("a:1",), (layer,)), ImageSpec(("b:1",), (layer, other)))
    assert len(archive.names) == len(set(archive.names))
    images = archive.images()
    shared = images["a:1"][0]["layers"][0]
    assert images["b:1"][0]["layers"][0] == shared
    assert images["b:1"][1]["rootfs"]["diff_ids"] == [layer.digest, other.digest]
    # two layers, two manifests, two configurations
    assert sum(name.startswith("blobs/") for name in archive.names) == 6


def test_images_that_are_the_same_but_for_their_names_share_all(tmp_path, layer):
    archive = written(tmp_path, ImageSpec(("a:1", "a:2"), (layer,)), ImageSpec(("b:1",), (layer,)))
    assert list(archive.images()) == ["a:1", "a:2", "b:1"]
    assert sum(name.startswith("blobs/") for name in archive.names) == 3


def test_the_architecture_is_the_one_that_was_asked_for(tmp_path, layer):
    archive = written(tmp_path, ImageSpec(("a:1",), (layer,)), architecture="arm64")
    assert archive.images()["a:1"][1]["architecture"] == "arm64"
