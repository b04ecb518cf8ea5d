"""Nobody reaches our own network by an address that they choose; nobody holds a thread by answering slowly."""

import datetime
import socket
import ssl
import time
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import example, given
from hypothesis import strategies as st

from gateway import outbound
from gateway.outbound import Unreachable, ask, may_be_asked
from tests.gateway.receiving import Receiver, say

HERE = "127.0.0.0/8"


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
        *("169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "240.0.0.1"),
        *("255.255.255.255", "192.0.0.1", "::", "::1", "::7f00:1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1"),
        *("fd12::1", "ff02::1", "2001:db8::1", "2001::1", "2002:7f00:1::", "64:ff9b::7f00:1", "100::1", "3fff::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:1"),
    ],
)
def test_what_is_private_is_not_asked(address, settings):
    settings.WEBHOOK_NETWORKS = []
    assert not may_be_asked(address)


@pytest.mark.parametrize("address", ["9.9.9.9", "93.184.215.14", "2606:2800:21f::1", "::ffff:9.9.9.9", "172.32.0.1"])
def test_what_is_public_is_asked_by_tls_alone(address, settings):
    settings.WEBHOOK_NETWORKS = []
    assert may_be_asked(address)
    assert not may_be_asked(address, tls=False)


def test_a_listed_network_is_asked_and_nothing_beside_it(settings):
    settings.WEBHOOK_NETWORKS = ["10.1.0.0/16", "fd00:1::/32"]
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd00:1::5"):
        assert may_be_asked(address, tls=False), address
    for address in ("10.2.0.1", "::ffff:10.2.0.1", "fd00:2::5", "127.0.0.1"):
        assert not may_be_asked(address), address


PRIVATE = [
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.168.0.0/16", "224.0.0.0/3"),
    )
]


@given(st.ip_addresses())
@example(IPv6Address("::ffff:127.0.0.1"))
@example(IPv4Address("223.255.255.255"))
def test_whatever_hides_a_private_address_is_not_asked(address):
    """Against a list of its own: what is asked is no private IPv4, however it is dressed, and only unicast IPv6."""
    asked = may_be_asked(str(address))
    plain = (address.ipv4_mapped or address) if address.version == 6 else address
    if plain.version == 4:
        if any(plain in network for network in PRIVATE):
            assert not asked
        assert asked == may_be_asked(f"::ffff:{plain}")
    elif asked:
        assert plain in ip_network("2000::/3")
        assert plain.sixtofour is None
        assert plain.teredo is None


@pytest.fixture
def receiver(settings):
    settings.WEBHOOK_NETWORKS = [HERE]
    made = Receiver()
    yield made
    made.close()


def test_it_is_sent_as_it_is_and_the_answer_comes_back(receiver):
    answer = ask("POST", receiver.url, body=b"words", headers={"X-One": "1"})
    assert (answer.status, answer.text) == (200, "thank you")
    (heard,) = receiver.heard
    assert (heard.body, heard.path, heard.headers["x-one"]) == (b"words", "/hooks?of=mine", "1")
    assert heard.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_a_redirect_is_an_answer_and_is_not_followed(receiver):
    receiver.answers = [lambda handler: say(handler, 302, b"", Location=receiver.url)]
    assert ask("POST", receiver.url).status == 302
    assert len(receiver.heard) == 1


