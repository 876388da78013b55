"""Where a setting's value comes from, and what is refused."""

from pathlib import Path

import pytest

from seatrial.core.errors import ConfigurationError
from seatrial.core.settings import Settings, options_table


def test_without_anything_given_every_value_is_the_default():
    settings = Settings.resolve()
    assert settings == Settings()
    assert settings.provider == "kind"
    assert settings.cluster_name == "seatrial"
    assert settings.keep == "never"
    assert settings.ready_timeout == 60.0
    assert settings.kind is None
    assert settings.keep_namespace is False
    assert {row.source for row in settings.describe()} == {"default"}


@pytest.mark.parametrize(
    ("given", "value", "source"),
    [
        ({"cli": {"cluster_name": "a"}}, "a", "command line --seatrial-cluster-name"),
        ({"env": {"SEATRIAL_CLUSTER_NAME": "b"}}, "b", "environment SEATRIAL_CLUSTER_NAME"),
        ({"ini": {"seatrial_cluster_name": "c"}}, "c", "ini seatrial_cluster_name"),
        (
            {
                "cli": {"cluster_name": "a"},
                "env": {"SEATRIAL_CLUSTER_NAME": "b"},
                "ini": {"seatrial_cluster_name": "c"},
            },
            "a",
            "command line --seatrial-cluster-name",
        ),
        (
            {
                "cli": {"cluster_name": None},
                "env": {"SEATRIAL_CLUSTER_NAME": "b"},
                "ini": {"seatrial_cluster_name": "c"},
            },
            "b",
            "environment SEATRIAL_CLUSTER_NAME",
        ),
        (
            {
                "env": {"SEATRIAL_CLUSTER_NAME": ""},
                "ini": {"seatrial_cluster_name": "c"},
            },
            "c",
            "ini seatrial_cluster_name",
        ),
        ({"ini": {"seatrial_cluster_name": ""}}, "seatrial", "default"),
    ],
)
def test_command_line_wins_over_environment_over_ini_over_default(given, value, source):
    settings = Settings.resolve(**given)
    assert settings.cluster_name == value
    assert settings.source("cluster_name") == source


def test_a_source_is_asked_for_by_the_name_of_a_setting():
    with pytest.raises(ConfigurationError, match="there is no setting 'clustername'"):
        Settings().source("clustername")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("ready_timeout", "90", 90.0),
        ("ready_timeout", "1.5s", 1.5),
        ("ready_timeout", " 2 m ", 120.0),
        ("cluster_timeout", "1h", 3600.0),
        ("http_timeout", "250ms", 0.25),
        ("event_tie", "0", 0.0),
        ("kubernetes", "v1.36.3", "1.36.3"),
        ("node_image", " kindest/node:v1.37.2 ", "kindest/node:v1.37.2"),
        ("keep_namespace", "Yes", True),
        ("keep_namespace", "off", False),
        ("keep", "on-failure", "on-failure"),
        ("kubectl", "", None),
        ("extra_ca", "none", None),
    ],
)
def test_a_text_becomes_a_typed_value(name, text, value):
    assert getattr(Settings.resolve(cli={name: text}), name) == value


def test_values_that_are_typed_already_are_taken_as_they_are():
    settings = Settings.resolve(cli={"ready_timeout": 5, "keep_namespace": True})
    assert settings.ready_timeout == 5.0
    assert settings.keep_namespace is True


def test_a_folder_is_absolute_and_knows_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert Settings.resolve(cli={"state_dir": "here"}).state_dir == tmp_path / "here"
    assert Settings.resolve(cli={"state_dir": "~/s"}).state_dir == tmp_path / "home" / "s"


