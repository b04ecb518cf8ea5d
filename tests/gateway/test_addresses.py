"""From where a request comes, whatever the client writes about it."""

from ipaddress import ip_address
from typing import Any

import pytest
from django.test import Client, RequestFactory
from hypothesis import given
from hypothesis import strategies as some

from gateway import addresses
from gateway.models import Detail, Entry

ADDRESS = some.ip_addresses().map(str)
FORGED = some.lists(some.text(some.characters(codec="latin-1", exclude_characters="\r\n"), max_size=30), max_size=4)


def seen(peer: str, forwarded: str | None, proxies: int) -> str:
    told = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.conf.settings.TRUSTED_PROXIES", proxies)
        return addresses.of(RequestFactory().get("/", REMOTE_ADDR=peer, **told))


def spelled(text: str) -> str:
    address = ip_address(text)
    return str(getattr(address, "ipv4_mapped", None) or address)


@given(ADDRESS, FORGED)
def test_without_a_proxy_nothing_that_a_client_writes_is_read(peer: str, forged: list[str]):
    assert seen(peer, ",".join(forged), 0) == spelled(peer)


@given(ADDRESS, some.lists(ADDRESS, min_size=1, max_size=4), FORGED)
def test_behind_proxies_the_client_is_whom_the_outermost_of_them_heard(
    client: str, inner: list[str], forged: list[str]
):
    """`inner`: the proxies from the outermost to the one that speaks to us; each but the last is heard by the next."""
    heard = [*forged, client, *inner[:-1]]
    assert seen(inner[-1], ", ".join(heard), len(inner)) == spelled(client)


@given(ADDRESS, FORGED, some.integers(1, 6))
def test_a_header_that_did_not_come_through_all_the_proxies_is_not_believed(peer: str, forged: list[str], proxies: int):
    header = ",".join(forged)
    if len(header.split(",")) < proxies:
        assert seen(peer, header, proxies) == spelled(peer)


@given(some.text(max_size=40), some.text(max_size=40), some.integers(0, 3))
def test_it_is_an_address_or_nothing_and_never_an_error(peer: str, forwarded: str, proxies: int):
    found = seen(peer, forwarded, proxies)
    assert found == "" or str(ip_address(found)) == found


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("[2001:DB8:0::1]", "2001:db8::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("unknown", "192.0.2.1"),
        ("", "192.0.2.1"),
    ],
)
def test_an_address_has_one_spelling(written: str, read: str):
    assert seen("192.0.2.1", written, 1) == read


@pytest.mark.django_db
def test_the_log_keeps_the_address_that_the_trusted_proxy_heard(guest: Client, settings: Any):
    settings.TRUSTED_PROXIES = 1
    guest.get("/", headers={"x-forwarded-for": "198.51.100.1, 203.0.113.7"})
    detail = Detail.objects.get(entry_id=Entry.objects.get(action="request.answered").pk)
    assert b'"address":"203.0.113.7"' in bytes(detail.body)


@pytest.mark.parametrize(
    ("proxies", "headers", "claimed"),
    [
        (0, {}, ""),
        (0, {"HTTP_X_FORWARDED_FOR": "203.0.113.7"}, "203.0.113.7"),
        (0, {"HTTP_FORWARDED": "for=203.0.113.7"}, "for=203.0.113.7"),
        (0, {"HTTP_X_REAL_IP": "203.0.113.7"}, "203.0.113.7"),
        (1, {"HTTP_X_FORWARDED_FOR": "198.51.100.1"}, ""),  # our proxy's own entry claims nothing
        (1, {"HTTP_X_FORWARDED_FOR": "203.0.113.7, 198.51.100.1"}, "203.0.113.7"),
        (1, {"HTTP_X_FORWARDED_FOR": "198.51.100.1", "HTTP_X_REAL_IP": "198.51.100.1"}, ""),
    ],
)
def test_whom_a_client_claims_to_speak_for_is_what_stands_before_our_proxies(
    settings: Any, proxies: int, headers: dict[str, str], claimed: str
):
    settings.TRUSTED_PROXIES = proxies
    assert addresses.claimed(RequestFactory().get("/", **headers)) == claimed
