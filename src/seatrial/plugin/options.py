"""Every setting as a command line option and an ini value; the environment is the third way."""

from __future__ import annotations

import os

import pytest

from seatrial.core.errors import ConfigurationError
from seatrial.core.settings import Settings

__all__ = ["pytest_addoption", "settings_of"]

_KEY = pytest.StashKey[Settings]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options `--seatrial-NAME` and ini values `seatrial_NAME`, from the one list of settings."""
    group = parser.getgroup("seatrial", "seatrial: deployments on a real Kubernetes cluster")
    for option in Settings.options():
        text = f"{option.help} (default: {option.default})"
        # argparse would take a % for a placeholder
        escaped = text.replace("%", "%%")
        if option.is_flag:
            group.addoption(
                option.flag,
                dest=_dest(option.name),
                action="store_true",
                default=None,
                help=escaped,
            )
        else:
            group.addoption(
                option.flag,
                dest=_dest(option.name),
                default=None,
                choices=option.choices or None,
                metavar=None if option.choices else option.name.upper(),
                help=escaped,
            )
        parser.addini(option.ini, f"{text}; also {option.flag}, {option.environment}", default=None)


def settings_of(config: pytest.Config) -> Settings:
    """The settings of this run: command line over environment over ini over default.

    Raises `pytest.UsageError`, which pytest shows as one line, for a value that cannot be used.
    """
    if _KEY not in config.stash:
        options = Settings.options()
        try:
            config.stash[_KEY] = Settings.resolve(
                cli={option.name: config.getoption(_dest(option.name)) for option in options},
                env=os.environ,
                ini={option.ini: config.getini(option.ini) for option in options},
            )
        except ConfigurationError as error:
            raise pytest.UsageError(str(error)) from error
    return config.stash[_KEY]


def _dest(name: str) -> str:
    return f"seatrial_{name}"
