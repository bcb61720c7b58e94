"""The portal's files: small, vendored ones unchanged, words equal in both languages and for every code there is."""

from __future__ import annotations

import ast
import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

from lts.errors import TITLES
from lts.service.folder import placing
from lts.service.pair.pairstatus import REASONS
from lts.web.static_files import FOLDER, Assets
from tests.web.conftest import Web

ROOT = FOLDER.parent
FIRST_PAGE = 150_000
"""Bytes of the first page, compressed (issue of the portal, Speed)."""
_WORD = re.compile(r'^  "([a-z-]+\.[\w-]+)": "(.*)",$', re.MULTILINE)
_KEY = re.compile(r'"((?:[a-z]+-?)+\.[\w-]+)"')
_FAMILY = re.compile(r"`([a-z-]+\.[a-z-]*)\$\{")


def words(language: str) -> dict[str, str]:
    """The words of a language by key."""
    text = (FOLDER / "portal" / "i18n" / f"{language}.js").read_text(encoding="utf-8")
    found = {key: json.loads(f'"{value}"') for key, value in _WORD.findall(text)}
    assert len(found) == text.count('": "'), "a line that this test does not understand"
    return found


def sources() -> str:
    """All scripts of the portal but the words."""
    return "\n".join(
        path.read_text(encoding="utf-8") for path in (FOLDER / "portal").rglob("*.js") if path.parent.name != "i18n"
    )


def test_both_languages_have_the_same_keys_and_placeholders() -> None:
    english, chinese = words("en"), words("zh")
    assert english.keys() == chinese.keys()
    assert list(english) == sorted(english)
    for key, text in english.items():
        assert chinese[key], key
        if text:
            names = [set(re.findall(r"\{(\w+)[|}]", one)) for one in (text, chinese[key])]
            assert names[0] == names[1], key


def test_every_word_that_pages_use_exists_and_every_word_is_used() -> None:
    english, text = words("en"), sources()
    families = tuple(_FAMILY.findall(text))
    used = {key for key in _KEY.findall(text) if not key.endswith((".js", ".json", ".com"))}
    known = {key.partition(".")[0] for key in english}
    assert {key for key in used if key.partition(".")[0] in known} - english.keys() == set()
    assert {key for key in english if key not in used and not key.startswith(families)} == set()


def codes_of(call: str, folders: tuple[str, ...]) -> set[str]:
    """First arguments of all calls of a name in some folders of the server."""
    found = set()
    for folder in folders:
        for path in (ROOT / "lts" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                    if name == call and isinstance(node.args[0].value, str):
                        found.add(node.args[0].value)
    return found


def test_every_code_that_the_server_can_answer_has_words() -> None:
    english = words("en")
    server = ("rules", "service", "store", "web")
    answered = codes_of("AdminError", server) | codes_of("LicenseFileError", ("rules", "service"))
    answered.discard("bad-request")  # of activation requests, which only the vendor reads
    assert len(answered) > 50
    assert {f"error.{code}" for code in answered} - english.keys() == set()
    told = codes_of("Notice", ("rules", "service", "")) | codes_of("fault", ("service",))
    assert len(told) > 15
    assert {f"notice.{code}" for code in told} - english.keys() == set()
    assert {f"code.{code}" for code in TITLES} - english.keys() == set()


def test_every_line_of_the_audit_log_has_words() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "lts").rglob("*.py"))
    events = r'(?:note_event\(|\.note\(|ClockEvent\(|(?:event|cause) = \(|Event\([\w".]+, )"([a-z-]+)"'
    names = (
        set(re.findall(events, text))
        | set(placing.DONE)
        | {"clock-reset", "clock-accepted", "code-removed", "setting-changed"}
    )
    names |= {f"{what}-{change}" for what in ("user", "token") for change in ("added", "edited", "removed")}
    names |= {f"serves-{reason}" for reason in REASONS}
    assert len(names) > 25
    assert {f"audit.{name}" for name in names} - words("en").keys() == set()


def test_vendored_files_are_those_of_their_makers() -> None:
    manifest = json.loads((FOLDER / "vendor" / "manifest.json").read_text(encoding="utf-8"))
    listed = set()
    for entry in manifest.values():
        folder = entry["folder"]
        assert (FOLDER / "vendor" / folder / "LICENSE").exists()
        for name, digest in entry["sha256"].items():
            listed.add(f"{folder}/{name}")
            assert hashlib.sha256((FOLDER / "vendor" / folder / name).read_bytes()).hexdigest() == digest, name
    there = {path.relative_to(FOLDER / "vendor").as_posix() for path in (FOLDER / "vendor").glob("*/*")}
    assert there == listed


def test_the_first_page_is_small() -> None:
    assets = Assets()
    page = gzip.decompress(assets.page.packed).decode()
    names = set(re.findall(rf'static/{assets.digest}/([^"]+)', page)) | {"portal/i18n/en.js"}
    assert {"portal/app.js", "portal/style.css", "portal/pages/home.js"} <= names
    assert not any("chart" in name for name in names)
    total = len(assets.page.packed) + sum(len(assets.files[name].packed) for name in names)
    assert total < FIRST_PAGE, total


@pytest.mark.parametrize("prefix", ["", "/lts"])
def test_files_are_sent_whole_packed_and_unchanged_ones_not_again(web: Web, prefix: str) -> None:
    page = web.call("GET", f"{prefix}/page/")
    assert page.status == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    found = re.search(r'src="\.\./(static/\w+/portal/app\.js)"', page.body.decode())
    assert found
    script = web.call("GET", f"{prefix}/{found[1]}", HTTP_ACCEPT_ENCODING="gzip")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]
    assert gzip.decompress(script.body) == (FOLDER / "portal" / "app.js").read_bytes()
    again = web.call(
        "GET", f"{prefix}/{found[1]}", HTTP_ACCEPT_ENCODING="gzip", HTTP_IF_NONE_MATCH=script.headers["etag"]
    )
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("header", ["HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE"])
@pytest.mark.parametrize(
    "date",
    [
        "Mon, 01 Jan 2020 00:00:00 +99999999999999999999",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 99999999999999999999 Jan 2020 00:00:00 GMT",
        "Mon, 01 Jan 2020 99999999999999999999:00:00 GMT",
        "Mon, 01 Jan 2999 00:00:00 GMT",
        "yesterday",
    ],
)
def test_a_date_of_change_asked_for_is_ignored_as_files_have_none(web: Web, header: str, date: str) -> None:
    for path in ("/page/", "/static/portal/app.js"):
        assert web.call("GET", path, HTTP_RANGE="bytes=0-9", **{header: date}).status == 200


@pytest.mark.parametrize(
    "path", ["/static/../setup.cfg", "/static/%2e%2e/setup.cfg", "/static//etc/passwd", "/static/portal", "/static/"]
)
def test_nothing_outside_the_folder_is_served(web: Web, path: str) -> None:
    assert web.call("GET", path).status in (404, 308)


def test_no_file_of_the_portal_names_another_place() -> None:
    for path in (FOLDER / "portal").rglob("*.*"):
        text = path.read_text(encoding="utf-8")
        for address in re.findall(r"https?://[^\s\"'`<)]+", text):
            assert re.match(r"https?://([\w.]*example\.com|localhost|www\.w3\.org/2000/svg|\[\^)", address), (
                path.name,
                address,
            )


def test_paths_are_found_from_any_working_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert "portal/index.html" in Assets().files
