"""Renders kustomizations with `kubectl kustomize`, which is kustomize at kubectl's own version."""

from __future__ import annotations

from pathlib import Path

from seatrial.core.errors import CommandError, ManifestError
from seatrial.tools.running import run

__all__ = ["kustomization_in", "kustomize"]

#: the names that kustomize itself looks for
FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")

#: seconds; a kustomization may name bases behind a URL
TIMEOUT = 120.0


def kustomization_in(folder: Path) -> Path | None:
    """The kustomization of a folder, if it has one."""
    return next((folder / name for name in FILES if (folder / name).is_file()), None)


def kustomize(folder: Path, *, kubectl: Path | None) -> str:
    """The manifests that a kustomization makes, as YAML.

    Raises `ManifestError` where no kubectl was handed in, and with the words of kustomize where it
    refuses.
    """
    if kubectl is None:
        raise ManifestError(
            f"{folder} is a kustomization, and no kubectl was given to render it with",
            hint="k8s_deploy does so by itself; "
            "without it: load(…, renderers=Renderers(kubectl=cluster.kubectl_path))",
        )
    try:
        return run([kubectl, "kustomize", folder], timeout=TIMEOUT).stdout
    except CommandError as error:
        raise ManifestError(
            f"kustomize cannot render {folder}: {_words(error)}", details=error.details
        ) from error


def _words(error: CommandError) -> str:
    """What kustomize says is wrong, in one line."""
    lines = [line for line in error.output.splitlines() if line.startswith("error: ")]
    return lines[-1].removeprefix("error: ") if lines else error.cause
