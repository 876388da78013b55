"""What a Debian or Ubuntu machine tells of itself, and where it installs from."""

import pytest
from setup_fakes import Commands

from seatrial.core.errors import SetupError
from seatrial.setup import debian

BOOKWORM = """\
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"

VERSION_CODENAME=bookworm
# a remark
ID=debian
"""

LISTED = """\
Debian|main|http://mirror.example/debian-security/
Docker|main|https://packages.example/docker/
Debian|contrib|http://mirror.example/contrib-only/
Debian|main|http://mirror.example/debian/
Debian|main|http://second.example/debian/
"""


@pytest.fixture
def commands(monkeypatch):
    commands = Commands()
    monkeypatch.setattr(debian, "run", commands)
    return commands


@pytest.fixture
def has_apt(monkeypatch):
    monkeypatch.setattr(debian.shutil, "which", lambda name: f"/usr/bin/{name}")


@pytest.fixture
def has_no_apt(monkeypatch):
    monkeypatch.setattr(debian.shutil, "which", lambda name: None)


def test_the_distribution_is_read_from_os_release(tmp_path):
    (tmp_path / "os-release").write_text(BOOKWORM)
    assert debian.release(tmp_path / "os-release") == debian.Release(
        "debian", "bookworm", "Debian GNU/Linux 12 (bookworm)"
    )


@pytest.mark.parametrize("quote", ['"', "'", ""])
def test_a_value_may_be_quoted_or_not(tmp_path, quote):
    (tmp_path / "os-release").write_text(f"ID={quote}ubuntu{quote}\n")
    assert debian.release(tmp_path / "os-release").id == "ubuntu"


def test_a_system_that_does_not_tell_is_unknown(tmp_path):
    nothing = debian.Release("", "", "an unknown system")
    assert debian.release(tmp_path / "os-release") == nothing
    (tmp_path / "os-release").write_text("")
    assert debian.release(tmp_path / "os-release") == nothing


@pytest.mark.parametrize(
    ("id_", "apt"), [("debian", True), ("ubuntu", True), ("fedora", False), ("", False)]
)
def test_only_debian_and_ubuntu_are_installed_on(has_apt, id_, apt):
    assert debian.Release(id_, "", "").has_apt is apt


def test_a_debian_without_apt_is_not_installed_on(has_no_apt):
    assert debian.Release("debian", "", "").has_apt is False


def test_root_is_who_has_the_number_zero(monkeypatch):
    monkeypatch.setattr(debian.os, "geteuid", lambda: 0)
    assert debian.is_root()
    monkeypatch.setattr(debian.os, "geteuid", lambda: 1000)
    assert not debian.is_root()


def test_packages_are_installed_with_fresh_lists_and_nothing_beside(commands):
    told = []
    debian.apt_install(["docker.io", "/tmp/x.deb"], on_line=told.append)  # noqa: S108 - a name
    assert commands.lines == [
        "apt-get update -q",
        "apt-get -o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends "
        "docker.io /tmp/x.deb",
    ]
    assert told == ["running apt-get"] * 2


def test_the_configured_mirror_wins_and_apt_is_not_asked(commands, has_apt):
    assert debian.debian_mirror("http://mine.example/debian") == "http://mine.example/debian"
    assert commands.lines == []


def test_the_mirror_is_the_one_that_this_machine_installs_from(commands, has_apt):
    commands.answers = {"indextargets": LISTED}
    assert debian.debian_mirror() == "http://mirror.example/debian"
    assert commands.lines[0].startswith("apt-get indextargets --format")


@pytest.mark.parametrize(
    "listed",
    ["", "Ubuntu|main|http://mirror.example/ubuntu/\n", LISTED.splitlines()[0], "nonsense\n"],
)
def test_where_no_mirror_is_known_the_error_says_how_to_name_one(commands, has_apt, listed):
    commands.answers = {"indextargets": listed}
    with pytest.raises(SetupError) as caught:
        debian.debian_mirror()
    assert str(caught.value).splitlines() == [
        "no Debian mirror is known on this machine, and an image is to be made from its packages",
        "-> name one: SEATRIAL_DEBIAN_MIRROR=http://…/debian",
    ]


def test_without_apt_no_mirror_is_known(commands, has_no_apt):
    with pytest.raises(SetupError, match="no Debian mirror is known"):
        debian.debian_mirror()
    assert commands.lines == []


def test_a_package_is_known_if_apt_shows_it(commands):
    commands.answers = {"show docker-cli": 100}
    assert debian.has_package("docker.io")
    assert not debian.has_package("docker-cli")


def test_packages_of_another_suite_come_with_lists_and_signatures_of_their_own(commands, tmp_path):
    (tmp_path / "b.deb").touch()
    (tmp_path / "a.deb").touch()
    found = debian.foreign_packages(
        ["docker.io", "docker-cli"],
        suite="trixie",
        mirror="http://mirror.example/debian",
        folder=tmp_path,
        on_line=lambda line: None,
    )
    assert [path.name for path in found] == ["a.deb", "b.deb"]
    assert (tmp_path / "sources.list").read_text() == (
        f"deb [signed-by={debian.KEYRING}] http://mirror.example/debian trixie main\n"
    )
    assert (tmp_path / "lists" / "partial").is_dir()
    update, download = commands.lines
    for line in (update, download):
        assert f"-o Dir::Etc::SourceList={tmp_path}/sources.list" in line
        assert "-o Dir::Etc::SourceParts=/dev/null" in line
        assert f"-o Dir::State::Lists={tmp_path}/lists" in line
    assert update.endswith("-q update")
    assert download.endswith("-q download docker.io docker-cli")
