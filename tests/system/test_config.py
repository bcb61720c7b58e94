"""Configuration: strict, every fault at once, nothing silently defaulted (docs/design/surface.md, Configuration)."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from lts import config
from lts.cli.main import main
from lts.config import Config
from lts.crypto import SigningKey
from lts.errors import ConfigError
from lts.rules.licensing import activation, licensefile
from lts.vendor import spec
from tests.support.kit import Vendor, item
from tests.support.lines import ROOT


def load(folder: Path, text: str | bytes, **more: Any) -> Config:
    path = folder / "lts.json"
    path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    return config.load(None, folder, environ={}, **more)


def faults(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return caught.value.faults


def test_the_sample_shows_every_key_with_its_default(tmp_path: Path) -> None:
    sample = (ROOT / "lts.json.sample").read_text(encoding="utf-8")
    assert list(json.loads(sample)) == list(config.KEYS)
    shown, default = load(tmp_path, sample), config.load(None, tmp_path / "empty", environ={})
    for field in fields(Config):
        if field.name in ("source", "data_dir", "vendor_keys"):
            continue
        assert getattr(shown, field.name) == getattr(default, field.name), field.name
    assert shown.data_dir == tmp_path / "data"


def test_a_byte_order_mark_and_crlf_do_no_harm(tmp_path: Path) -> None:
    assert load(tmp_path, b'\xef\xbb\xbf{\r\n"port": 50000\r\n}').port == 50000


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ('{\n"port": "48080"\n}', 2, "quotes"),
        ('{\n"port": 70000}', 2, "65535"),
        ('{\n"port": 1,\n}', 2, "comma"),
        ('{\n\n"dataDir": "C:\\lts\\data"}', 3, "backslash"),
        ('{"host": "x",\n"dataDir": "a\\u0000b"}', 2, "NUL"),
        ('{"host": "x\\u0000"}', 1, "NUL"),
        ('{"host": "x",\n"prot": 1}', 2, "not a setting"),
        ('{"port": 1,\n"port": 2}', 1, "twice"),
        ('{"host": "x",\n"dataDir": "\\ud800x"}', 2, "surrogate"),
        ('{"\\ud800": 1}', 1, "surrogate"),
        ('{"servers": ' + "[" * 40 + "]" * 40 + "}", 1, "deeper"),
        ("[]", 1, "object"),
        ("", 1, "not JSON"),
        ('{"log": {"level": "loud"}}', 1, "level"),
        ('{"rateLimits": {"deviceBurst": 0}}', 1, "deviceBurst"),
        ('{"trustedProxies": ["10.0.0.0/99"]}', 1, "network"),
        ('{"serverMode": "cluster"}', 1, "cluster"),
        ('{"publicUrl": "ftp://x"}', 1, "http"),
    ],
)
def test_a_fault_names_file_line_and_what_is_wrong(tmp_path: Path, text: str, line: int, word: str) -> None:
    [fault] = faults(tmp_path, text)
    assert str(tmp_path / "lts.json") in fault
    assert f"line {line}:" in fault
    assert word in fault


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    assert len(faults(tmp_path, '{"port": "1", "host": 5, "typo": 1, "threads": 1}')) == 4


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_another_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    [fault] = faults(tmp_path, '{"host": "é"}'.encode(encoding))
    assert "UTF-8" in fault


@pytest.mark.parametrize(
    ("servers", "word"),
    [
        (["self", "self"], "twice"),
        (["https://a.example/lts/"], 'no "self"'),
        ([], "one or two"),
        (["self", "b.example/lts"], "http"),
        (["self", "https://b/", "https://c/"], "one or two"),
        ("self", "list"),
    ],
)
def test_a_wrong_servers_setting_is_named(tmp_path: Path, servers: Any, word: str) -> None:
    [fault] = faults(tmp_path, json.dumps({"servers": servers}))
    assert word in fault


def test_the_guides_settings_are_taken_with_or_without_a_slash(tmp_path: Path) -> None:
    loaded = load(tmp_path, '{"servers": ["self", "https://standby.yoursite.com/lts"]}')
    assert loaded.servers == ("self", "https://standby.yoursite.com/lts/")


def test_a_missing_or_unreadable_file_that_was_named_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path / "none.json", tmp_path, environ={})
    assert "none.json" in caught.value.detail
    with pytest.raises(ConfigError):
        config.load(None, tmp_path, environ={"LTS_CONFIG": str(tmp_path / "other.json")})


def test_the_command_line_wins_over_environment_and_file(tmp_path: Path) -> None:
    path = tmp_path / "lts.json"
    path.write_text('{"dataDir": "file", "port": 1}', encoding="utf-8")
    assert config.load(None, tmp_path, environ={}).data_dir == tmp_path / "file"
    named = {"LTS_DATA_DIR": str(tmp_path / "environment")}
    assert config.load(None, tmp_path, environ=named).data_dir == tmp_path / "environment"
    won = config.load(None, tmp_path, environ=named, data_dir=tmp_path / "line", port=2)
    assert (won.data_dir, won.port) == (tmp_path / "line", 2)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"servers": ["https://a.example.com/", "https://b.example.com/"]}, 'no "self"'),
        ({"servers": ["self", "self"]}, "twice"),
        ({"servers": ["self", "ftp://b.example.com/"]}, "http or https"),
        ({"servers": ["self", "http://standby.example.com/lts/"]}, "allowPlainHttpPeer"),
        ({"servers": ["self", "https://www.example.com/lts"], "publicUrl": "https://www.example.com/lts/"}, "itself"),
        ({"servers": ["http://127.0.0.1:48080/lts/", "self"]}, "itself"),
        ({"servers": ["self", "https://a.example.com/", "https://b.example.com/"]}, "one or two"),
    ],
)
def test_wrong_settings_of_a_pair_are_named_at_start(tmp_path: Path, settings: dict[str, Any], word: str) -> None:
    (fault,) = faults(tmp_path, json.dumps(settings, indent=1))
    assert "servers" in fault
    assert word in fault


@pytest.mark.parametrize("url", ["https://b.example.com", "https://b.example.com/lts", "http://127.0.0.1:9/lts/"])
def test_the_other_servers_url_is_taken_with_and_without_a_slash(tmp_path: Path, url: str) -> None:
    read = load(tmp_path, json.dumps({"servers": ["self", url]}))
    assert read.servers == ("self", url.rstrip("/") + "/")


def test_plain_http_to_the_other_server_is_allowed_when_the_administrator_says_so(tmp_path: Path) -> None:
    settings = {"servers": ["http://main.example.com/lts/", "self"], "allowPlainHttpPeer": True}
    assert load(tmp_path, json.dumps(settings)).servers[1] == "self"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:48080/lts/"),
        ("0.0.0.0", "http://127.0.0.1:48080/lts/"),
        ("::", "http://127.0.0.1:48080/lts/"),
        ("::1", "http://[::1]:48080/lts/"),
        ("lts.example.com", "http://lts.example.com:48080/lts/"),
    ],
)
def test_the_url_by_which_this_machine_reaches_the_server(tmp_path: Path, host: str, url: str) -> None:
    assert config.load(None, tmp_path, environ={}, host=host).url == url


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (licensefile.render(Vendor().issue(item())).encode(), "a license file"),
        (Vendor().pub, "a vendor's public key"),
        (b"PK\x03\x04" + bytes(22) + b"\x06\x00\x00\x00lts.db", "a backup of a server"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "nothing that LTS knows"),
        (json.dumps(spec.sample(0)).encode(), "the spec of a license"),
        (activation.build("U", SigningKey.generate(), (), "weak", 0).encode(), "a server's activation request"),
    ],
)
def test_a_file_of_another_kind_is_named(
    data: bytes, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    said = f"lts: {file} is {kind}; give the configuration of a server (lts.json).\n"
    assert main(["status", "--config", str(file)]) == 1
    assert capsys.readouterr().err == said
    monkeypatch.setenv("LTS_CONFIG", str(file))
    assert main(["license", "list", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err == said


def test_a_configuration_with_a_fault_goes_to_its_reader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "lts.json"
    for text in ('{"port": "x"}', '{"threads": "x"}', '{"port": '):
        file.write_text(text, encoding="utf-8")
        assert main(["status", "--config", str(file)]) == 1
        assert capsys.readouterr().err.startswith(f"lts: {file}, line 1: ")
