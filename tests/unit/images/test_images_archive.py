"""Images out of files: what `docker save` writes, OCI layouts as a tar and as a folder."""

import gzip
import hashlib
import io
import json
import tarfile

import pytest
from images_kit import ImageKit, LayerKit, Node, layout_of, sha256, tar_of

from seatrial.core.errors import ImageError
from seatrial.images import load_archive

BASE = LayerKit(etc__os=b"debian" * 1000)
APP = LayerKit(app__main=b"print()")
IMAGE = ImageKit(BASE, APP)
OTHER = ImageKit(BASE)
ARM = ImageKit(BASE, APP, architecture="arm64")
FULL = "docker.io/library/flask:dev"
NAMED = {"io.containerd.image.name": FULL}


@pytest.fixture(name="node")
def a_node():
    return Node("a")


@pytest.fixture(name="file")
def a_file(tmp_path):
    def write(files, *, folder=False, compress=False):
        place = tmp_path / "image"
        if folder:
            for name, data in files.items():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                (place / name).write_bytes(data)
            return place
        data = tar_of(files)
        place.write_bytes(gzip.compress(data) if compress else data)
        return place

    return write


def saved(*images, old=False):
    """What `docker save` writes, as far as its manifest.json goes."""
    files, entries = {}, []
    for tags, image in images:
        config = f"{image.id[7:]}.json"
        files[config] = image.config
        names = []
        for layer in image.layers:
            name = f"{layer.digest[7:15]}/layer.tar"
            files[name] = layer.tar
            names.append(name)
        entries.append({"Config": config, "RepoTags": tags, "Layers": names})
    files["manifest.json"] = json.dumps(entries).encode()
    return files


def blobs_in(received):
    with tarfile.open(fileobj=io.BytesIO(received)) as tar:
        return {each.name.rpartition("/")[2] for each in tar}


@pytest.mark.parametrize(("folder", "compress"), [(False, False), (False, True), (True, False)])
@pytest.mark.parametrize("kind", ["docker", "oci"])
def test_an_image_is_loaded_from_a_file_or_a_folder(node, file, kind, folder, compress):
    files = saved((["flask:dev"], IMAGE)) if kind == "docker" else layout_of((NAMED, IMAGE))
    (loaded,) = load_archive(file(files, folder=folder, compress=compress), [node])
    assert node.images == {IMAGE.id: [FULL]}
    assert loaded.image.id == IMAGE.id
    assert loaded.image.size == len(BASE.tar) + len(APP.tar)
    assert loaded.sent == {"a": len(node.received)}


@pytest.mark.parametrize("kind", ["docker", "oci"])
def test_only_missing_layers_are_sent_of_a_file_too(node, file, kind):
    node.chain_ids = {IMAGE.chain_ids[0]}
    files = saved((["flask:dev"], IMAGE)) if kind == "docker" else layout_of((NAMED, IMAGE))
    load_archive(file(files), [node])
    assert BASE.digest[7:] not in blobs_in(node.received)
    assert APP.digest[7:] in blobs_in(node.received)
    assert node.images == {IMAGE.id: [FULL]}


def test_the_manifest_of_a_layout_stays_as_it_is(node, file):
    load_archive(file(layout_of((NAMED, IMAGE))), [node])
    assert sha256(IMAGE.manifest())[7:] in blobs_in(node.received)


def test_what_is_there_is_sent_no_byte(node, file):
    place = file(layout_of((NAMED, IMAGE)))
    load_archive(place, [node])
    (again,) = load_archive(place, [node])
    assert again.sent == {"a": 0}


def test_all_images_of_a_file_are_loaded_and_what_they_share_is_sent_once(node, file):
    place = file(saved((["flask:dev", "flask:1"], IMAGE), (["other:1"], OTHER)))
    loaded = load_archive(place, [node])
    assert [each.image.reference for each in loaded] == ["flask:dev", "flask:1", "other:1"]
    assert node.images == {
        IMAGE.id: [FULL, "docker.io/library/flask:1"],
        OTHER.id: ["docker.io/library/other:1"],
    }
    assert [each.sent["a"] > 0 for each in loaded] == [True, False, True]
    assert loaded[2].sent["a"] < len(BASE.tar)


