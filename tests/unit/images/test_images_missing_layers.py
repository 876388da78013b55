"""Sending the layers that a node lacks, out of an engine that is an object."""

import hashlib
import io
import json
import tarfile

import docker.errors
import pytest
from images_kit import Engine, ImageKit, LayerKit, Node, Progress, tar_of

from seatrial.core.errors import ImageError
from seatrial.images import find, load
from seatrial.images.engine_layers import EngineSource
from seatrial.images.layers import UnreadableError, chain_ids, lowest_missing

NAME = "docker.io/library/flask:sha-1"
BASE = LayerKit(etc__os=b"debian", bin__sh=b"#!" * 5000, bin__dash="bin/sh")
DEPS = LayerKit(lib__flask=b"import werkzeug" * 3000)
APP = LayerKit(app__main=b"print()", app__empty=b"", app__data=b"\0" * 700)
BUILT = ImageKit(BASE, DEPS, APP)


@pytest.fixture(name="engine")
def an_engine():
    engine = Engine().keeps("flask:sha-1", BUILT)
    engine.saved = b"saved as a whole"
    return engine


def having(name, number, **more):
    node = Node(name, gives=(BUILT.id, NAME), **more)
    node.chain_ids |= set(BUILT.chain_ids[:number])
    return node


def docker_archive(image=BUILT):
    """What podman and older engines save."""
    files = {f"{layer.digest[7:]}.tar": layer.tar for layer in image.layers}
    entry = {"Config": f"{image.id[7:]}.json", "RepoTags": [NAME], "Layers": list(files)}
    return tar_of(
        {**files, entry["Config"]: image.config, "manifest.json": json.dumps([entry]).encode()}
    )


def sent_layers(node):
    with tarfile.open(fileobj=io.BytesIO(node.received)) as tar:
        blobs = {f"sha256:{each.name[-64:]}" for each in tar if each.name.startswith("blobs/")}
    return [name for name in ("BASE", "DEPS", "APP") if globals()[name].digest in blobs]


# --- which layers


def test_a_chain_id_names_a_layer_and_all_below_it():
    # the example of the specification: the digest of "first second"
    one, two = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    both = "sha256:" + hashlib.sha256(f"{one} {two}".encode()).hexdigest()
    assert chain_ids([]) == []
    assert chain_ids([one, two]) == [one, both]
    # the third is of the chain of the two below it, not of the second alone
    third = "sha256:" + hashlib.sha256(f"{both} {one}".encode()).hexdigest()
    assert chain_ids([one, two, one])[2] == third


@pytest.mark.parametrize(
    ("there", "first"), [((), 0), (("a",), 1), (("a", "b"), 2), (("b",), 2), (("a", "b", "c"), 3)]
)
def test_what_is_there_is_always_the_lower_part(there, first):
    assert lowest_missing(["a", "b", "c"], there) == first


# --- sending them


def test_each_node_is_sent_the_layers_that_it_lacks_and_no_more(engine):
    nodes = [having("a", 2), having("b", 1), having("c", 0)]
    progress = Progress()
    loaded = load(find(engine, "flask:sha-1"), nodes, client=engine, progress=progress)
    assert [sent_layers(node) for node in nodes] == [
        ["APP"],
        ["DEPS", "APP"],
        ["BASE", "DEPS", "APP"],
    ]
    assert loaded.sent == {node.name: len(node.received) for node in nodes}
    assert engine.saves == 0
    assert all(node.images == {BUILT.id: [NAME]} for node in nodes)
    assert progress.titles == ["loading image flask:sha-1 into a, b, c"]
    most = len(nodes[2].received) / 1e3
    assert progress.lines[-1] == f"{most:.1f} of {most:.1f} kB"


