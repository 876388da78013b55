"""BuildKit, the builder inside the engine, by way of buildx.

Its plain progress is read, which every version of it prints in the same way.
"""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seatrial.core.errors import CommandError
from seatrial.core.processes import temporary_prefix
from seatrial.core.progress import Step
from seatrial.images.builder import BUILD_TIMEOUT, SHOWN_LINES, Order, failure, plain
from seatrial.tools.running import run

__all__ = ["BuildKit", "Output", "docker_buildx"]

#: `#6 [builder 2/3] RUN make`, `#6 0.263 its output`, `#6 ERROR: exit code: 3`
_LINE = re.compile(r"#(\d+) (.*)")
_OUTPUT = re.compile(r"\d+\.\d+ (.*)")
_STEP = re.compile(r"\[(?:(\S+) )?(\d+/\d+)\] (.*)")
#: stages without a name are given one
_UNNAMED = re.compile(r"stage-\d+")
_FAILED = "ERROR: "
_ENDED = re.compile(r"ERROR: (?:failed to build: )?(?:failed to solve: )?(.*)")


def docker_buildx() -> Sequence[str] | None:
    """The command line of the `docker` command's own buildx; None where it has none."""
    argv = ("docker", "buildx")
    try:
        found = run([*argv, "version"], check=False, timeout=30).status == 0
    except CommandError:
        return None
    return argv if found else None


@dataclass(frozen=True)
class BuildKit:
    """Builds with the BuildKit of the engine that the Docker SDK talks to."""

    buildx: Sequence[str]
    """How buildx is called: `docker buildx`, or the path of the program."""
    name: str = "BuildKit"

    def build(self, order: Order, step: Step) -> None:
        """Raises `ImageError`."""
        output = Output(step)
        with tempfile.TemporaryDirectory(prefix=temporary_prefix()) as name:
            own = Path(name)
            dockerfile, files = _write(order, own)
            try:
                run(
                    [*self.buildx, *_arguments(order, dockerfile), files],
                    env=_environment(own),
                    on_line=output.line,
                    timeout=BUILD_TIMEOUT,
                )
            except CommandError as error:
                raise failure(order, output.where, output.shown or [str(error)]) from error


def _write(order: Order, own: Path) -> tuple[Path, Path]:
    """Write what the build is made of: give the path of the Dockerfile, and of the other files.

    They are apart, since a `COPY . .` is not to see a Dockerfile that is ignored.
    """
    dockerfile, files = own / "dockerfile" / "Dockerfile", own / "files"
    for folder in (dockerfile.parent, files, own / "config"):
        folder.mkdir()
    order.context.write_to(files)
    dockerfile.write_text(order.context.dockerfile_text, encoding="utf-8")
    # what is ignored is left out by now, and the file of authorities is not to be
    dockerfile.with_name("Dockerfile.dockerignore").write_text("# nothing more is ignored\n")
    return dockerfile, files


def _arguments(order: Order, dockerfile: Path) -> Iterator[str]:
    context = order.context
    yield from ("build", "--progress=plain", "--load")
    # not the user's choice, which may be a builder that knows none of the engine's images
    yield "--builder=default"
    # an attestation would make an index of the image, and name this machine
    yield "--provenance=false"
    yield f"--tag={order.reference}"
    yield f"--file={dockerfile}"
    yield from (f"--target={each}" for each in [context.target] if each)
    yield from (f"--platform={each}" for each in [context.platform] if each)
    yield from (f"--build-arg={key}={value}" for key, value in order.build_args.items())
    yield from (f"--label={key}={value}" for key, value in order.labels.items())


def _environment(own: Path) -> Mapping[str, str]:
    return {
        # what buildx remembers of each build is left nowhere
        "BUILDX_CONFIG": str(own / "config"),
        # the engine that the SDK has, which knows DOCKER_HOST and no contexts
        "DOCKER_CONTEXT": "default",
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
    }


class Output:
    """What buildx prints. Steps run side by side, and so do their lines."""

    def __init__(self, step: Step) -> None:
        self._step = step
        #: by the number of the step
        self._names: dict[str, str] = {}
        self._lines: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=SHOWN_LINES))
        self._failed = ""
        #: what is said of no step
        self._rest: deque[str] = deque(maxlen=SHOWN_LINES)
        self._because = ""

    def line(self, line: str) -> None:
        """One line of its standard error."""
        match = _LINE.fullmatch(line)
        if match is None:
            self._outside(line)
        elif match[1] not in self._names:
            self._names[match[1]] = match[2]
            self._step.line(match[2])
        else:
            self._inside(match[1], match[2])

    def _inside(self, number: str, text: str) -> None:
        if text.startswith(_FAILED):
            self._failed = number
            self._lines[number].append(text.removeprefix(_FAILED))
        elif printed := _OUTPUT.fullmatch(text):
            line = plain(printed[1])
            self._lines[number].append(line)
            self._step.line(line)

    def _outside(self, line: str) -> None:
        if match := _ENDED.fullmatch(line):
            self._because = match[1]
        if line.strip():
            self._rest.append(line)

    @property
    def where(self) -> str:
        """The step that failed, such as `step 2/3 of stage builder, RUN make`; "" if none did."""
        name = self._names.get(self._failed, "")
        step = _STEP.fullmatch(name)
        if step is None:
            return name
        of = f" of stage {step[1]}" if step[1] and not _UNNAMED.fullmatch(step[1]) else ""
        return f"step {step[2]}{of}, {step[3]}"

    @property
    def shown(self) -> list[str]:
        """The last lines of the step that failed; all that was said otherwise, if none did."""
        if self._failed:
            lines = list(self._lines[self._failed])
            return lines if self._because in lines else [*lines, self._because]
        return list(self._rest)
