"""What a cluster takes for an image."""

from images_kit import Engine, ImageKit, LayerKit, Node, Progress, layout_of, tar_of

from seatrial.harness import Cluster
from seatrial.images import find

ONE, TWO = ImageKit(LayerKit(a=b"1")), ImageKit(LayerKit(a=b"1"), LayerKit(a=b"2"))


class Handle:
    name, provider, tenancy = "sea", "kind", None

    def __init__(self, *nodes):
        self.nodes = nodes


def cluster(engine, *nodes):
    return Cluster(
        Handle(*nodes),
        kind=None,
        kubectl=None,
        node_image="",
        client=engine,
        progress=Progress(),
    )


def write(place, *images):
    named = [({"io.containerd.image.name": f"docker.io/library/{n}"}, i) for n, i in images]
    place.write_bytes(tar_of(layout_of(*named)))
    return place


def test_an_image_is_named_built_or_a_file(tmp_path):
    engine = Engine().keeps("flask:1", ONE)
    node = Node("a", gives=(ONE.id, "docker.io/library/flask:1"))
    sea = cluster(engine, node)
    assert sea.load_image("flask:1") == find(engine, "flask:1")
    assert sea.load_image(find(engine, "flask:1")).id == ONE.id
    assert sea.load_image(write(tmp_path / "x.tar", ("two:1", TWO))).id == TWO.id
    assert set(node.images) == {ONE.id, TWO.id}


def test_a_file_of_several_images_is_loaded_whole_or_one_of_it_by_name(tmp_path):
    place = write(tmp_path / "x.tar", ("one:1", ONE), ("two:1", TWO))
    node = Node("a")
    assert cluster(Engine(), node).load_image(place, reference="two:1").id == TWO.id
    assert set(node.images) == {TWO.id}
    both = cluster(Engine(), node).load_images(place)
    assert [image.id for image in both] == [ONE.id, TWO.id]
    assert set(node.images) == {ONE.id, TWO.id}


def test_images_are_loaded_one_after_another_so_that_they_share(tmp_path):
    node = Node("a")
    one = write(tmp_path / "one.tar", ("one:1", ONE))
    two = write(tmp_path / "two.tar", ("two:1", TWO))
    cluster(Engine(), node).load_images(one, two)
    assert node.received.count(ONE.layers[0].tar) == 1