def test_progress_tells_bytes_of_all_that_is_sent(engine):
    node, progress = having("a", 2), Progress()
    load(find(engine, "flask:sha-1"), [node], client=engine, progress=progress)
    assert len(node.received) < 1.2 * len(APP.tar) + 6000
    total = len(node.received) / 1e3
    assert progress.lines[-1] == f"{total:.1f} of {total:.1f} kB"
    assert progress.lines[0].endswith(f" of {total:.1f} kB")


def test_an_image_whose_layers_are_all_there_is_sent_without_any(engine):
    node = having("a", 3)
    load(find(engine, "flask:sha-1"), [node], client=engine)
    assert sent_layers(node) == []
    assert node.images == {BUILT.id: [NAME]}


def test_the_layer_that_arrives_is_the_very_one_that_was_built(engine):
    # the node's fake compares each blob with its digest
    node = having("a", 0)
    other = having("b", 1)
    load(find(engine, "flask:sha-1"), [node, other], client=engine)
    with tarfile.open(fileobj=io.BytesIO(node.received)) as tar:
        name = f"blobs/sha256/{BASE.digest[7:]}"
        assert tar.extractfile(name).read() == BASE.tar


def test_no_container_stays_and_only_the_folders_of_the_image_are_shown(engine):
    shown = []
    create = engine.create_host_config
    engine.create_host_config = lambda *, mounts: (
        shown.extend(each["Source"] for each in mounts) or create(mounts=mounts)
    )
    load(find(engine, "flask:sha-1"), [having("a", 2)], client=engine)
    assert engine.containers == {}
    assert engine.created == 1
    root = "/engine/image/overlay2"
    assert shown == [
        f"{root}/imagedb/content/sha256/{BUILT.id[7:]}",
        *(f"{root}/layerdb/sha256/{each[7:]}" for each in BUILT.chain_ids),
        "/engine/overlay2/2/diff",
    ]


def test_a_container_that_cannot_be_removed_does_not_spoil_the_load(engine):
    engine.fails["remove"] = docker.errors.APIError("busy")
    assert load(find(engine, "flask:sha-1"), [having("a", 2)], client=engine).sent["a"] > 0
    assert engine.saves == 0


# --- where it cannot be done


def test_where_no_node_has_any_layer_the_engine_saves_the_image(engine):
    nodes, progress = [having("a", 0), having("b", 0)], Progress()
    load(find(engine, "flask:sha-1"), nodes, client=engine, progress=progress)
    assert [node.received for node in nodes] == [engine.saved] * 2
    assert (engine.saves, engine.created, progress.notes) == (1, 0, [])


def test_a_node_that_does_not_tell_its_layers_has_none(engine):
    node = having("a", 2)
    node.fails["layers"] = "ctr: not found"
    load(find(engine, "flask:sha-1"), [node], client=engine)
    assert node.calls[2] == "ctr --namespace=k8s.io images import -"
    assert node.received == engine.saved


def unreadable(engine):
    """The engine keeps layers as podman and some drivers do."""
    for described in engine.images.values():
        described["GraphDriver"] = {"Name": "overlay", "Data": {"UpperDir": "/x"}}


@pytest.mark.parametrize("call", ["create", "archive", "info", ""])
def test_an_engine_that_does_not_show_its_store_saves_the_image_and_nodes_get_what_they_lack(
    engine, call
):
    image = find(engine, "flask:sha-1")
    if call:
        engine.fails[call] = docker.errors.APIError("authorization denied by plugin")
    else:
        unreadable(engine)
    engine.saved = docker_archive()
    nodes, progress = [having("a", 2), having("b", 1)], Progress()
    loaded = load(image, nodes, client=engine, progress=progress)
    assert [sent_layers(node) for node in nodes] == [["APP"], ["DEPS", "APP"]]
    assert loaded.sent == {each.name: len(each.received) for each in nodes}
    assert progress.titles[0].startswith("saving image flask:sha-1: the engine")
    assert progress.notes == []
    assert engine.saves == 1
    assert engine.containers == {}


