"""The one place that asks an address which somebody else has chosen. Whoever chose it must not reach our own network.

1. The name is resolved here, once, and every address that it has is looked at. Only what anybody in the internet could
   ask is asked: nothing private, local, shared, multicast or reserved, also not in IPv6 dress; else the network has to
   stand in WEBHOOK_NETWORKS. One address that does not, and nothing is asked: a name that has both kinds is a trick.
2. The connection goes to the very address that was looked at, and says by name whom it wants (SNI, Host): a name that
   means something else a moment later changes nothing.
3. No redirect is followed, no proxy of the environment is used, and of the answer a kilobyte is read. All of it takes
   TOTAL seconds at most, however slowly the other side trickles.

It waits for others: web processes never call `ask`.
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from gateway import networks

CONNECT, TOTAL = 5.0, 15.0  # seconds
READ = 1024  # bytes of an answer
# Global unicast of IPv6, less what leads elsewhere: Teredo and other protocols, documentation, 6to4.
UNICAST = ip_network("2000::/3")
ELSEWHERE = [ip_network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]


class Unreachable(Exception):
    """There was no answer. What it says is for the person to read who chose the address."""


@dataclass(frozen=True)
class Answer:
    """What came back: the status, and how the body begins."""

    status: int
    text: str


def ask(method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
    """Send one request to `url` and return the answer, whatever its status. Raises Unreachable."""
    until = time.monotonic() + TOTAL
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if tls else 80)
    connection = _Connection(host, port, tls=tls, until=until)
    try:
        connection.request(
            method,
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            body=body,
            headers={**(headers or {}), "Connection": "close"},
        )
        response = connection.getresponse()
        return Answer(response.status, _beginning(response))
    except TimeoutError:
        raise Unreachable(f"It did not answer within {TOTAL:.0f} s.") from None
    except ssl.SSLError as error:
        raise Unreachable(f"No secure connection: {getattr(error, 'verify_message', '') or error.reason}.") from None
    except (http.client.HTTPException, ValueError):
        raise Unreachable("What it answered is not HTTP.") from None
    except OSError as error:
        raise Unreachable(f"The connection broke: {error.strerror or type(error).__name__}.") from None
    finally:
        connection.end()


def may_be_asked(address: str, *, tls: bool = True) -> bool:
    """Whether this address may be asked: one of WEBHOOK_NETWORKS, or, by TLS, one that the whole internet could ask."""
    found = ip_address(address.partition("%")[0])  # with a zone it is of this machine's own link, and never public
    plain = (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
    return networks.hold(settings.WEBHOOK_NETWORKS, str(plain)) or (tls and _public(plain))


def _public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    return address in UNICAST and not any(address in network for network in ELSEWHERE)


class _Connection(http.client.HTTPConnection):
    """To an address that was looked at, with a deadline for everything."""

    def __init__(self, host: str, port: int, *, tls: bool, until: float) -> None:
        super().__init__(host, port)
        self.tls, self.until = tls, until
        self.default_port = 443 if tls else 80  # type: ignore[misc]
        self.open: socket.socket | None = None

    def connect(self) -> None:
        self.open = _reach(_addresses(self.host, self.port, tls=self.tls), until=self.until)
        if self.tls:
            self.open.settimeout(_left(self.until))
            self.open = _trust().wrap_socket(self.open, server_hostname=self.host)
        self.sock: Any = _Timed(self.open, self.until)

    def end(self) -> None:
        """Nothing more is read."""
        if self.open is not None:
            self.open.close()


class _Timed(io.RawIOBase):
    """A socket, as far as http.client needs one, whose every read and write ends at the deadline."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        super().__init__()
        self._sock, self._until = sock, until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self._until))
        return self._sock.recv_into(buffer)

    def sendall(self, data: Any) -> None:
        self._sock.settimeout(_left(self._until))
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def close(self) -> None:
        """The connection is closed by `end`, when the answer was read."""


def _addresses(host: str, port: int, *, tls: bool) -> list[tuple[int, Any]]:
    """What the name stands for, all of it looked at. Raises Unreachable."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError):
        raise Unreachable("Its name can't be resolved.") from None
    if not all(may_be_asked(str(where[0]), tls=tls) for *_, where in found):
        kind = "a private or a local one" if tls else "without https, in no network that the operator has listed"
        raise Unreachable(f"Its address is {kind}, and such are not asked.")
    return [(family, where) for family, *_, where in found]


def _reach(addresses: list[tuple[int, Any]], *, until: float) -> socket.socket:
    """A connection to the first of them that takes one, within CONNECT seconds for all. Raises Unreachable."""
    until = min(until, time.monotonic() + CONNECT)
    why = f"Nobody took the connection within {CONNECT:.0f} s."
    for family, where in addresses:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(_left(until))
            sock.connect(where)
        except TimeoutError:
            sock.close()
        except OSError as error:
            sock.close()
            why = f"It can't be reached: {error.strerror or type(error).__name__}."
        else:
            return sock
    raise Unreachable(why)


def _left(until: float) -> float:
    """Seconds until then. Raises TimeoutError when there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _beginning(response: http.client.HTTPResponse) -> str:
    """READ bytes of the body, or what comes of it in time: the status was heard, and that is what counts."""
    found = b""
    try:
        while len(found) < READ and (piece := response.read1(READ - len(found))):
            found += piece
    except (OSError, http.client.HTTPException, ValueError):
        pass
    return found.decode(errors="replace")


@cache
def _trust() -> ssl.SSLContext:
    """Whose certificates are believed: those that this machine believes (SSL_CERT_FILE names others)."""
    return ssl.create_default_context()
