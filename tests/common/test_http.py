"""The outgoing client: nothing gets out to closed addresses, nothing endless gets in, and errors say what to do."""

from __future__ import annotations

import datetime as dt
import gzip
import ipaddress
import itertools
import socket
import ssl
import time
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub.common.egress import checked_addresses, guarded_socket_address, why_closed
from hub.common.errors import ConfigError, PermanentError, TransientError
from hub.common.http import HttpClient, NoAnswer, Redactor
from hub.common.wire import Clock, GuardedStream, parse_url
from tests.fakes.http import Answer, FakeServer, serve

LOOPBACK = ["127.0.0.0/8"]


@pytest.fixture
def client():
    client = HttpClient(allowed_networks=LOOPBACK, timeout_seconds=5)
    yield client
    client.close()


# --- addresses -----------------------------------------------------------------------------------------------------

CLOSED = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.1.2.3 169.254.0.1
169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1
198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16
:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 64:ff9b::7f00:1
64:ff9b:1::1 100::1 2001::1 2001:0:53aa:64c::1 2001:db8::1 2002:a9fe:a9fe::1 2002:7f00:1:: 2002:a00:1::1 3fff::1
5f00::1 fc00::1 fd00:ec2::254 fdff::1 fe80::1 febf::1 fec0::1 ff02::1 ff0e::1
"""
OPEN = """
8.8.8.8 1.1.1.1 100.63.255.255 100.128.0.0 172.15.0.1 172.32.0.1 192.0.1.1 198.17.0.1 198.20.0.1 2606:4700::1
::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1
"""


@pytest.mark.parametrize("address", CLOSED.split())
def test_a_closed_address_is_refused(address):
    assert why_closed(ipaddress.ip_address(address))
    with pytest.raises(ConfigError) as caught:
        checked_addresses(address, 80)
    assert caught.value.code == "PRIVATE_ADDRESS"


@pytest.mark.parametrize("address", OPEN.split())
def test_a_public_address_is_open(address):
    assert checked_addresses(address, 443) == [str(ipaddress.ip_address(address))]


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "::ffff:169.254.169.254"])
def test_no_allow_list_opens_cloud_metadata(address):
    with pytest.raises(ConfigError, match="metadata"):
        checked_addresses(address, 80, ["0.0.0.0/0", "::/0"])


def test_an_allowed_network_opens_its_addresses_and_no_others():
    assert guarded_socket_address("10.1.2.3", 5432, ["10.1.0.0/16"]) == ("10.1.2.3", 5432)
    with pytest.raises(ConfigError) as caught:
        guarded_socket_address("10.2.0.1", 5432, ["10.1.0.0/16"])
    assert "10.2.0.1/32" in caught.value.fix


def test_a_network_that_cannot_be_read_is_named():
    with pytest.raises(ConfigError, match=r"'10\.1' is not a network"):
        checked_addresses("10.1.2.3", 80, ["10.1"])


@pytest.mark.parametrize(
    "host", ["0x7f000001", "2130706433", "0177.0.0.1", "127.1", "localhost", "localhost.", "[::1]"]
)
def test_odd_spellings_of_loopback_do_not_get_out(host):
    with serve(lambda request: "never") as server:
        url = f"http://{host}:{server.url.rpartition(':')[2]}/"
        with pytest.raises((ConfigError, TransientError)):
            HttpClient(timeout_seconds=2).send("GET", url)
        assert server.requests == []


def test_one_closed_address_among_many_closes_the_name(monkeypatch):
    def answer(host, port, **options):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("8.8.8.8", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with pytest.raises(ConfigError, match=r"10\.0\.0\.1"):
        checked_addresses("mixed.example.com", 443)


def test_a_name_is_resolved_once_and_used_as_checked(monkeypatch):
    answers = itertools.chain(["127.0.0.1"], itertools.repeat("10.9.9.9"))
    asked = []

    def resolve(host, port, **options):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    with serve(lambda request: {"host": request.headers["host"]}) as server:
        port = server.url.rpartition(":")[2]
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        client = HttpClient(allowed_networks=LOOPBACK)
        assert client.send("GET", f"http://rebound.example.com:{port}/").status == 200
        assert client.send("GET", f"http://rebound.example.com:{port}/").status == 200
    assert asked == ["rebound.example.com"]
    assert server.requests[0].headers["host"] == f"rebound.example.com:{port}"


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "gopher://x/", "ftp://x/", "http://", "//x/y", "x", "http://a\\@b/", "http://a/\r\nX: y"],
)
def test_what_is_not_a_web_address_is_refused(url):
    with pytest.raises(ConfigError) as caught:
        parse_url(url)
    assert caught.value.code == "URL"


def test_credentials_in_an_address_are_refused():
    with pytest.raises(ConfigError, match="user name"):
        parse_url("https://user:secret@example.com/")


def test_a_host_name_of_another_script_travels_as_ascii():
    assert parse_url("https://bücher.example/ü?q=ä b").host == "xn--bcher-kva.example"
    assert parse_url("https://bücher.example/ü?q=ä b").url.target == b"/%C3%BC?q=%C3%A4%20b"


# --- answers -------------------------------------------------------------------------------------------------------


def test_connections_are_kept_alive(client):
    with serve(lambda request: {"ok": True}) as server:
        for _ in range(5):
            client.send("GET", f"{server.url}/x")
        assert server.connections == 1


def test_a_redirect_is_not_followed(client):
    with serve(lambda request: Answer(status=302, headers={"Location": "http://10.0.0.1/"})) as server:
        assert client.send("GET", server.url).status == 302
        assert len(server.requests) == 1


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, lambda data: zlib.compress(data)[2:-4]])
def test_compressed_answers_are_unfolded(client, pack):
    packed = pack(b'{"a": 1}' * 1000)
    encoding = "gzip" if packed[:2] == b"\x1f\x8b" else "deflate"
    with serve(lambda request: Answer(packed, headers={"Content-Encoding": encoding})) as server:
        assert client.send("GET", server.url).body == b'{"a": 1}' * 1000


def test_a_gzip_answer_of_several_members_is_read_whole(client):
    packed = gzip.compress(b"one ") + gzip.compress(b"two")
    with serve(lambda request: Answer(packed, headers={"Content-Encoding": "gzip"})) as server:
        assert client.send("GET", server.url).body == b"one two"


def test_a_gzip_bomb_is_stopped_before_it_unfolds():
    bomb = gzip.compress(b"\0" * 50_000_000, 9)
    client = HttpClient(allowed_networks=LOOPBACK, max_response_bytes=1_000_000)
    with serve(lambda request: Answer(bomb, headers={"Content-Encoding": "gzip"})) as server:
        tracemalloc.start()
        with pytest.raises(PermanentError) as caught:
            client.send("GET", server.url)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
        tracemalloc.stop()
    assert caught.value.code == "TOO_LARGE"
    assert "max_response_bytes" in caught.value.fix


def test_an_endless_answer_is_stopped():
    def endless():
        yield b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
        yield from itertools.repeat(b"x" * 65536)

    client = HttpClient(allowed_networks=LOOPBACK, max_response_bytes=2_000_000)
    with serve(lambda request: Answer(raw=endless())) as server, pytest.raises(PermanentError, match="larger than"):
        client.send("GET", server.url)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b""])
def test_a_slow_drip_ends_at_the_time_limit(head):
    client = HttpClient(allowed_networks=LOOPBACK, timeout_seconds=0.5)
    drip = Answer(raw=iter([head + b"HTTP/1.1 200 OK\r\nX-Slow: " + b"y" * 1000]), drip_seconds=0.05)
    with serve(lambda request: drip) as server:
        started = time.monotonic()
        with pytest.raises(NoAnswer) as caught:
            client.send("POST", server.url)
        assert time.monotonic() - started < 3
    assert (caught.value.code, caught.value.maybe_done) == ("TIMEOUT", True)


def test_headers_without_end_are_refused(client):
    with (
        serve(lambda request: Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X-Junk: " + b"y" * 300_000)) as server,
        pytest.raises(NoAnswer),
    ):
        client.send("GET", server.url)


def test_an_answer_that_is_cut_short_is_no_answer(client):
    cut = Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    with serve(lambda request: cut) as server:
        with pytest.raises(NoAnswer) as caught:
            client.send("POST", server.url, body=b"{}")
        assert caught.value.maybe_done
        assert len(server.requests) == 1


def test_a_read_is_repeated_once_when_the_connection_breaks(client):
    answers = iter([Answer(raw=b""), Answer({"ok": 1})])
    with serve(lambda request: next(answers)) as server:
        assert client.send("GET", server.url).status == 200
        assert len(server.requests) == 2


def test_a_closed_port_says_that_nothing_was_sent(client):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(NoAnswer) as caught:
        client.send("POST", f"http://127.0.0.1:{port}/x?key=secret")
    assert not caught.value.maybe_done
    assert caught.value.code == "CONNECT"
    assert caught.value.where == f"POST http://127.0.0.1:{port}/x"


def test_a_name_that_does_not_exist_is_named(client):
    with pytest.raises(TransientError, match=r"nowhere\.invalid cannot be resolved") as caught:
        client.send("GET", "http://nowhere.invalid/")
    assert caught.value.code == "DNS"


def test_plain_http_behind_https_is_a_tls_error(client):
    with serve(lambda request: "x") as server, pytest.raises(ConfigError) as caught:
        client.send("GET", server.url.replace("http:", "https:"))
    assert caught.value.code == "TLS"


def test_a_header_with_foreign_characters_is_explained(client):
    with serve(lambda request: "x") as server, pytest.raises(ConfigError, match="X-Key"):
        client.send("GET", server.url, headers={"X-Key": "abc\u2013def"})


def test_a_line_end_in_a_header_is_refused(client):
    with serve(lambda request: "x") as server, pytest.raises(ConfigError):
        client.send("GET", server.url, headers={"X-Key": "abc\r\nX-Evil: 1"})


def test_several_cookies_stay_apart(client):
    raw = (
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Expires=Wed, 09 Jun 2027\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n"
    )
    with serve(lambda request: Answer(raw=raw)) as server:
        assert client.send("GET", server.url).headers["set-cookie"].split("\n")[1] == "b=2"


def test_secrets_are_masked_in_every_form():
    redact = Redactor(["s3cr/et key", "abc"])
    text = redact("plain s3cr/et key, quoted s3cr%2Fet%20key, basic czNjci9ldCBrZXk, short abc")
    assert text == "plain •••, quoted •••, basic •••, short abc"


# --- TLS -----------------------------------------------------------------------------------------------------------


def self_signed(folder, name):
    """A certificate for `name` that no authority signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(today)
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    text = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + certificate.public_bytes(pem)
    path = folder / "certificate.pem"
    path.write_bytes(text)
    return path