def test_an_archive_that_is_none_is_no_reason_to_give_up(engine):
    image = find(engine, "flask:sha-1")
    unreadable(engine)
    node, progress = having("a", 2), Progress()
    load(image, [node], client=engine, progress=progress)
    assert node.received.endswith(engine.saved)
    assert progress.notes == [
        "image flask:sha-1 goes as a whole: the engine keeps layers in a way of its own (overlay)"
    ]


def test_an_engine_that_saves_another_image_is_not_believed(engine):
    image = find(engine, "flask:sha-1")
    unreadable(engine)
    engine.saved = docker_archive(ImageKit(BASE, APP))
    progress = Progress()
    load(image, [having("a", 2)], client=engine, progress=progress)
    assert "has another image as flask:sha-1 by now" in progress.notes[0]


def test_an_image_that_the_engine_has_no_more_is_named(engine):
    image = find(engine, "flask:sha-1")
    engine.images.clear()
    progress = Progress()
    load(image, [having("a", 2)], client=engine, progress=progress)
    assert progress.notes == [
        "image flask:sha-1 goes as a whole: the engine has no image flask:sha-1 any more"
    ]


@pytest.mark.parametrize("notes", [b"no gzip", b"\x1f\x8b"])
def test_broken_notes_of_a_layer_do_not_end_the_load(engine, notes):
    place = f"/engine/image/overlay2/layerdb/sha256/{BUILT.chain_ids[2][7:]}/tar-split.json.gz"
    engine.store[place] = notes
    progress = Progress()
    load(find(engine, "flask:sha-1"), [having("a", 2)], client=engine, progress=progress)
    assert progress.notes == [
        "image flask:sha-1 goes as a whole: the engine's notes of a layer are unreadable"
    ]
    assert engine.saves == 1


def test_a_node_that_lost_a_layer_meanwhile_is_sent_all(engine):
    nodes = [having("a", 2), having("b", 2)]
    ask = nodes[0].exec

    def forgetful(argv, *, stdin=None):
        if "import" in argv and nodes[0].received == b"":
            nodes[0].chain_ids.clear()  # the garbage collector was quicker
        return ask(argv, stdin=stdin)

    nodes[0].exec = forgetful
    progress = Progress()
    loaded = load(find(engine, "flask:sha-1"), nodes, client=engine, progress=progress)
    assert progress.notes == [
        f"image flask:sha-1 goes as a whole to a: ctr: {BASE.digest}: not found"
    ]
    assert nodes[0].received.endswith(engine.saved)
    assert sent_layers(nodes[1]) == ["APP"]
    # what was sent in vain counts as well
    assert loaded.sent == {each.name: len(each.received) for each in nodes}


def test_another_image_under_that_name_is_not_sent_in_its_place(engine):
    image = find(engine, "flask:sha-1")
    place = f"/engine/image/overlay2/imagedb/content/sha256/{BUILT.id[7:]}"
    engine.store[place] = b"{}"
    progress = Progress()
    load(image, [having("a", 2)], client=engine, progress=progress)
    assert "has another image as flask:sha-1 by now" in progress.notes[0]


# --- the engine's files


def test_files_may_come_in_another_order_than_in_the_tar(engine):
    engine.store["/engine/overlay2/0/diff"] = BASE.files[::-1]
    with EngineSource(engine, find(engine, "flask:sha-1")).open({0}) as content:
        assert b"".join(content.layers[0].read()) == BASE.tar


def test_a_file_that_came_under_its_other_name_is_asked_for_again(engine):
    # bin/dash is the file here, and bin/sh a second name of it
    entries = {info.name: (info, data) for info, data in BASE.files}
    first, second = tarfile.TarInfo("bin/dash"), tarfile.TarInfo("bin/sh")
    second.type, second.linkname = tarfile.LNKTYPE, "bin/dash"
    engine.store["/engine/overlay2/0/diff"] = [
        entries["etc/os"], (first, entries["bin/sh"][1]), (second, b"")
    ]  # fmt: skip
    with EngineSource(engine, find(engine, "flask:sha-1")).open({0}) as content:
        assert b"".join(content.layers[0].read()) == BASE.tar


