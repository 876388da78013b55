"""The test that the README shows is collected from there, and runs as it is written."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"

_code = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
assert _code, "the README shows no test"
exec(compile(_code[1], str(README), "exec"))  # noqa: S102 - our own README
assert "test_flask_comes_up_and_answers" in globals()
