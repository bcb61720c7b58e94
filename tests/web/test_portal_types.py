"""static/portal/answers.d.ts and calls.d.ts say of the administrators' API what the server answers."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lts.service.pair import pairstatus as pair_report
from lts.web.admin.jsonpieces import as_json
from lts.web.static_files import FOLDER
from tests.support.duet import Duet
from tests.support.furnish import furnish
from tests.support.kit import Lab, item
from tests.support.node import type_faults
from tests.web.test_portal_api import caller

ANSWERS, CALLS = FOLDER / "portal" / "answers.d.ts", FOLDER / "portal" / "calls.d.ts"
DAY = "2026-11-25"
ASKED = {
    "/licenses/use": "/licenses/use?licenseId=100028117", "/handshakes": "/handshakes?keys=true",
    "/statistics/hours": f"/statistics/hours?day={DAY}", "/usage": "/usage?by=device",
    "`/handshake-use/%23${number}`": "/handshake-use/%231",
}  # fmt: skip
"""How a path is asked where it needs more than itself."""
BODIES: dict[str, Any] = {
    "/alerts/calendar": {"renew": False}, "/tokens": {"name": "nightly", "role": "reader"},
    "/alerts/webhooks": {"name": "chat", "url": "https://hooks.example.com/lts"},
    "/handshakes": {"organizationId": "216998", "custom": "typed"},
}  # fmt: skip
"""What is sent to paths of POST whose answers a page reads."""


def paths_of_get() -> list[str]:
    """The paths that a page reads, a pattern in its backticks."""
    inner = re.search(r"interface Got \{(.*?)\n  \}", CALLS.read_text(encoding="utf-8"), re.DOTALL)
    assert inner is not None
    return re.findall(r'^    (?:"|\[\w+: )(.+?)(?:"|\])\??: ', inner[1], re.MULTILINE)


def lines(server: Lab) -> Iterator[str]:
    """Each answer as a constant of the type that is declared for it."""
    call = caller(server)
    for number, path in enumerate(paths_of_get()):
        status, answer = call("GET", ASKED.get(path, path))
        assert status == 200, (path, answer)
        name = path if path.startswith("`") else f'"{path}"'
        yield f"export const got{number}: Api.Got[{name}] = {json.dumps(answer)};"
    for number, (path, body) in enumerate(BODIES.items()):
        status, answer = call("POST", path, body)
        assert status == 200, (path, answer)
        yield f'export const posted{number}: Api.Posted["{path}"] = {json.dumps(answer)};'


@contextmanager
def pair(folder: Path) -> Iterator[dict[str, Any]]:
    """What a main says of its pair."""
    duet = Duet(folder)
    duet.settle()
    try:
        yield as_json(pair_report.describe(duet.main.node))
    finally:
        duet.close()


def test_the_portal_knows_what_the_server_answers(server: Lab, tmp_path: Path) -> None:
    furnish(server)
    preview = server.vendor.file(server.ctx, item("added"), license_id="900")
    found = list(lines(server))
    client = server.here.app(server.config).flask.test_client()
    headers = {"Authorization": f"Bearer {server.here.token}", "X-LTS-User": "tester"}
    answer = client.post("/api/v1/admin/licenses/preview", data=preview, headers=headers)
    assert answer.status_code == 200, answer.text
    found.append(f"export const preview: Api.Preview = {answer.text};")
    with pair(tmp_path / "pair") as said:
        found.append(f"export const pair: Api.Pair = {json.dumps(said)};")
    here = tmp_path / "types"
    here.mkdir()
    shutil.copy(ANSWERS, here)
    shutil.copy(CALLS, here)
    (here / "answered.ts").write_text("\n".join(found), encoding="utf-8")
    assert "\n".join(type_faults(here)) == ""
