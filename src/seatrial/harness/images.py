"""Builds the image under test and puts it into the cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from seatrial.core.errors import ConfigurationError
from seatrial.core.progress import Progress
from seatrial.core.spelling import did_you_mean
from seatrial.harness.cluster import Cluster
from seatrial.images import BuildContext, Image, build, choose_builder

__all__ = ["ImageFactory"]


@dataclass(frozen=True)
class ImageFactory:
    """`ImageFactory(cluster, …)(path=".", repository="flask")` builds, loads, gives the image."""

    cluster: Cluster
    progress: Progress
    base: str | None = None
    """Given to a Dockerfile that declares a build argument BASE, unless None."""
    extra_ca: Path | None = None
    """PEM file of certificate authorities that the build has to trust."""
    buildx: Callable[[], Path] | None = None
    """Gets buildx, where BuildKit is demanded and the `docker` command has none."""

    def __call__(
        self,
        *,
        path: Path | str = ".",
        repository: str = "",
        build_args: Mapping[str, str] | None = None,
        builder: str = "auto",
        extra_ca: Path | str | None = None,
        load: bool = True,
        **options: Any,
    ) -> Image:
        """Build the image unless its very content is built already, and load it into each node.

        `path` is the folder of the build context, `repository` the image's name (by default the
        folder's), `options` are those of `BuildContext`: dockerfile, target, labels, platform.
        `builder` is `classic`, `buildkit`, or `auto`, which takes the one that `docker build` would
        (see `choose_builder`). `extra_ca` is for this image what the setting is for all.

        Raises `ImageError` with the failing step's output, or where a node does not take it, and
        `ConfigurationError` for an option that there is none of.
        """
        folder = Path(path).resolve()
        _check(options)
        context = BuildContext(
            path=folder,
            build_args=build_args or {},
            extra_cas=_authorities(extra_ca or self.extra_ca),
            **options,
        )
        if self.base and "BASE" not in context.build_args and context.takes("BASE"):
            context = replace(context, build_args={**context.build_args, "BASE": self.base})
        name = repository or folder.name.lower()
        client = self.cluster.client
        with self.cluster.loading():
            image = build(
                client,
                context,
                name,
                builder=partial(choose_builder, builder, client, self.buildx),
                progress=self.progress,
            )
            return self.cluster.load_image(image) if load else image


def _check(options: Mapping[str, Any]) -> None:
    known = ("dockerfile", "target", "labels", "platform")
    every = (*known, "path", "repository", "build_args", "builder", "extra_ca", "load")
    for name in options:
        if name not in known:
            raise ConfigurationError(
                f"an image has no option {name!r}",
                hint=did_you_mean(name, every) or f"its options are {', '.join(sorted(every))}",
            )


def _authorities(file: Path | str | None) -> bytes | None:
    if file is None:
        return None
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the file of certificate authorities {file} cannot be read: {error.strerror}"
        ) from error
