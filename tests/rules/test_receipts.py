"""The short form of a report's results, and which certificates go out with a lease."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from hypothesis import given
from hypothesis import strategies as st

from lts.protocol import MAX_REPORT_SLOTS, short_results
from lts.rules.licensing.certificates import CertificateChain, Certificates, Certified
from tests.support.receipts import check, in_short
from tools import vectors

RESULT = st.tuples(st.sampled_from(["counted", "unchanged"]), st.none()) | st.tuples(
    st.just("rejected"), st.sampled_from([140, 142, 143])
)


@given(st.lists(RESULT))
def test_the_short_form_is_what_a_client_makes_of_the_answer(results: list[tuple[str, int | None]]) -> None:
    assert short_results(results) == in_short([{"status": status, "code": code} for status, code in results])


def test_the_short_form_of_the_largest_report_is_bounded() -> None:
    alternating = [("rejected", 142), ("rejected", 143)] * (MAX_REPORT_SLOTS // 2)
    assert len(short_results(alternating)) < 6 * MAX_REPORT_SLOTS
    assert short_results([("counted", None)] * MAX_REPORT_SLOTS) == f"{MAX_REPORT_SLOTS}c"


@pytest.mark.parametrize("case", vectors.receipts(), ids=lambda case: case["name"])
def test_the_vectors_of_receipts_hold(case: dict[str, Any]) -> None:
    told = case["answer"], case["body"].encode(), case["deviceId"], case["certificates"], case["vendorKey"]
    if case["believed"]:
        check(*told)
    else:
        with pytest.raises((AssertionError, InvalidSignature, KeyError)):
            check(*told)


ONE, TWO, OTHER = ("v", "1"), ("v", "2"), ("w", "1")


def certified(*licenses: tuple[str, str], rest: tuple[str, ...] = (), by: str = "own") -> Certified:
    found = {name: f"{by} {name[0]}{name[1]}" for name in licenses}
    vendors = {vendor: text for (vendor, _), text in found.items()}
    return Certified(MappingProxyType(found), MappingProxyType(vendors), rest)


def test_a_chain_begins_with_the_certificate_of_the_leases_own_license() -> None:
    held = Certificates((certified(ONE, TWO),), ("bare",))
    assert held.chain_of([ONE]) == CertificateChain(("own v1",))
    assert held.chain_of([TWO]) == CertificateChain(("own v2",))
    assert held.chain_of([TWO, ONE, TWO]) == CertificateChain(("own v2",), ("own v1",))


def test_a_license_without_a_certificate_goes_by_another_of_its_vendor_or_by_none() -> None:
    held = Certificates((certified(ONE),), ("bare",))
    assert held.chain_of([TWO]) == CertificateChain(("own v1",))
    assert held.chain_of([TWO, ONE]) == CertificateChain(("own v1",))
    assert held.chain_of([OTHER]) == CertificateChain(("bare",))


def test_a_standby_shows_the_key_that_all_licenses_of_the_lease_name() -> None:
    main = certified(ONE, TWO, rest=("delegation",), by="main")
    held = Certificates((certified(ONE), main), ("main's own", "delegation"))
    assert held.chain_of([ONE]) == CertificateChain(("own v1",))
    assert held.chain_of([ONE, TWO]) == CertificateChain(("main v1", "delegation"), ("main v2",))
    assert held.chain_of([TWO]) == CertificateChain(("main v2", "delegation"))
    assert held.chain_of([OTHER]) == CertificateChain(("main's own", "delegation"))