def test_of_a_large_answer_a_kilobyte_is_read(receiver):
    def much(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(20_000):
            handler.wfile.write(b"x" * 65536)

    receiver.answers = [much]
    began = time.monotonic()
    assert ask("POST", receiver.url).text == "x" * 1024
    assert time.monotonic() - began < 1


def drip(handler):
    try:
        for _ in range(1000):
            handler.wfile.write(b"H")
            time.sleep(0.05)
    except OSError:
        pass


def stop(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"begun")
    time.sleep(1.5)


@pytest.mark.parametrize("slow", [drip, lambda handler: time.sleep(1.5)], ids=["trickles", "is silent"])
def test_who_answers_slowly_is_left(receiver, monkeypatch, slow):
    monkeypatch.setattr(outbound, "TOTAL", 0.4)
    receiver.answers = [slow]
    began = time.monotonic()
    with pytest.raises(Unreachable, match="did not answer"):
        ask("POST", receiver.url)
    assert time.monotonic() - began < 1


def test_a_status_that_was_heard_counts_although_the_body_never_ends(receiver, monkeypatch):
    monkeypatch.setattr(outbound, "TOTAL", 0.4)
    receiver.answers = [stop]
    assert ask("POST", receiver.url) == outbound.Answer(200, "begun")


def test_nobody_there_and_no_http(settings, receiver):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable, match="can't be reached"):
            ask("POST", f"http://127.0.0.1:{taken.getsockname()[1]}/")
    receiver.answers = [lambda handler: handler.wfile.write(b"220 mail.example.org ESMTP\r\n\r\n")]
    with pytest.raises(Unreachable, match="not HTTP"):
        ask("POST", receiver.url)
    receiver.answers = [lambda handler: None]
    with pytest.raises(Unreachable):
        ask("POST", receiver.url)
    with pytest.raises(Unreachable, match="resolved"):
        ask("POST", "https://no-such-name.invalid/")


def resolver(monkeypatch, *rounds):
    """A name whose addresses are others each time: what a rebinding name server answers."""
    left, asked = list(rounds), []

    def getaddrinfo(host, port, *args, **kwargs):
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    "found",
    [["127.0.0.1"], ["10.0.0.5"], ["::ffff:127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["::1"], ["169.254.169.254"]],
)
def test_a_name_for_something_private_is_not_connected_to(monkeypatch, settings, found):
    settings.WEBHOOK_NETWORKS = []
    resolver(monkeypatch, found)
    monkeypatch.setattr(socket.socket, "connect", lambda *args: pytest.fail("it was connected to"))
    with pytest.raises(Unreachable, match="private or a local"):
        ask("POST", "https://hooks.example.org/")


def test_a_name_that_means_something_else_a_moment_later_changes_nothing(monkeypatch, receiver):
    """Listed is one address alone: had the name been asked for twice, the other one would have been connected to."""
    asked = resolver(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
    assert ask("POST", f"http://hooks.example.org:{receiver.port}/").status == 200
    assert asked == ["hooks.example.org"]
    assert receiver.heard[0].headers["host"] == f"hooks.example.org:{receiver.port}"
    with pytest.raises(Unreachable, match="reached"):  # nobody listens at the second
        ask("POST", f"http://hooks.example.org:{receiver.port}/")


@pytest.fixture
def certificate(tmp_path):
    """A certificate for hooks.example.org that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example.org")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example.org")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "both.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def test_by_tls_the_name_is_asked_for_and_has_to_be_the_certificates(monkeypatch, settings, certificate):
    settings.WEBHOOK_NETWORKS = [HERE]
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    wanted = []
    tls.sni_callback = lambda sock, name, context: wanted.append(name)
    receiver = Receiver(tls)
    resolver(monkeypatch, ["127.0.0.1"])
    outbound._trust.cache_clear()
    try:
        with pytest.raises(Unreachable, match="No secure connection: self"):
            ask("POST", f"https://hooks.example.org:{receiver.port}/")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        outbound._trust.cache_clear()
        assert ask("POST", f"https://hooks.example.org:{receiver.port}/").status == 200
        with pytest.raises(Unreachable, match="No secure connection: Hostname mismatch"):
            ask("POST", f"https://other.example.org:{receiver.port}/")
        assert wanted == ["hooks.example.org", "hooks.example.org", "other.example.org"]
        assert [heard.headers["host"] for heard in receiver.heard] == [f"hooks.example.org:{receiver.port}"]
    finally:
        outbound._trust.cache_clear()
        receiver.close()


def test_no_proxy_of_the_environment_is_used(monkeypatch, receiver):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert ask("POST", receiver.url).status == 200
