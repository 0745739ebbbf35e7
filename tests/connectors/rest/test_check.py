"""A connection test names each step, whose account it is and the system's own words; it never raises or hangs."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from tests.connectors.tools import rest
from tests.fakes.http import Answer, Request, serve

ME = {"path": "/me", "who": ["email", "name"], "anonymous": ["Guest"]}


def steps_of(handler: Any, **sections: Any) -> list[Any]:
    with serve(handler) as server:
        return list(rest(server.url, check=ME, **sections).check())


def test_a_working_account_is_named():
    steps = steps_of(lambda request: {"email": "ann@example.org"} if request.path == "/me" else [{"id": 1}])
    assert [(step.name, step.ok) for step in steps] == [
        ("resolve", True),
        ("connect", True),
        ("authenticate", True),
        ("read", True),
    ]
    assert steps[2].detail == "Signed in as ann@example.org."
    assert steps[3].detail == "Items: a record was read."


@pytest.mark.parametrize("who", [{}, {"email": None}, {"email": ""}, {"email": "guest"}, {"name": "Guest"}])
def test_a_wrong_key_that_is_read_as_anonymous_is_caught(who):
    steps = steps_of(lambda request: who if request.path == "/me" else [{"id": 1}])
    assert (steps[-1].name, steps[-1].ok) == ("authenticate", False)
    assert "did not accept" in steps[-1].detail


def test_a_wrong_password_shows_the_words_of_the_system():
    steps = steps_of(lambda request: Answer({"message": "bad credentials"}, 401))
    assert (steps[-1].name, steps[-1].ok, steps[-1].cause) == ("authenticate", False, "bad credentials")
    assert steps[-1].fix


def test_a_sign_in_page_is_a_failed_sign_in():
    steps = steps_of(lambda request: "<html><title>Log in</title><input type=password></html>")
    assert (steps[-1].name, steps[-1].ok) == ("authenticate", False)
    assert "Log in" in steps[-1].cause


def test_a_missing_right_shows_at_the_read_step():
    def handler(request: Request) -> Any:
        return {"email": "a"} if request.path == "/me" else Answer({"message": "no access to items"}, 403)

    steps = steps_of(handler)
    assert (steps[-1].name, steps[-1].ok, steps[-1].cause) == ("read", False, "no access to items")


def test_an_empty_stream_is_no_failure():
    steps = steps_of(lambda request: {"email": "a"} if request.path == "/me" else [])
    assert steps[-1].detail == "Items: no record is there."


def test_secrets_are_masked_in_what_is_shown():
    steps = steps_of(lambda request: Answer({"message": f"unknown key {request.headers['x-key']}"}, 401), auth=KEY)
    assert steps[-1].cause == "unknown key •••"


KEY = {"type": "header", "headers": {"X-Key": "${secret.token}"}}


@pytest.mark.parametrize(
    ("url", "name", "words"),
    [
        ("http://nowhere.invalid/api", "resolve", "cannot be resolved"),
        ("http://10.99.99.99/api", "resolve", "private network"),
        ("http://169.254.169.254/latest", "resolve", "metadata"),
        ("not an address", "resolve", "is not an address"),
        ("ftp://example.com", "resolve", "is not an address"),
    ],
)
def test_a_bad_address_fails_at_the_first_step(url, name, words):
    steps = list(rest(url, check=ME).check())
    assert [(step.name, step.ok) for step in steps] == [(name, False)]
    assert words in steps[0].detail


def test_a_closed_port_fails_to_connect():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        steps = list(rest(f"http://127.0.0.1:{taken.getsockname()[1]}", check=ME).check())
    assert [(step.name, step.ok) for step in steps] == [("resolve", True), ("connect", False)]
    assert "refused" in steps[1].detail


def test_the_whole_test_ends_within_five_seconds():
    started = time.monotonic()
    steps = steps_of(lambda request: Answer({"email": "a"}, delay_seconds=8))
    assert time.monotonic() - started < 6.5
    assert (steps[-1].name, steps[-1].ok) == ("authenticate", False)


def test_a_template_without_a_value_is_a_failed_step_not_a_crash():
    config = {"company": {"title": "Company", "required": False}}
    steps = steps_of(lambda request: {"email": "a"}, config=config, stream={"path": "/c/${config.company}/items"})
    assert (steps[-1].name, steps[-1].ok) == ("read", False)
    assert "config.company" in steps[-1].detail


def test_discovery_tells_declared_fields_and_guesses_the_others():
    streams = {
        "declared": {
            "path": "/declared",
            "key": "id",
            "fields": {"id": "string", "rate": {"type": "decimal", "title": "Rate"}},
        },
        "sampled": {"path": "/sampled", "key": "id", "incremental": {"cursor": "at", "query": {"s": "${cursor}"}}},
        "forbidden": {"path": "/forbidden"},
        "target": {"find": {"path": "/t"}, "write": {"create": {"path": "/t"}}},
        "keyed": {"path": "/declared", "write": {"upsert": {"path": "/t/${key}", "safety": "B"}}},
    }

    def handler(request: Request) -> Any:
        if request.path == "/forbidden":
            return Answer({"message": "no"}, 403)
        return [
            {"id": 1, "at": "2026-01-01T00:00:00Z", "on": "2026-01-01", "hours": 1.5, "a": {"b": [1], "c": True}},
            {"id": 2},
        ]

    with serve(handler) as server:
        found = {info.name: info for info in rest(server.url, streams=streams).discover()}
    assert [(f.path, f.type, f.title) for f in found["declared"].fields] == [
        ("id", "string", ""),
        ("rate", "decimal", "Rate"),
    ]
    assert {f.path: f.type for f in found["sampled"].fields} == {
        "id": "string",
        "at": "date-time",
        "on": "date",
        "hours": "decimal",
        "a.b": "array",
        "a.c": "boolean",
    }
    assert [f.path for f in found["sampled"].fields if f.required] == ["id"]
    assert (found["sampled"].key, found["sampled"].cursor) == (("id",), "at")
    assert found["forbidden"].fields == ()
    assert (found["target"].readable, found["target"].writable, found["target"].safety) == (False, True, "C")
    assert (found["keyed"].safety, found["keyed"].label) == ("B", "Keyed")
