"""Renders charts with `helm template`, where helm is installed.

Nothing is installed with helm: what it renders is applied as any manifest is. So hooks do not run
at their moments. Those of an installation are objects like all others, and those of an upgrade, a
rollback, a deletion or a test are left out: a Job that cleans up must not run at the beginning.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seatrial.core.errors import CommandError, ManifestError
from seatrial.core.model import Object, dig
from seatrial.tools.running import run

__all__ = ["Chart", "is_chart", "is_for_install", "template", "template_of"]

#: seconds
TIMEOUT = 120.0

INSTALL_HOOKS = frozenset({"pre-install", "post-install", "crd-install"})

_SOURCE = re.compile(r"^# Source: [^/\s]+/(\S+)")


@dataclass(frozen=True)
class Chart:
    """A helm chart with values: `k8s_deploy(Chart("charts/flask", {"replicas": 2}))`."""

    path: str | Path
    """The folder that holds `Chart.yaml`, or a packed chart (`.tgz`)."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Over the chart's own `values.yaml`."""
    release: str = ""
    """`.Release.Name`; by default the name of the folder."""


def is_chart(path: Path) -> bool:
    """Whether there is a chart at `path`."""
    return (path / "Chart.yaml").is_file() or (path.is_file() and path.suffix == ".tgz")


def template(
    chart: Chart, path: Path, *, helm: str | Path, namespace: str = "", kubernetes: str = ""
) -> str:
    """The manifests that a chart makes, its CustomResourceDefinitions included, as YAML.

    Raises `ManifestError` where helm is not installed, and with the words of helm where it refuses.
    """
    program = shutil.which(str(helm))
    if program is None:
        raise ManifestError(
            f"{chart.path} is a helm chart, and there is no {helm} to render it with",
            hint="install helm (https://helm.sh/docs/intro/install) so that it is on PATH, or name "
            "it\n(--seatrial-helm=…), or give a file of what `helm template` prints",
        )
    argv: list[str | Path] = [
        program,
        "template",
        chart.release or path.resolve().name.removesuffix(".tgz"),
        path,
        "--include-crds",
        "--values=-",
        *([f"--namespace={namespace}"] if namespace else []),
        *([f"--kube-version={kubernetes}"] if kubernetes else []),
    ]
    try:
        return run(argv, stdin=[json.dumps(dict(chart.values)).encode()], timeout=TIMEOUT).stdout
    except CommandError as error:
        raise ManifestError(
            f"helm cannot render {chart.path}: {_words(error)}", details=error.details
        ) from error


def _words(error: CommandError) -> str:
    """What helm says is wrong, in one line."""
    lines = [line for line in error.output.splitlines() if line.startswith("Error: ")]
    return lines[-1].removeprefix("Error: ") if lines else error.cause


def template_of(line: int, lines: list[str]) -> str:
    """The template that made the document which begins in that line, from 1, as helm says."""
    for text in reversed(lines[: line - 1]):
        if found := _SOURCE.match(text):
            return found[1]
        if text.startswith("---"):
            break
    return ""


def is_for_install(obj: Object) -> bool:
    """Whether helm would make the object at an installation."""
    hooks = dig(obj, "metadata", "annotations", "helm.sh/hook", default="")
    return not hooks or not INSTALL_HOOKS.isdisjoint(re.split(r"[\s,]+", str(hooks)))