def test_one_of_several_is_chosen_by_name(node, file):
    place = file(saved((["flask:dev"], IMAGE), (["other:1"], OTHER)))
    load_archive(place, [node], reference="docker.io/library/other:1")
    assert list(node.images) == [OTHER.id]


def test_a_name_that_is_not_there_is_told_with_those_that_are(node, file):
    place = file(saved((["flask:dev"], IMAGE), (["other:1"], OTHER)))
    with pytest.raises(ImageError) as error:
        load_archive(place, [node], reference="flask:2")
    assert str(error.value) == f"{place} holds no image flask:2\n  flask:dev\n  other:1"


@pytest.mark.parametrize("notes", [{}, {"org.opencontainers.image.ref.name": "dev"}])
def test_an_image_without_a_name_needs_one(node, file, notes):
    place = file(layout_of((notes, IMAGE)))
    with pytest.raises(ImageError) as error:
        load_archive(place, [node])
    assert str(error.value) == (
        f"{place} holds an image without a name\n"
        "-> give it one: load_image(path, reference='flask:dev')"
    )
    (loaded,) = load_archive(place, [node], reference="flask:dev")
    assert loaded.image.reference == "flask:dev"
    assert node.images == {IMAGE.id: [FULL]}


def test_a_full_reference_is_a_name_as_well(node, file):
    load_archive(file(layout_of(({"org.opencontainers.image.ref.name": FULL}, IMAGE))), [node])
    assert node.images == {IMAGE.id: [FULL]}


def test_docker_saves_an_untagged_image_without_a_name(node, file):
    place = file(saved((None, IMAGE)))
    load_archive(place, [node], reference="flask:dev")
    assert node.images == {IMAGE.id: [FULL]}


# --- platforms


AMD64 = '{"os": "linux", "architecture": "amd64"}'
ARM64 = '{"os": "linux", "architecture": "arm64", "variant": "v8"}'
NONE = '{"os": "unknown", "architecture": "unknown"}'


@pytest.mark.parametrize("folder", [False, True])
def test_the_nodes_own_platform_is_loaded_of_several(node, file, folder):
    # an attestation comes with what buildx makes, and is no image
    several = {ARM64: ARM, AMD64: IMAGE, NONE: OTHER}
    load_archive(file(layout_of((NAMED, several)), folder=folder), [node])
    assert node.images == {IMAGE.id: [FULL]}
    assert ARM.id[7:] not in blobs_in(node.received)


def test_a_platform_that_the_index_does_not_tell_is_in_the_configuration(node, file):
    unsaid = layout_of((NAMED, {ARM64: ARM, "null": IMAGE}))
    load_archive(file(unsaid), [node])
    assert list(node.images) == [IMAGE.id]


def test_of_another_platform_than_the_nodes_nothing_is_loaded(node, file):
    arm_v7 = '{"os": "linux", "architecture": "arm", "variant": "v7"}'
    place = file(layout_of((NAMED, {ARM64: ARM, arm_v7: OTHER})))
    with pytest.raises(ImageError) as error:
        load_archive(place, [node])
    assert str(error.value) == (
        "the image has nothing for the nodes, which are linux/amd64\n"
        "  it has: linux/arm64/v8, linux/arm/v7\n"
        "-> build it for them: docker build --platform=linux/amd64 …"
    )


def test_a_single_platform_is_not_asked_about(node, file):
    load_archive(file(layout_of((NAMED, {NONE: OTHER, AMD64: IMAGE}))), [node])
    assert "uname -m" not in node.calls


def test_a_node_that_does_not_tell_its_platform_is_named(node, file):
    node.fails["uname"] = "no uname"
    place = file(layout_of((NAMED, {ARM64: ARM, AMD64: IMAGE})))
    with pytest.raises(ImageError, match="node a does not say what it runs"):
        load_archive(place, [node])


# --- what tools write


def test_compressed_layers_keep_the_digest_of_what_they_are(node, file):
    files = saved((["flask:dev"], IMAGE))
    squeezed = gzip.compress(APP.tar)
    files[f"{APP.digest[7:15]}/layer.tar"] = squeezed
    load_archive(file(files), [node])
    assert hashlib.sha256(squeezed).hexdigest() in blobs_in(node.received)
    with tarfile.open(fileobj=io.BytesIO(node.received)) as tar:
        documents = [tar.extractfile(each).read() for each in tar]
    assert any(b"layer.v1.tar+gzip" in each for each in documents)


