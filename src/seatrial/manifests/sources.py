"""Manifests from wherever a test has them: files, folders, charts, URLs, text or dictionaries."""

from __future__ import annotations

import copy
import glob
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from seatrial.core.errors import ManifestError
from seatrial.core.spelling import did_you_mean
from seatrial.manifests.documents import Manifest, Origin, manifests_of, refuse_duplicates
from seatrial.manifests.fetching import fetch, is_url, shown_url
from seatrial.manifests.helm import Chart, is_chart, is_for_install, template, template_of
from seatrial.manifests.kustomize import FILES, kustomization_in, kustomize
from seatrial.manifests.yaml_reading import Document, read_json, read_yaml

__all__ = ["Renderers", "Source", "load"]

#: the files of a folder that are manifests
SUFFIXES = (".yaml", ".yml", ".json")

Source: TypeAlias = "str | Path | Mapping[str, Any] | Manifest | Chart | Iterable[Source]"


@dataclass(frozen=True)
class Renderers:
    """The programs that make manifests out of what is none yet."""

    kubectl: Path | None = None
    """For kustomizations."""
    helm: str | Path = "helm"
    """For charts: a path, or a name to be found on PATH."""
    namespace: str = ""
    """What a chart sees as `.Release.Namespace`."""
    kubernetes: Callable[[], str] = str
    """Asked for what a chart sees as `.Capabilities.KubeVersion`; nothing leaves that to helm."""


def load(
    source: Source, *, base: Path | None = None, renderers: Renderers | None = None
) -> tuple[Manifest, ...]:
    """The manifests of `source`, in the order of files and documents; `List`s are taken apart.

    A text that begins with `http://` or `https://` is fetched, and one with a line break in it, or
    that begins with `{`, is YAML. Any other is a file, a pattern such as `manifests/*.yaml`, or a
    folder: a kustomization, a helm chart (`Chart` gives it values), or else its `*.yaml`, `*.yml`
    and `*.json`, sorted by name. Relative paths start at `base`, or at the current folder.

    Raises `ManifestError` for whatever cannot be found, fetched, rendered or read, has no
    `apiVersion`, `kind` or `metadata.name`, or is there twice. What is wrong with several files is
    told at once.
    """
    reader = _Reader(base or Path(), renderers or Renderers())
    manifests = tuple(reader.read(source))
    if reader.errors:
        raise _all_of(reader.errors)
    if not manifests:
        raise ManifestError(f"there are no manifests in {_shown(source)}")
    refuse_duplicates(manifests)
    return manifests


class _Reader:
    """Reads sources one after another; what cannot be read does not keep it from the next."""

    def __init__(self, base: Path, renderers: Renderers) -> None:
        self.errors: list[ManifestError] = []
        self._base = base
        self._renderers = renderers

    def read(self, source: Source) -> Iterator[Manifest]:
        if isinstance(source, Manifest):
            yield source
        elif isinstance(source, Chart):
            yield from self._kept(self._chart(source))
        elif isinstance(source, Mapping):
            body = Document(copy.deepcopy(dict(source)), 1, 0)
            yield from self._kept(manifests_of([body], Origin("a dictionary", parts=False)))
        elif isinstance(source, str) and is_url(source):
            yield from self._kept(_behind(source))
        elif isinstance(source, str) and _is_text(source):
            yield from self._kept(_read_text(source, "YAML text"))
        elif isinstance(source, str | Path):
            yield from self._kept(self._at(source))
        elif isinstance(source, Iterable):
            for each in source:
                yield from self.read(each)
        else:
            raise ManifestError(f"manifests cannot be loaded from {source!r}")

    def _kept(self, manifests: Iterable[Manifest]) -> Iterator[Manifest]:
        try:
            yield from manifests
        except ManifestError as error:
            self.errors.append(error)

    def _at(self, source: str | Path) -> Iterator[Manifest]:
        if not str(source).strip():
            raise ManifestError("the path of the manifests is empty")
        path = self._base / Path(source).expanduser()
        folder = path.parent if path.name in FILES and path.is_file() else path
        if kustomization_in(folder):
            text = kustomize(folder, kubectl=self._renderers.kubectl)
            yield from _read_text(text, f"{folder} (kustomize)", in_file=False)
        elif is_chart(path):
            yield from self._chart(Chart(source))
        else:
            for each in _files(source, path, self._base):
                yield from self._kept(_read_file(each))

    def _chart(self, chart: Chart) -> Iterator[Manifest]:
        path = self._base / Path(chart.path).expanduser()
        if not is_chart(path):
            raise ManifestError(
                f"there is no helm chart at {chart.path}",
                hint="a chart is a folder with a Chart.yaml in it, or a packed one (.tgz)",
            )
        text = template(
            chart,
            path,
            helm=self._renderers.helm,
            namespace=self._renderers.namespace,
            kubernetes=self._renderers.kubernetes(),
        )
        lines = text.splitlines()
        for document in read_yaml(text, f"{chart.path} (helm)"):
            made_by = template_of(document.line, lines)
            name = f"{chart.path} (helm: {made_by})" if made_by else f"{chart.path} (helm)"
            found = manifests_of([document], Origin(name, lines, in_file=False))
            yield from (each for each in found if is_for_install(each.object))


