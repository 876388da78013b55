"""Images: built from a Dockerfile, found in the engine, loaded into nodes."""

from seatrial.images.building import BUILD_ID, CONTEXT_LABEL, build
from seatrial.images.choice import BUILDERS, choose_builder
from seatrial.images.context import EXTRA_CA, BuildContext
from seatrial.images.engine_image import Image, find
from seatrial.images.loading import Loaded, Node, load, load_archive
from seatrial.images.missing import configurations_of
from seatrial.images.provenance import assert_runs
from seatrial.images.pushing import Pushed, push

__all__ = [
    "BUILDERS",
    "BUILD_ID",
    "CONTEXT_LABEL",
    "EXTRA_CA",
    "BuildContext",
    "Image",
    "Loaded",
    "Node",
    "Pushed",
    "assert_runs",
    "build",
    "choose_builder",
    "configurations_of",
    "find",
    "load",
    "load_archive",
    "push",
]