@pytest.fixture
def secure_server(tmp_path, monkeypatch):
    """(port, server names that clients asked for, certificate) of a TLS server called erp.example.com."""
    path = self_signed(tmp_path, "erp.example.com")
    asked = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    context.sni_callback = lambda connection, name, context: asked.append(name)
    server = FakeServer(lambda request: {"host": request.headers["host"]}, tls=context)
    local = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: local)
    yield int(server.url.rpartition(":")[2]), asked, path
    server.close()


def test_a_certificate_that_nobody_vouches_for_is_refused(client, secure_server):
    port, *_ = secure_server
    with pytest.raises(ConfigError, match="self-signed certificate") as caught:
        client.send("GET", f"https://erp.example.com:{port}/")
    assert caught.value.code == "TLS"


def test_the_name_is_kept_although_the_address_is_used(client, secure_server, monkeypatch):
    port, asked, path = secure_server
    trusting = ssl.create_default_context(cafile=path)
    monkeypatch.setattr(client._pool, "_ssl_context", trusting)
    answer = client.send("GET", f"https://erp.example.com:{port}/")
    assert answer.body == f'{{"host": "erp.example.com:{port}"}}'.encode()
    assert asked == ["erp.example.com"]
    with pytest.raises(ConfigError, match=r"(?i)hostname mismatch"):
        client.send("GET", f"https://other.example.com:{port}/")


# --- many threads --------------------------------------------------------------------------------------------------


def test_a_connection_whose_answer_comes_in_is_not_taken_for_one_that_was_closed():
    clock = Clock()
    clock.start(5, 5)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stream = GuardedStream(ours, clock)
        stream.write(b"GET / HTTP/1.1\r\n\r\n")
        theirs.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        assert stream.get_extra_info("is_readable") is False
        assert stream.read(1_000).startswith(b"HTTP/1.1 200")
        clock.release()
        assert stream.get_extra_info("is_readable") is False
        theirs.close()
        assert stream.get_extra_info("is_readable") is True


def test_many_threads_share_few_connections_and_no_request_is_broken():
    with serve(lambda request: Answer({"ok": True})) as server:
        client = HttpClient(allowed_networks=LOOPBACK, timeout_seconds=20, max_connections=4)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: client.send("POST", f"{server.url}/{n}", body=b"{}"), range(400)))
        client.close()
    assert [answer.status for answer in answers] == [200] * 400
    assert len(server.requests) == 400