def _is_text(source: str) -> bool:
    """Whether it is YAML or JSON itself rather than the name of a file."""
    return "\n" in source or source.lstrip().startswith("{")


def _behind(url: str) -> Iterator[Manifest]:
    is_json = urlsplit(url).path.endswith(".json")
    yield from _read_text(fetch(url), shown_url(url), in_file=False, is_json=is_json)


def _files(source: str | Path, path: Path, base: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if each.suffix in SUFFIXES)
        if not found:
            raise ManifestError(
                f"folder {source} holds no manifests",
                hint=f"the files that are read end in {', '.join(SUFFIXES)}; folders in it are not",
            )
        return found
    if path.exists():
        return [path]
    if glob.has_magic(str(source)):
        matched = sorted(Path(each) for each in glob.glob(str(path), recursive=True))  # noqa: PTH207 - Path.glob refuses absolute patterns
        if not matched:
            raise ManifestError(f"no file matches {source}", hint=f"looked from {base.absolute()}")
        return [each for each in matched if each.is_file()]
    raise _missing(source, path)


def _missing(source: str | Path, path: Path) -> ManifestError:
    place = path.absolute().parent
    near = (
        did_you_mean(path.name, [each.name for each in place.iterdir()]) if place.is_dir() else ""
    )
    return ManifestError(
        f"manifest {source} does not exist",
        hint=near or f"looked for {path.absolute()}",
    )


def _read_file(path: Path) -> Iterator[Manifest]:
    try:
        # files that were made on Windows often begin with a byte order mark
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path} is not text in UTF-8", details=str(error)) from error
    except OSError as error:
        raise ManifestError(f"{path} cannot be read: {error.strerror}") from error
    yield from _read_text(text, str(path), is_json=path.suffix == ".json")


def _read_text(
    text: str, name: str, *, in_file: bool = True, is_json: bool = False
) -> Iterator[Manifest]:
    read = read_json if is_json else read_yaml
    yield from manifests_of(read(text, name), Origin(name, text.splitlines(), in_file))


def _all_of(errors: list[ManifestError]) -> ManifestError:
    if len(errors) == 1:
        return errors[0]
    return ManifestError(
        f"{len(errors)} sources of manifests cannot be read", details="\n".join(map(str, errors))
    )


def _shown(source: object) -> str:
    if isinstance(source, str) and not _is_text(source):
        return shown_url(source) if is_url(source) else source
    if isinstance(source, Path):
        return str(source)
    if isinstance(source, Chart):
        return str(source.path)
    if isinstance(source, str):
        return "the YAML text"
    return f"a {type(source).__name__}"
