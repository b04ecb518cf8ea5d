"""From where a token works."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import networks, refusals


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("192.0.2.0/24", "192.0.2.0/24"),
        (" 192.0.2.7/24 ", "192.0.2.0/24"),
        ("192.0.2.7", "192.0.2.7/32"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::/0", "::/0"),
    ],
)
def test_a_network_has_one_spelling(written: str, read: str):
    assert networks.read([written]) == [read]


@pytest.mark.parametrize(
    "text",
    [
        "everywhere",
        "192.0.2.0/33",
        "192.0.2",
        "192.0.2.0/255.255.0.255",
        "fe80::1%eth0",
        "1.2.3.4:80",
        "[::1]",
        "٣.1.1.1",
    ],
)
def test_what_is_no_network_is_refused_by_its_name(text: str):
    with pytest.raises(refusals.BadNetwork, match="is no network: write one as") as caught:
        networks.read(["192.0.2.0/24", text])
    assert caught.value.param == "networks"


def test_the_same_one_is_listed_once_and_empty_lines_are_none():
    assert networks.read(["", "192.0.2.1", "  ", "192.0.2.1/32", "::ffff:192.0.2.1"]) == ["192.0.2.1/32"]


def test_a_list_has_an_end():
    networks.read(f"192.0.2.{n}" for n in range(networks.LIMIT))
    with pytest.raises(refusals.TooManyNetworks):
        networks.read(f"192.0.2.{n}" for n in range(networks.LIMIT + 1))


@pytest.mark.parametrize("address", ["", "unknown", "192.0.2.256", "192.0.2.1/24"])
def test_what_is_no_address_lies_nowhere(address: str):
    assert not networks.hold(["0.0.0.0/0", "::/0"], address)


def test_an_address_of_one_family_lies_in_no_network_of_the_other():
    assert not networks.hold(["::/0"], "192.0.2.1")
    assert not networks.hold(["0.0.0.0/0"], "2001:db8::1")


@given(st.ip_addresses(), st.integers(0, 32))
def test_an_address_lies_in_each_network_around_it(address, length: int):
    around = networks.read([f"{address}/{length}"])
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is None:
        assert networks.hold(around, str(address))
