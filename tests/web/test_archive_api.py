"""Archiving a license by the administrators' API."""

from __future__ import annotations

import pytest

from tests.support.kit import Lab, item
from tests.web.test_portal_api import Call, call  # noqa: F401  # a fixture


@pytest.fixture
def file(server: Lab) -> bytes:
    """The file of a license whose items are imported."""
    return server.vendor.file(server.ctx, item("scans"), item("desks", "device", modules=["OCR"]))


def test_a_license_goes_and_comes_back(server: Lab, call: Call, file: bytes) -> None:  # noqa: F811
    assert call("POST", "/licenses", data=file)[0] == 200
    server.authorize(modules=("OCR",))
    status, use = call("GET", "/licenses/use?licenseId=100")
    assert (status, use["items"], use["seats"], use["handshakeCodes"]) == (200, 2, 1, ["216998-100"])
    assert call("POST", "/licenses/archive", {"licenseId": "100", "organizationId": None}) == (
        200, {**use, "archived": True}
    )  # fmt: skip
    assert call("POST", "/licenses/archive", {"licenseId": "100"})[1]["code"] == "archived-before"
    status, items = call("GET", "/licenses/items")
    assert (items["items"], items["found"], items["states"]) == ([], 0, {"archived": 2})
    status, hidden = call("GET", "/licenses/items?state=archived")
    assert [(one["itemId"], one["used"]) for one in hidden["items"]] == [("scans", 0), ("desks", 0)]
    assert call("GET", "/status")[1]["items"] == 0
    assert call("POST", "/licenses/preview", data=file)[1]["takesBack"] is True
    done = call("POST", "/licenses", data=file)[1]
    assert (done["status"], done["takesBack"]) == ("taken-back", True)
    assert call("GET", "/licenses/items")[1]["states"] == {"active": 2}
    actions = [line["action"] for line in call("GET", "/audit")[1]["lines"]]
    assert actions[:2] == ["license-taken-back", "license-archived"]


def test_what_is_restored_into_no_code_is_shown(server: Lab, call: Call, file: bytes) -> None:  # noqa: F811
    assert call("POST", "/licenses", data=file)[0] == 200
    assert call("POST", "/licenses/archive", {"licenseId": "100"})[0] == 200
    assert call("POST", "/licenses/preview", data=file)[1]["notices"] == []
    assert call("DELETE", "/handshakes/216998-100")[0] == 200
    for path in ("/licenses/preview", "/licenses"):
        done = call("POST", path, data=file)[1]
        assert done["status"] == "taken-back"
        [told] = done["notices"]
        assert (told["code"], told["params"]) == ("items-in-no-code", {"n": 2, "license": "100"})
        assert "by lts handshake edit CODE --item NO" in told["detail"]


def test_what_names_no_license_is_refused_and_archives_nothing(server: Lab, call: Call, file: bytes) -> None:  # noqa: F811
    assert call("POST", "/licenses", data=file)[0] == 200
    for body, status, field in (
        ({}, 400, "licenseId"), ({"licenseId": 100}, 400, "licenseId"), ({"licenseId": ""}, 400, "licenseId"),
        ({"licenseId": "100", "organizationId": 7}, 400, "organizationId"), ({"licenseId": "7"}, 404, None),
        ({"licenseId": "100", "yes": True}, 400, "yes"), ({"licenseId": "100", "organizationId": "7"}, 404, None),
    ):  # fmt: skip
        found, answer = call("POST", "/licenses/archive", body)
        assert (found, answer.get("field")) == (status, field), body
    assert call("GET", "/licenses/use?licenseId=")[0] == 404
    assert call("GET", "/licenses/items")[1]["states"] == {"active": 2}
