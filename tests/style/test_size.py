"""Files are small enough to read at a sitting (docs/design/code.md, Habits)."""

from __future__ import annotations

from tests.support.lines import ROOT

MOST = 400
EXCEPTIONS: dict[str, str] = {}
"""Path below the top: why it is longer."""


def test_no_module_and_no_page_is_over_400_lines() -> None:
    files = [path for name in ("lts", "tests", "bench", "tools") for path in (ROOT / name).rglob("*.py")]
    files += (ROOT / "docs").rglob("*.md")
    lines = {path.relative_to(ROOT).as_posix(): len(path.read_bytes().splitlines()) for path in files}
    assert len(lines) > 700
    assert {name: count for name, count in lines.items() if count > MOST and name not in EXCEPTIONS} == {}
    assert [name for name in EXCEPTIONS if lines.get(name, 0) <= MOST] == []