def test_a_layer_that_was_not_asked_for_is_not_shown(engine):
    with EngineSource(engine, find(engine, "flask:sha-1")).open({2}) as content:
        assert content.layers[0].size == len(BASE.tar)
        with pytest.raises(UnreadableError, match="was not asked for"):
            b"".join(content.layers[0].read())


def test_a_folder_where_a_file_should_be_is_unreadable(engine):
    engine.store[f"/engine/image/overlay2/imagedb/content/sha256/{BUILT.id[7:]}"] = []
    source = EngineSource(engine, find(engine, "flask:sha-1"))
    with pytest.raises(UnreadableError, match="is no file"), source.open({2}):
        pass


# --- an engine with containerd's store


def blob_engine(place, *, api=48):
    """An engine that calls the image by its manifest; one of API 45 tells so in another way."""
    engine = Engine()
    manifest = BUILT.manifest()
    digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    described = {"Os": "linux", "Architecture": "amd64"}
    described["RootFS"] = {"Layers": [layer.digest for layer in BUILT.layers]}
    if api >= 48:
        described["Descriptor"] = {"digest": digest, "mediaType": "m"}
    else:
        described["GraphDriver"] = {"Name": "overlayfs", "Data": None}
        engine.driver_type = "io.containerd.snapshotter.v1"
    engine.has("flask:sha-1", digest, **described)
    blobs = [manifest, BUILT.config, *(layer.tar for layer in BUILT.layers)]
    engine.store[place] = []
    for data in blobs:
        engine.store[f"{place}/sha256/{hashlib.sha256(data).hexdigest()}"] = data
    return engine


STORE = "io.containerd.content.v1.content/blobs"


@pytest.mark.parametrize(
    "place", [f"/engine/containerd/daemon/{STORE}", f"/var/lib/containerd/{STORE}"]
)
@pytest.mark.parametrize("api", [45, 48])
def test_an_engine_with_blobs_gives_single_layers_too(place, api):
    engine = blob_engine(place, api=api)
    image = find(engine, "flask:sha-1")
    assert image.id == BUILT.id
    assert engine.saves == 0
    node = having("a", 2)
    load(image, [node], client=engine)
    assert sent_layers(node) == ["APP"]
    with tarfile.open(fileobj=io.BytesIO(node.received)) as tar:
        index = json.load(tar.extractfile("index.json"))
    # the manifest is the engine's own, byte for byte
    assert index["manifests"][0]["digest"] == engine.images["flask:sha-1"]["Id"]
    assert engine.containers == {}


def test_an_engine_whose_blobs_are_elsewhere_saves_the_image():
    engine = blob_engine("/srv/containerd")
    engine.saved = docker_archive()
    image = find(engine, "flask:sha-1")
    assert image.id == BUILT.id
    node, progress = having("a", 2), Progress()
    load(image, [node], client=engine, progress=progress)
    assert sent_layers(node) == ["APP"]
    assert progress.titles[0] == (
        "saving image flask:sha-1: the engine's store of blobs is not found"
    )
    # once for the id, and once for the layers
    assert engine.saves == 2


def test_an_engine_that_does_not_tell_how_it_keeps_images_is_an_error():
    engine = blob_engine("/x", api=45)
    engine.fails["info"] = docker.errors.APIError("gone")
    with pytest.raises(ImageError, match="does not say how it is set up"):
        find(engine, "flask:sha-1")


def test_an_image_of_vfs_is_called_by_its_configuration():
    engine = Engine().has("flask:1", "sha256:app", GraphDriver={"Name": "vfs", "Data": None})
    assert find(engine, "flask:1").id == "sha256:app"
