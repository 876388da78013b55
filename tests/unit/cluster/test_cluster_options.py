"""What a cluster may be called and made of, and how two wishes differ."""

import json
from dataclasses import asdict

import pytest

from seatrial.cluster import ClusterOptions
from seatrial.core.errors import ConfigurationError


@pytest.mark.parametrize("name", ["a", "seatrial", "my-cluster-2", "0", "a" * 50])
def test_a_dns_label_can_be_a_name(name):
    assert ClusterOptions(name=name).name == name


@pytest.mark.parametrize(
    "name",
    ["", "My-Cluster", "my.cluster", "my_cluster", "-a", "a-", "a b", "ä", "a/b", "../a", "a\n",
     "a" * 51],
)  # fmt: skip
def test_what_is_no_dns_label_is_one_clear_error(name):
    with pytest.raises(ConfigurationError) as caught:
        ClusterOptions(name=name)
    assert str(caught.value).splitlines() == [
        f"{name!r} cannot be the name of a cluster",
        "-> use lower-case letters, digits and hyphens, a letter or digit at both ends,",
        "   and at most 50 characters: --seatrial-cluster-name=my-cluster",
    ]


@pytest.mark.parametrize(
    "sizes",
    [{"workers": -1}, {"node_ports": 0}, {"node_ports": 513}],
    ids=str,
)
def test_a_size_that_cannot_be_is_refused(sizes):
    with pytest.raises(ConfigurationError, match=r"a cluster of .* cannot be") as caught:
        ClusterOptions(**sizes)
    assert caught.value.hint == "workers start at 0, node_ports go from 1 to 512"


def test_two_equal_wishes_do_not_differ():
    assert ClusterOptions(workers=1).differences(ClusterOptions(workers=1)) == []


def test_each_difference_is_named_with_both_values():
    made = ClusterOptions(kubernetes="1.36.3", workers=2, node_image="old")
    wanted = ClusterOptions(kubernetes="1.37.2", workers=0, node_image="old")
    assert made.differences(wanted) == ["kubernetes: '1.36.3', not '1.37.2'", "workers: 2, not 0"]


def test_nodes_and_kubernetes_version_are_other_words():
    options = ClusterOptions(nodes=3, kubernetes_version="v1.36.3")
    assert options == ClusterOptions(workers=2, kubernetes="1.36.3")
    assert ClusterOptions(nodes=3, workers=2).workers == 2
    assert ClusterOptions(nodes=1).workers == 0


def test_two_words_for_one_thing_must_agree():
    with pytest.raises(ConfigurationError, match="nodes=3 and workers=1 contradict each other"):
        ClusterOptions(nodes=3, workers=1)


def test_a_configuration_is_read_from_its_file(tmp_path):
    file = tmp_path / "kind.yaml"
    file.write_text("kind: Cluster\nnetworking: {ipFamily: dual}\n")
    options = ClusterOptions(config_file=file)
    assert options.own_config == {"kind": "Cluster", "networking": {"ipFamily": "dual"}}
    # what is in it counts, not where it is
    assert options == ClusterOptions(config=file.read_text())


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("a: [", "the configuration of kind is not YAML"),
        ("- a", "the configuration of kind is none"),
        ("kind: Pod", "the configuration of kind is none"),
        ("nodes: [{role: worker}]", "both the configuration of kind and the options say"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(text, cause):
    with pytest.raises(ConfigurationError, match=cause):
        ClusterOptions(config=text, workers=1)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=f"{tmp_path}/gone cannot be read"):
        ClusterOptions(config_file=tmp_path / "gone")


def test_what_was_written_down_equals_what_is_wanted():
    options = ClusterOptions(
        workers=2, feature_gates={"A": True}, config="kind: Cluster",
        extra_mounts=({"hostPath": "/a", "containerPath": "/b"},),
        port_mappings=[{"containerPort": 80, "hostPort": 8080}],
    )  # fmt: skip
    assert ClusterOptions(**json.loads(json.dumps(asdict(options)))) == options
    assert options.differences(ClusterOptions(workers=2)) != []
