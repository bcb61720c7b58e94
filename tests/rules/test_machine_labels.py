"""When a machine is still the same one (docs/design/machine.md, Machine labels)."""

from __future__ import annotations

import pytest

from lts.rules import labels

KNOWN = ("board-serial:b", "mac:1", "machine-id:m", "processor-id:p")


@pytest.mark.parametrize(
    ("present", "same"),
    [
        (KNOWN, True),
        (("machine-id:m", "mac:1"), True),
        (("machine-id:m", "processor-id:p", "mac:new"), True),
        (("mac:1", "board-serial:b"), True),
        (("machine-id:m",), False),
        (("processor-id:p", "machine-id:x", "mac:2"), False),
        (("processor-id:p",), False),
        ((), False),
    ],
)
def test_half_of_the_labels_with_a_unique_one_make_it_the_same(present: tuple[str, ...], same: bool) -> None:
    assert labels.compare(KNOWN, present).same is same


def test_without_a_unique_label_the_binding_is_weak_and_the_uuid_stays() -> None:
    verdict = labels.compare(("processor-id:p",), ("processor-id:q", "machine-id:m"))
    assert verdict.same
    assert verdict.learnt == ("processor-id:q", "machine-id:m")
    assert labels.binding(("processor-id:p",)) == "weak"
    assert labels.binding(KNOWN) == "strong"


@pytest.mark.parametrize(
    ("address", "physical"),
    [
        ("f4:8e:38:12:34:56", True),
        ("02:42:ac:11:00:02", False),
        ("01:00:5e:00:00:01", False),
        ("00:00:00:00:00:00", False),
        ("ff:ff:ff:ff:ff:ff", False),
        ("", False),
        ("tunnel", False),
    ],
)
def test_only_addresses_burnt_into_adapters_count(address: str, physical: bool) -> None:
    assert labels.is_physical_mac(address) is physical


@pytest.mark.parametrize(
    "serial", ["", "None", "To be filled by O.E.M.", "Default string", "0000000", "N/A", "Not Specified"]
)
def test_what_makers_leave_in_is_no_serial(serial: str) -> None:
    assert labels.is_placeholder(serial)


def test_a_real_serial_is_no_placeholder() -> None:
    assert not labels.is_placeholder("PF2ABC3D")
