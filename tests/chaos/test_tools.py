"""The tools of the catalogue: a proxy that breaks connections as told, and gates of the target that count what they refuse."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from hub.cli.paths import ROOT
from hub.sync.chaos import gates, lies
from hub.sync.chaos.faults import FAULTS
from hub.sync.chaos.gates import Bucket, Tokens
from hub.sync.chaos.proxy import Proxy, proxy


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(1024):
            self.request.sendall(data)


@pytest.fixture
def before_an_echo() -> Iterator[Proxy]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with proxy(("127.0.0.1", server.server_address[1])) as found:
            yield found
        server.shutdown()


def connect(found: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", found.port), timeout=5)


def said(client: socket.socket, words: bytes) -> bytes:
    client.sendall(words)
    return client.recv(1024)


def test_what_is_not_broken_passes(before_an_echo: Proxy) -> None:
    with connect(before_an_echo) as client:
        assert said(client, b"hello") == b"hello"


def test_a_reset_ends_every_open_connection(before_an_echo: Proxy) -> None:
    with connect(before_an_echo) as client:
        said(client, b"hello")
        assert before_an_echo.reset_all() == 1
        with pytest.raises(ConnectionResetError):
            said(client, b"again")


def test_a_cut_comes_after_the_word_and_before_its_answer_and_only_as_often_as_asked(before_an_echo: Proxy) -> None:
    before_an_echo.cut_at, before_an_echo.cuts_left = b"COMMIT", 1
    with connect(before_an_echo) as client:
        assert said(client, b"begin") == b"begin"
        with pytest.raises(ConnectionResetError):
            said(client, b"COMMIT")
    with connect(before_an_echo) as client:
        assert said(client, b"COMMIT") == b"COMMIT"
    assert before_an_echo.fired["cut_at"] == 1


def test_an_answer_is_cut_after_so_many_bytes(before_an_echo: Proxy) -> None:
    before_an_echo.cut_after = 4
    with connect(before_an_echo) as client, pytest.raises(ConnectionResetError):
        said(client, b"more than four")


def test_a_black_hole_takes_everything_and_gives_nothing(before_an_echo: Proxy) -> None:
    before_an_echo.is_black_hole = True
    with connect(before_an_echo) as client:
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            said(client, b"hello")
    assert before_an_echo.fired["swallowed"] == 1


def test_a_bucket_refuses_what_is_over_its_limit_and_counts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 1.0, 1.0, 2.0])
    monkeypatch.setattr(gates.time, "monotonic", lambda: next(clock))
    bucket = Bucket(2, looked_at=0.0)
    refused = [bool(bucket.refuses()) for _ in range(5)]
    assert refused == [True, False, False, True, False]
    assert bucket.figures()["over_limit_share"] == 0.4


def test_a_token_ends_and_a_revoked_sign_in_gets_none() -> None:
    tokens = Tokens(0.0)
    refused = tokens.refusal("/token", {})
    assert refused
    assert tokens.refusal("/rows", {"authorization": f"Bearer {refused[1]['access_token']}"})
    tokens.is_revoked = True
    assert (tokens.refusal("/token", {}) or (0,))[0] == 401


def test_every_way_to_be_busy_but_one_says_something_else() -> None:
    names = ("busy_429", "busy_date", "busy_garbage", "busy_bare")
    told = [gates.busy_headers(name).get("Retry-After") for name in names]
    assert len(set(told)) == len(names)
    assert told[-1] is None


def test_no_lie_names_a_row() -> None:
    """A lie that held an id would be the truth to whoever reads it."""
    whole = [body for _, body in lies.LIES.values() if body.endswith(b'"}')]
    assert not [body for body in whole if body.startswith(b'{"id"') and body.count(b"{") == 1]


def test_every_fault_has_a_name_of_its_own_and_stands_in_the_catalogue() -> None:
    table = (ROOT / "docs" / "chaos.md").read_text()
    assert not [name for name in FAULTS if f"| {name} |" not in table]
