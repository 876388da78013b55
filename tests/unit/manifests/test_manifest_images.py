"""Images put into manifests: YAML in, YAML out."""

from dataclasses import dataclass
from textwrap import dedent

import pytest
import yaml

from seatrial.core.errors import ManifestError
from seatrial.manifests import load, with_images

NEW = "flask:sha-0123456789abcdef"


@dataclass
class Built:
    reference: str = NEW


def template(kind, wrap):
    pod = {"containers": [{"name": "web", "image": "flask:dev"}]}
    return {
        "apiVersion": "x/v1",
        "kind": kind,
        "metadata": {"name": "a"},
        **wrap(pod),
    }


@pytest.mark.parametrize(
    ("kind", "wrap"),
    [
        ("Pod", lambda pod: {"spec": pod}),
        ("PodTemplate", lambda pod: {"template": {"spec": pod}}),
        *(
            (kind, lambda pod: {"spec": {"template": {"spec": pod}}})
            for kind in (
                "Deployment",
                "StatefulSet",
                "DaemonSet",
                "ReplicaSet",
                "ReplicationController",
                "Job",
            )
        ),
        ("CronJob", lambda pod: {"spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}}),
    ],
)
def test_every_kind_that_describes_a_pod_gets_the_image(kind, wrap):
    before = load(template(kind, wrap))
    [after] = with_images(before, {"web": NEW})
    assert str(after.object).count(NEW) == 1
    assert NEW not in str(before[0].object)
    assert after.origin == before[0].origin


POD = """\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  initContainers:
    - {name: init, image: "tools:1"}
  containers:
    - {name: web, image: "flask:dev"}
    - {name: side, image: "registry.example:5000/acme/side:2"}
"""


@pytest.mark.parametrize(
    ("images", "init", "web", "side"),
    [
        ({}, "tools:1", "flask:dev", "registry.example:5000/acme/side:2"),
        ({"web": NEW}, "tools:1", NEW, "registry.example:5000/acme/side:2"),
        ({"flask": NEW}, "tools:1", NEW, "registry.example:5000/acme/side:2"),
        ({"flask:dev": NEW}, "tools:1", NEW, "registry.example:5000/acme/side:2"),
        ({"docker.io/library/flask": NEW}, "tools:1", NEW, "registry.example:5000/acme/side:2"),
        ({"docker.io/library/flask:dev": NEW}, "tools:1", NEW, "registry.example:5000/acme/side:2"),
        ({"init": "a:1", "side": "b:2"}, "a:1", "flask:dev", "b:2"),
        ({"registry.example:5000/acme/side": NEW}, "tools:1", "flask:dev", NEW),
        ({"tools": Built()}, NEW, "flask:dev", "registry.example:5000/acme/side:2"),
        # a container's name counts first, then the full image, then its repository
        (
            {"flask": "c:3", "flask:dev": "b:2", "web": "a:1"},
            "tools:1",
            "a:1",
            "registry.example:5000/acme/side:2",
        ),
        (
            {"flask": "c:3", "flask:dev": "b:2"},
            "tools:1",
            "b:2",
            "registry.example:5000/acme/side:2",
        ),
    ],
)
def test_a_container_is_found_by_its_name_or_its_image(images, init, web, side):
    [pod] = with_images(load(POD), images)
    spec = pod.object["spec"]
    assert [each["image"] for each in spec["initContainers"] + spec["containers"]] == [
        init,
        web,
        side,
    ]


def test_one_key_reaches_every_container_that_it_fits():
    second = POD.replace("name: p", "name: q")
    first, other = with_images(load(f"{POD}---\n{second}"), {"web": NEW})
    assert str(first.object).count(NEW) == str(other.object).count(NEW) == 1


def test_a_manifest_that_needs_no_change_is_passed_on():
    manifests = load(POD + "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n")
    assert with_images(manifests, {"web": NEW})[1] is manifests[1]


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("flsk", "-> did you mean 'flask'?"),
        ("wev", "-> did you mean 'web'?"),
        ("flask:prod", "-> did you mean 'flask:dev'?"),
        ("docker.io/library/flask:prod", ""),
        ("NOT an image", ""),
    ],
)
def test_a_key_that_nobody_uses_is_refused_with_what_there_is(key, hint):
    with pytest.raises(ManifestError) as error:
        with_images(load(POD), {"web": NEW, key: NEW})
    assert str(error.value) == (
        dedent(f"""\
            no container is named {key!r}, and none uses an image of that name
              Pod/p: container init, image tools:1
              Pod/p: container web, image flask:dev
              Pod/p: container side, image registry.example:5000/acme/side:2
            """)
        + hint
    ).rstrip("\n")


def test_manifests_without_pods_say_so():
    config = load({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}})
    with pytest.raises(ManifestError, match="no manifest describes a pod"):
        with_images(config, {"web": NEW})


@pytest.mark.parametrize("value", ["", "Not an image", "a:b:c", None, 3])
def test_a_value_that_is_no_image_is_refused(value):
    with pytest.raises(ManifestError) as error:
        with_images(load(POD), {"web": value})
    assert error.value.cause == (
        f"the image given for 'web' cannot be used: {value!r} is no image reference"
    )


@pytest.mark.parametrize(
    "spec",
    ["{}", "{containers: null}", "{containers: text}", "{containers: [text]}", "null"],
)
def test_a_pod_that_is_not_well_formed_is_left_to_the_api_server(spec):
    text = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {spec}\n"
    [pod] = with_images(load(text), {})
    assert pod.object["spec"] == yaml.safe_load(spec)


def test_a_container_without_an_image_gets_one_by_its_name():
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: web}]}\n"
    [pod] = with_images(load(text), {"web": NEW})
    assert pod.object["spec"]["containers"] == [{"name": "web", "image": NEW}]
    with pytest.raises(ManifestError):
        with_images(load(text), {"flask": NEW})