def test_a_link_to_a_layer_is_followed(node, file):
    # as docker saved a layer that occurs twice before version 25
    image = ImageKit(BASE, APP, APP)
    files = saved((["flask:dev"], ImageKit(BASE, APP)))
    files["again/layer.tar"] = f"../{APP.digest[7:15]}/layer.tar"
    (entry,) = json.loads(files["manifest.json"])
    entry["Layers"].append("again/layer.tar")
    files[entry["Config"]] = image.config
    files["manifest.json"] = json.dumps([entry]).encode()
    load_archive(file(files), [node])
    assert node.images == {image.id: [FULL]}


def test_names_may_begin_with_the_current_folder(node, file):
    files = {f"./{name}": data for name, data in layout_of((NAMED, IMAGE)).items()}
    load_archive(file(files), [node])
    assert list(node.images) == [IMAGE.id]


# --- what is broken


def test_a_file_that_is_no_archive_is_told(node, tmp_path):
    (tmp_path / "x").write_bytes(b"no tar" * 500)
    with pytest.raises(ImageError, match="is no archive of images"):
        load_archive(tmp_path / "x", [node])
    (tmp_path / "x").write_bytes(b"\x1f\x8bcut")
    with pytest.raises(ImageError, match="is no archive of images"):
        load_archive(tmp_path / "x", [node])
    with pytest.raises(ImageError, match="is no archive of images"):
        load_archive(tmp_path / "nothing", [node])


def test_an_archive_of_something_else_is_told(node, file):
    with pytest.raises(ImageError, match=r"holds no images: it has neither index\.json nor"):
        load_archive(file({"readme": b"x"}), [node])
    with pytest.raises(ImageError, match="holds no images: its list of them is empty"):
        load_archive(file({"index.json": b'{"manifests": []}'}), [node])


@pytest.mark.parametrize("folder", [False, True])
def test_a_layer_that_is_not_in_the_archive_is_named(node, file, folder):
    files = layout_of((NAMED, IMAGE))
    del files[f"blobs/sha256/{APP.digest[7:]}"]
    place = file(files, folder=folder)
    with pytest.raises(ImageError) as error:
        load_archive(place, [node])
    assert str(error.value) == f"{place} is not whole: it lacks blobs/sha256/{APP.digest[7:]}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "a document of the image is not JSON"),
        (b"[]", "a document of the image is not a JSON object"),
        (b"{}", "manifest is not one of OCI or of Docker's schema 2"),
    ],
)
def test_a_manifest_that_is_none_is_told(node, file, content, message):
    digest = sha256(content)
    index = {"manifests": [{"digest": digest, "annotations": NAMED}]}
    files = {**layout_of(index=index), f"blobs/sha256/{digest[7:]}": content}
    with pytest.raises(ImageError, match=message):
        load_archive(file(files), [node])


def test_an_index_of_attestations_alone_names_no_image(node, file):
    with pytest.raises(ImageError, match="the index names no image"):
        load_archive(file(layout_of((NAMED, {NONE: OTHER}))), [node])


def test_a_configuration_with_other_bytes_than_its_digest_is_told(node, file):
    files = layout_of((NAMED, IMAGE))
    files[f"blobs/sha256/{IMAGE.id[7:]}"] = b"{}"
    with pytest.raises(ImageError, match="has other bytes than its digest says"):
        load_archive(file(files), [node])


def test_broken_json_is_told(node, file):
    with pytest.raises(ImageError, match="broken JSON"):
        load_archive(file({"index.json": b"{"}), [node])


def test_a_name_that_leads_out_of_the_folder_is_not_followed(node, file, tmp_path):
    (tmp_path / "secret").write_bytes(IMAGE.config)
    entry = {"Config": "../secret", "RepoTags": ["flask:dev"], "Layers": []}
    place = file({"manifest.json": json.dumps([entry]).encode()}, folder=True)
    with pytest.raises(ImageError, match=r"is not whole: it lacks \.\./secret"):
        load_archive(place, [node])


def test_a_cluster_without_nodes_takes_no_archive(file):
    with pytest.raises(ImageError, match="has no node that images can be loaded into"):
        load_archive(file(layout_of((NAMED, IMAGE))), [])
