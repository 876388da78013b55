"""When a browser is installed, and what is said where it cannot be. None is started."""

import pytest
from setup_fakes import Said

from seatrial.core.errors import SetupError
from seatrial.core.health import Health
from seatrial.http.browser import NoBrowserError
from seatrial.setup import browser, debian

CHROMIUM = "Chromium 156.0 (/usr/bin/chromium)"
NONE = NoBrowserError("there is no browser", details="looked for chromium on PATH")


class Machine:
    """A Debian on which Playwright is installed, and nobody has a browser yet."""

    def __init__(self, patch):
        self.wanted, self.root = True, True
        #: what the next starts come to: an error, or a browser's name
        self.starts = [NONE, CHROMIUM]
        self.packages = {"chromium"}
        self.installed = []
        self.updates = 0
        self.release = debian.Release("debian", "bookworm", "Debian 12")
        machine = self

        class Browser:
            def __enter__(self):
                return self

            def __exit__(self, *error):
                pass

            def start(self):
                came = machine.starts.pop(0)
                if isinstance(came, Exception):
                    raise came
                return came

        patch.setattr(browser, "Browser", Browser)
        patch.setattr(
            browser.importlib.util,
            "find_spec",
            lambda name: {"playwright": self.wanted}[name] or None,
        )
        patch.setattr(debian.shutil, "which", lambda name: f"/usr/bin/{name}")
        patch.setattr(debian, "release", lambda: self.release)
        patch.setattr(debian, "is_root", lambda: self.root)
        patch.setattr(debian, "has_package", lambda name: name in self.packages)
        patch.setattr(debian, "apt_update", self.update)
        patch.setattr(debian, "apt_install", self.install)

    def update(self, *, on_line):
        self.updates += 1

    def install(self, packages, *, on_line):
        self.installed += packages


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


def the_refusal(said=None):
    with pytest.raises(SetupError) as caught:
        browser.ensure_browser(said or Said())
    return str(caught.value).splitlines()


def test_a_machine_without_the_extra_installs_and_starts_nothing(machine):
    machine.wanted = False
    machine.starts = []
    assert browser.ensure_browser(Said()) == ""
    found = browser.examine_browser()
    assert (found.health, found.value) == (Health.NOTE, "the extra `browser` is not installed")
    assert found.hint == "only k8s_page needs one: pip install 'seatrial[browser]'"
    assert machine.installed == []


def test_a_browser_that_starts_is_taken_as_it_is(machine):
    machine.starts = [CHROMIUM] * 2
    said = Said()
    assert browser.ensure_browser(said) == CHROMIUM
    assert (said.lines, machine.installed, machine.updates) == ([], [], 0)
    found = browser.examine_browser()
    assert (found.subject, found.health, found.value, found.hint) == (
        "browser", Health.OK, CHROMIUM, "",
    )  # fmt: skip


def test_where_there_is_none_debians_is_installed_with_a_font_and_tried(machine):
    said = Said()
    assert browser.ensure_browser(said) == CHROMIUM
    assert said.lines == ["installing chromium, fonts-liberation from Debian's packages"]
    assert machine.installed == ["chromium", "fonts-liberation"]


def test_a_browser_that_does_not_start_though_installed_is_an_error(machine):
    machine.starts[1] = SetupError("/usr/bin/chromium does not start")
    assert the_refusal() == ["/usr/bin/chromium does not start"]


def test_one_that_is_there_and_does_not_start_is_not_replaced(machine):
    machine.starts = [SetupError("Playwright's own Chromium does not start", hint="try it")] * 2
    assert the_refusal()[0] == "Playwright's own Chromium does not start"
    assert machine.installed == []
    found = browser.examine_browser()
    assert (found.health, found.hint) == (Health.BAD, "try it")


@pytest.mark.parametrize("lacks", ["root", "apt"])
def test_where_nothing_may_be_installed_the_way_out_is_told(machine, lacks):
    if lacks == "root":
        machine.root = False
    else:
        machine.release = debian.Release("fedora", "", "Fedora 44")
    lines = the_refusal()
    assert lines[0] == (
        "there is no browser; seatrial installs one only on Debian or Ubuntu as root"
    )
    assert lines[1] == "  looked for chromium on PATH"
    assert lines[2] == f"  this is {machine.release.pretty}"
    assert lines[3].startswith("-> playwright install chromium, or your system's package")
    assert "pip uninstall playwright" in lines[-1]
    assert (machine.installed, machine.updates) == ([], 0)


def test_an_ubuntu_whose_chromium_is_no_package_is_told_of_others(machine):
    machine.release = debian.Release("ubuntu", "noble", "Ubuntu 24.04")
    machine.packages = set()
    lines = the_refusal()
    assert lines[0] == "Ubuntu 24.04 has no package chromium"
    assert "playwright install chromium" in lines[1]
    assert (machine.installed, machine.updates) == ([], 1)


def test_the_doctor_names_the_ways_out_and_installs_nothing(machine):
    found = browser.examine_browser()
    assert (found.subject, found.health) == ("browser", Health.BAD)
    assert found.value == "there is no browser"
    assert found.hint.startswith("`seatrial setup` installs one on Debian as root; else")
    assert (machine.installed, machine.updates) == ([], 0)
