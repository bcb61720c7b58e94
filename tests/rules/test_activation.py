"""An activation request proves that a server holds the key that it names.

See docs/design/license-files.md, Issue and activate.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from lts.crypto import SigningKey, canonical_json, jws_header, sign_jws
from lts.errors import LicenseFileError
from lts.rules.licensing import activation
from tests.support.kit import NOON

UUID = "6F1C2B7E-8C1D-4A0E-9A57-0C6A2F7A1B11"
KEY, OTHER = SigningKey.generate(), SigningKey.generate()
LABELS = ("mac:1", "machine-id:m")


def request(by: SigningKey = KEY, typ: str = activation.JWS_TYPE, outer: Any = None, **claims: Any) -> str:
    """A request with some claims or fields changed."""
    said = {
        "sub": UUID, "cnf": {"jwk": KEY.public.jwk}, "labels": list(LABELS), "binding": "strong", "iat": NOON, **claims,
    }  # fmt: skip
    token = sign_jws(jws_header(by.public, typ), canonical_json(said), by)
    fields = {"format": "LTS activation request", "version": 1, "uuid": UUID, "request": token, **(outer or {})}
    return json.dumps({name: value for name, value in fields.items() if value is not None})


@pytest.mark.parametrize(
    "text",
    [
        request(),
        "\ufeff" + request(),
        request(sub="{" + UUID.lower() + "}"),
        request(outer={"uuid": UUID.lower()}),
        request(outer={"uuid": None}),
        activation.build(UUID, KEY, LABELS, "strong", NOON),
    ],
)
def test_a_request_names_the_server_its_key_and_labels(text: str) -> None:
    for found in (activation.read(text), activation.read(text.encode()), activation.read(text.encode("utf-16"))):
        assert (found.uuid, found.key.kid, found.labels, found.binding) == (UUID, KEY.kid, LABELS, "strong")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[]", "It has no format"),
        ("{}", "It has no format"),
        (request(outer={"format": "LTS backup"}), "It has no format"),
        (request(outer={"version": 2}), "Its version is unknown; update LTS"),
        (request(outer={"version": None}), "Its version is unknown; update LTS"),
        (request(typ="lts-license+jws"), "is signed, but is not a request"),
        (request(by=OTHER), "is not a valid activation request"),
        (request(cnf=None), "is not a valid activation request"),
        (request(outer={"request": "a.b.c"}), "is not a valid activation request"),
        ("{", "is not a valid activation request"),
        (request(sub="server"), "names no LTS UUID, or two"),
        (request(outer={"uuid": UUID[:-1] + "2"}), "names no LTS UUID, or two"),
        (request(labels="mac:1"), "has no labels"),
        (request(binding="none"), "has no labels"),
    ],
)
def test_what_is_no_sound_request_says_why(text: str, sentence: str) -> None:
    with pytest.raises(LicenseFileError) as caught:
        activation.read(text)
    assert (caught.value.code, sentence in caught.value.detail) == ("bad-request", True)
