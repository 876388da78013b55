"""Lets tox find every Python that pyenv has installed, not only the one that is selected."""

from __future__ import annotations

import os
from pathlib import Path

from tox.config.sets import ConfigSet
from tox.plugin import impl
from tox.session.state import State


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:  # noqa: ARG001 - tox's names
    """Add pyenv's interpreters to what `--discover` names."""
    root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    discover: list[str] = state.conf.options.discover
    discover += [str(python) for python in sorted(root.glob("versions/3.*/bin/python3"))]