def test_the_folder_is_the_users_own_unless_set(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    settings = Settings.resolve()
    assert settings.state_dir == tmp_path / "state" / "seatrial"


def test_a_program_has_to_be_an_executable_file(tmp_path):
    program = tmp_path / "kubectl"
    with pytest.raises(ConfigurationError, match=r"kubectl '.*/kubectl' is no file"):
        Settings.resolve(cli={"kubectl": str(program)})
    program.write_text("#!/bin/sh\n")
    with pytest.raises(ConfigurationError, match="is not executable"):
        Settings.resolve(cli={"kubectl": str(program)})
    program.chmod(0o755)
    assert Settings.resolve(cli={"kubectl": str(program)}).kubectl == program


@pytest.mark.parametrize(
    ("name", "text", "because"),
    [
        ("cluster_name", "My_Cluster", "is not a DNS label: lower-case letters, digits and '-'"),
        ("cluster_name", "-a", "is not a DNS label"),
        ("cluster_name", "a\n", "is not a DNS label"),
        ("cluster_name", "a" * 51, "has 51 characters, more than 50: the node is named"),
        ("kubernetes", "latest", "is not a Kubernetes version such as 1.37.2"),
        ("kubernetes", "1.37", "is not a Kubernetes version"),
        ("ready_timeout", "soon", "is not a duration such as 60, 60s or 2m"),
        ("ready_timeout", "nan", "is not a duration"),
        ("ready_timeout", "inf", "is not a duration"),
        ("ready_timeout", "3\n4", "is not a duration"),
        ("ready_timeout", "0", "must be more than 0 seconds"),
        ("event_tie", "-1", "must be 0 or more seconds"),
        ("keep_namespace", "maybe", "must be true or false"),
        ("provider", "minicube", "must be one of kind"),
        ("keep", "onfailure", "must be one of never, on-failure, always"),
        ("state_dir", __file__, "is a file, not a folder"),
        ("extra_ca", "/nowhere/ca.pem", "is no file"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_its_source(name, text, because):
    with pytest.raises(ConfigurationError) as refused:
        Settings.resolve(env={f"SEATRIAL_{name.upper()}": text})
    assert because in refused.value.cause
    assert f"from: environment SEATRIAL_{name.upper()}" in str(refused.value)
    assert refused.value.hint


def test_the_message_for_a_bad_cluster_name_reads_well():
    with pytest.raises(ConfigurationError) as refused:
        Settings.resolve(cli={"cluster_name": "My_Cluster"})
    assert str(refused.value) == (
        "cluster name 'My_Cluster' is not a DNS label: lower-case letters, digits and '-', "
        "with a letter or digit first and last\n"
        "  from: command line --seatrial-cluster-name\n"
        "-> give --seatrial-cluster-name, SEATRIAL_CLUSTER_NAME or ini seatrial_cluster_name "
        "another value: the cluster's name: a DNS label, at most 50 long"
    )


def test_the_longest_cluster_name_is_fifty_characters():
    assert Settings.resolve(cli={"cluster_name": "a" * 50}).cluster_name == "a" * 50


def test_a_choice_that_is_nearly_right_is_suggested():
    with pytest.raises(ConfigurationError) as refused:
        Settings.resolve(ini={"seatrial_keep": "onfailure"})
    assert refused.value.hint == "did you mean 'on-failure'?"


@pytest.mark.parametrize(
    ("given", "cause", "hint"),
    [
        (
            {"env": {"SEATRIAL_CLUSTERNAME": "x"}},
            "environment SEATRIAL_CLUSTERNAME: there is no such setting",
            "did you mean SEATRIAL_CLUSTER_NAME?",
        ),
        (
            {"ini": {"seatrial_zzz": "x"}},
            "ini seatrial_zzz: there is no such setting",
            "the settings are: seatrial_provider, seatrial_engine, seatrial_cluster_name,",
        ),
        (
            {"cli": {"keeep": "x"}},
            "command line --seatrial-keeep: there is no such setting",
            "did you mean --seatrial-keep?",
        ),
    ],
)
def test_a_name_that_no_setting_has_is_refused(given, cause, hint):
    with pytest.raises(ConfigurationError) as refused:
        Settings.resolve(**given)
    assert refused.value.cause == cause
    assert refused.value.hint.startswith(hint)


def test_names_that_are_not_ours_are_left_alone():
    assert Settings.resolve(env={"PATH": "/bin", "XSEATRIAL_A": "b"}, ini={"log_cli": "1"})


def test_the_hosts_own_certificate_authorities_are_found_by_themselves(tmp_path):
    bundle = tmp_path / "ca.pem"
    bundle.write_text("PEM")
    env = {"SSL_CERT_FILE": str(tmp_path / "gone"), "REQUESTS_CA_BUNDLE": str(bundle)}
    settings = Settings.resolve(env=env)
    assert settings.extra_ca == bundle
    assert settings.source("extra_ca") == "environment REQUESTS_CA_BUNDLE"
    without = Settings.resolve(cli={"extra_ca": "none"}, env=env)
    assert without.extra_ca is None
    assert without.source("extra_ca") == "command line --seatrial-extra-ca"


def test_settings_are_frozen():
    with pytest.raises(AttributeError):
        Settings().keep = "always"  # type: ignore[misc] - that is the point


def test_the_description_names_value_and_source_of_each():
    rows = {
        row.name: row
        for row in Settings.resolve(
            cli={"keep_namespace": True}, env={"SEATRIAL_READY_TIMEOUT": "2m"}
        ).describe()
    }
    assert rows["ready_timeout"][1:] == ("120 s", "environment SEATRIAL_READY_TIMEOUT")
    assert rows["keep_namespace"][1:] == ("yes", "command line --seatrial-keep-namespace")
    assert rows["kind"][1:] == ("the version that seatrial locks", "default")
    assert rows["extra_ca"][1:] == ("none", "default")
    assert rows["cluster_name"][1:] == ("seatrial", "default")


def test_every_setting_explains_itself():
    for option in Settings.options():
        assert option.help
        assert option.default
        assert option.flag == "--seatrial-" + option.name.replace("_", "-")
    names = {option.name for option in Settings.options()}
    assert "sources" not in names
    assert [option.name for option in Settings.options() if option.is_flag] == ["keep_namespace"]


def test_the_table_for_the_docs_has_a_row_per_setting():
    table = options_table()
    assert len(table.splitlines()) == 2 + len(Settings.options())
    assert (
        "| `--seatrial-keep` | `seatrial_keep` | `SEATRIAL_KEEP` | never | whether the cluster "
        "outlives the session; on-failure keeps it if any test failed "
        "(`never`, `on-failure`, `always`) |"
    ) in table
    assert "| 60 s | how long a deployment may take to become ready |" in table


def test_paths_in_the_defaults_are_paths():
    assert isinstance(Settings().state_dir, Path)
