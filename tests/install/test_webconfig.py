"""deploy/proxy/web.config is well-formed, takes the addresses of LTS and no others, and has its limit. IIS runs nowhere
here: that it does what it says is not tried."""

from __future__ import annotations

import re
from xml.etree import ElementTree as Xml

import pytest

from lts.config import Config
from tests.support.lines import ROOT

FILE = ROOT / "deploy" / "proxy" / "web.config"
SERVER = Xml.parse(FILE).getroot().find("system.webServer")


def test_it_says_first_that_it_has_not_been_run() -> None:
    comment = FILE.read_text(encoding="utf-8").partition("<!--")[2].partition("-->")[0]
    assert comment.strip().startswith("Written from the documentation of IIS, and has not been run.")


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        ("lts", True), ("lts/", True), ("lts/page/", True), ("lts/api/v1/admin/handshakes/café 1", True),
        ("lts//", True), ("", False), ("lts2", False), ("ltsx/api", False), ("other/lts/", False), ("LTS/", False),
        ("api/v1/health", False),
    ],
)  # fmt: skip
def test_its_rules_take_the_addresses_of_lts_and_no_others(path: str, taken: bool) -> None:
    """IIS matches a rule with the path as it is after decoding, without the slash before it."""
    assert SERVER is not None
    rules = SERVER.findall("rewrite/rules/rule")
    assert [rule.get("name") for rule in rules] == ["LTS by https", "LTS"]
    for rule in rules:
        match = rule.find("match")
        assert match is not None
        assert match.get("ignoreCase") == "false"
        assert bool(re.search(match.get("url", ""), path)) == taken
    action = rules[-1].find("action")
    assert action is not None
    assert action.get("url") == f"http://127.0.0.1:{Config(None).port}/{{R:0}}"


def test_its_limit_is_that_of_a_report() -> None:
    assert SERVER is not None
    limits = SERVER.find("security/requestFiltering/requestLimits")
    assert limits is not None
    assert int(limits.get("maxAllowedContentLength", "")) == Config(None).max_request_bytes
