"""Networks that somebody lists, and whether an address lies in one of them."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from gateway import refusals

LIMIT = 50  # a list is read with every request


def read(texts: Iterable[str]) -> list[str]:
    """What somebody wrote, each in its one spelling and once; a single address is a network of one.

    Raises BadNetwork, TooManyNetworks.
    """
    found = list(dict.fromkeys(_spelled(text) for text in map(str.strip, texts) if text))
    if len(found) > LIMIT:
        raise refusals.TooManyNetworks(limit=LIMIT, param="networks")
    return found


def hold(networks: Iterable[str], address: str) -> bool:
    """Whether `address` lies in one of `networks`. What is no address lies in none."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in ip_network(network) for network in networks)


def _spelled(text: str) -> str:
    try:
        if "%" in text:  # a zone of one machine
            raise ValueError
        return str(_plain(ip_network(text, strict=False)))
    except ValueError:
        raise refusals.BadNetwork(network=text[:60], param="networks") from None


def _plain(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """An IPv4 network in IPv6 dress as IPv4: addresses arrive undressed too (gateway.addresses)."""
    if isinstance(network, IPv6Network) and network.prefixlen >= 96 and (mapped := network.network_address.ipv4_mapped):
        return ip_network((int(mapped), network.prefixlen - 96))
    return network
