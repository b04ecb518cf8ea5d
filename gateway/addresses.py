"""From where a request comes: the one place that reads it, for the log, for limits and for allauth."""

from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest


def of(request: HttpRequest) -> str:
    """The client's address, as text in its one spelling; "" when there is none.

    Each of TRUSTED_PROXIES proxies has appended whom it heard to X-Forwarded-For. What stands before those entries was
    written by the client, so it is never read; and a header with fewer entries did not come through all the proxies.
    """
    peer = _spelled(request.META.get("REMOTE_ADDR", ""))
    proxies: int = settings.TRUSTED_PROXIES
    heard = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if proxies == 0 or len(heard) < proxies:
        return peer
    return _spelled(heard[-proxies]) or peer


def claimed(request: HttpRequest) -> str:
    """For whom the client itself says that it asks: nothing to believe, but a proxy gives itself away by it."""
    proxies: int = settings.TRUSTED_PROXIES
    heard = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    said = [",".join(heard[:-proxies] if proxies else heard).strip()]
    if proxies == 0:
        said += [request.META.get(name, "") for name in ("HTTP_FORWARDED", "HTTP_X_REAL_IP")]
    return "|".join(said).strip("|")


def household(address: str) -> str:
    """What counts as one place: the address itself, of IPv6 its /64, of which one household has all."""
    return str(ip_network(f"{address}/64", strict=False)) if ":" in address else address


def _spelled(text: str) -> str:
    """`text` without port, brackets and zone, an IPv4 address in IPv6 dress as IPv4; "" when it is no address."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
