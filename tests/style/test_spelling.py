"""English is American everywhere: in code, documents and the portal (docs/design/words.md, Spelling)."""

from __future__ import annotations

import re

from tests.support.lines import ROOT

BRITISH = re.compile(
    r"licen[c]e|(?:author|organ|recogn|normal|serial|initial|final|synchron|summar)i[s](?:e|ing|ation)"
    r"|(?:col|hon|fav|neighb|behavi|arm)o[u]r|cancel[l]ed|judg[e]ment|catalog[u]e|\bcentr[e]",
    re.IGNORECASE,
)
FOLDERS = ("lts", "tests", "bench", "tools", "docs", "deploy", "examples", "static/portal", "static/client", ".github")
KINDS = (".py", ".md", ".js", ".css", ".html", ".ts", ".yml", ".service", ".nsi", ".conf")


def test_no_word_is_spelled_the_british_way() -> None:
    files = [path for name in FOLDERS for path in sorted((ROOT / name).rglob("*")) if path.suffix in KINDS]
    files += sorted(ROOT.glob("*.md"))
    found = []
    for path in files:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found += [f"{path.relative_to(ROOT)}:{number}: {word}" for word in BRITISH.findall(line)]
    assert len(files) > 400
    assert found == []
