from __future__ import annotations

import re
from pathlib import Path

from seatrial.core.settings import Settings

README = Path(__file__).parents[3] / "README.md"


def test_the_readme_lists_every_option_and_no_other():
    listed = re.findall(r"^\| `(--seatrial-[a-z-]+)` \| (.*?) \|", README.read_text(), re.MULTILINE)
    assert listed == [(option.flag, option.default) for option in Settings.options()]
