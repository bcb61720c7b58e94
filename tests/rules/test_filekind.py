"""A file is known by what is in it, whatever it is called, and a wrong one is named."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lts.crypto import SigningKey
from lts.errors import LicenseFileError
from lts.protocol import LicenseKey
from lts.rules.licensing import activation, armor, filekind, licensefile, vendorkey
from lts.rules.licensing.filekind import FileKind
from lts.service.maintenance import backups
from lts.store.store import DATABASE
from tests.support.kit import NOON, Lab, Vendor, item

VENDOR = Vendor()
LICENSE = licensefile.render(VENDOR.issue(item()))
KEY = SigningKey.generate()
ROOT = Path(__file__).resolve().parents[2]


def archive(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as bundle:
        bundle.writestr(name, b"content")
    return out.getvalue()


SAMPLES: dict[str, tuple[bytes, FileKind | None]] = {
    "a private key": (KEY.to_pem(), filekind.PRIVATE_KEY),
    "a protected private key": (KEY.to_pem(b"secret"), filekind.PRIVATE_KEY),
    "a public key": (VENDOR.pub, filekind.PUBLIC_KEY),
    "a public key met in a license": (vendorkey.describe("V", KEY.public).encode(), filekind.PUBLIC_KEY),
    "a license file": (LICENSE.encode(), filekind.LICENSE),
    "a license file saved as UTF-16": (LICENSE.encode("utf-16"), filekind.LICENSE),
    "the token of a license alone": (VENDOR.issue(item()).jws.encode(), filekind.LICENSE),
    "a request": (activation.build("U", KEY, (), "weak", NOON).encode(), filekind.REQUEST),
    "a spec": ((ROOT / "examples" / "spec.json").read_bytes(), filekind.SPEC),
    "changes": (b'{"items": [{"itemId": "x", "quota": 5}]}', filekind.CHANGES),
    "changes as PowerShell writes them": ('{"remove": ["x"]}'.encode("utf-16"), filekind.CHANGES),
    "the sample configuration": ((ROOT / "lts.json.sample").read_bytes(), filekind.CONFIGURATION),
    "a license key": (LicenseKey(("http://a/",), "1", "1-a", None, None).encode().encode(), filekind.LICENSE_KEY),
    "a certificate": (b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", filekind.OTHER_KEY),
    "another archive": (archive("readme.txt"), filekind.OTHER_ARCHIVE),
    "nothing": (b"\xef\xbb\xbf \r\n".removeprefix(b"\xef\xbb\xbf"), filekind.EMPTY),
    "a text": (b"Dear customer,", None),
    "bytes": (bytes(range(256)), None),
    "broken JSON": (b'{"items": [', None),
    "a deep JSON": (b'{"items": ' + b"[" * 5000, None),
    "a JSON list": (b"[1]", None),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_is_known_by_its_content(name: str) -> None:
    data, kind = SAMPLES[name]
    assert filekind.kind_of(data) == kind


def test_a_backup_and_a_database_are_known_by_their_first_bytes(server: Lab) -> None:
    backup = backups.backup(server.ctx.store.path, server.config.data_dir, NOON, server.ctx.trust)
    assert filekind.kind_of(backup.read_bytes()[:4096]) == filekind.BACKUP
    assert filekind.kind_of((server.config.data_dir / DATABASE).read_bytes()[:4096]) == filekind.DATABASE


def test_a_wrong_file_is_named_with_the_one_that_is_wanted() -> None:
    said = filekind.mistaken("v/vendor.pub", VENDOR.pub, filekind.PRIVATE_KEY)
    assert said == "v/vendor.pub is a vendor's public key; give the vendor's private key (vendor.key)."
    assert filekind.mistaken("b", archive("x"), filekind.BACKUP) is not None
    assert filekind.mistaken("t", b"Dear customer,", filekind.PUBLIC_KEY) == (
        "t is nothing that LTS knows; give the vendor's public key (vendor.pub)."
    )


def test_what_people_write_themselves_goes_to_the_reader_that_says_where_it_is_wrong() -> None:
    assert filekind.mistaken("s", b'{"items": [', filekind.SPEC) is None
    assert filekind.mistaken("l", b"half a mail", filekind.LICENSE) is None


@pytest.mark.parametrize("wanted", [filekind.PRIVATE_KEY, filekind.PUBLIC_KEY, filekind.LICENSE, filekind.REQUEST,
                                    filekind.BACKUP, filekind.SPEC, filekind.CHANGES])  # fmt: skip
def test_each_kind_is_refused_where_another_is_wanted_and_taken_where_it_is(wanted: FileKind) -> None:
    for data, kind in SAMPLES.values():
        if kind is not None:
            assert (filekind.mistaken("f", data, wanted) is None) == (kind == wanted)


def test_the_spec_that_an_editor_saved_with_its_mark_is_one() -> None:
    text = json.dumps({"licenseId": "1"})
    assert filekind.kind_of(text.encode("utf-8-sig")) == filekind.SPEC


@pytest.mark.parametrize(("before", "kind"), [(0, filekind.LICENSE), (1, None)])
def test_a_license_begins_within_the_first_mib(before: int, kind: FileKind | None) -> None:
    begin = b"-----BEGIN LTS LICENSE FILE-----"
    assert filekind.kind_of(b"x" * ((1 << 20) - len(begin) + before) + begin) == kind


@pytest.mark.parametrize("wanted", [filekind.SPEC, filekind.CHANGES, filekind.LICENSE, filekind.CONFIGURATION])
@pytest.mark.parametrize(
    "data", [b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", bytes(range(256)), b"\xff\xd8\xff\xe0\x00\x10JFIF"]
)
def test_what_no_editor_wrote_goes_to_no_reader(wanted: FileKind, data: bytes) -> None:
    assert filekind.mistaken("f", data, wanted) == f"f is nothing that LTS knows; give {wanted.wanted}."


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_a_text_goes_to_its_reader_in_whatever_encoding(encoding: str) -> None:
    data = '{\r\n\t"für": '.encode(encoding)
    assert filekind.mistaken("f", data, filekind.CONFIGURATION) is None


FAULTY = {
    "halves of pairs": b"\xff\xfe" + b"\x00\xdc" * 500_000,
    "one half over and over": b"\xfe\xff" + b"\xd8" * 1_000_000,
    "with the mark, and without one of its own": "LTS LICENSE FILE".encode("utf-16-le") + b"\x00\xd8" * 500_000,
}


@pytest.mark.parametrize("data", FAULTY.values(), ids=FAULTY)
def test_a_large_file_that_is_no_text_is_refused_soon(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replacing each fault by itself took 80 ms and more, three times over."""
    decoded: list[str] = []
    real = armor.decode

    def decode(*given: Any) -> str:
        decoded.append(real(*given))
        return decoded[-1]

    monkeypatch.setattr(armor, "decode", decode)
    with pytest.raises(LicenseFileError, match="not a license file"):
        armor.extract(data)
    filekind.mistaken("The file", data, filekind.LICENSE)
    assert [text.count("\ufffd") for text in decoded] in ([10], [10, 10])


def test_a_few_halves_of_pairs_are_passed_over_as_ever() -> None:
    text = LICENSE.encode("utf-16-le")
    assert armor.extract(b"\xff\xfe" + b"\x00\xdc" * 9 + text + b"\x00\xd8") == armor.extract(LICENSE.encode())
