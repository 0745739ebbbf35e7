"""Signatures and order, by properties."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.webhooks import schemes, versions
from hub.webhooks.models import Endpoint
from hub.webhooks.schemes import Incoming, Refused

KINDS = [
    {"scheme": "standard"},
    {"scheme": "hmac_sha256", "proof_name": "X-Sign", "encoding": "hex", "signed_text": "body"},
    {"scheme": "hmac_sha256", "proof_name": "X-Sign", "signed_text": "body_time", "timestamp_name": "X-Time"},
    {"scheme": "hmac_sha1", "proof_name": "X-Sign", "encoding": "base64", "prefix": "sha1="},
]
kinds = st.sampled_from(KINDS)
NOW = 1_795_500_000.0


def endpoint_of(kind: dict[str, str], *secrets: str) -> Endpoint:
    names = ("current", "previous")
    return Endpoint(**kind, tolerance_seconds=300, secrets=dict(zip(names, secrets, strict=False)))


def verify(endpoint: Endpoint, headers: dict[str, str], body: bytes, *, now: float = NOW) -> Any:
    return schemes.verify(endpoint, Incoming(headers, {}, body), now=now)


@given(kinds, st.binary(max_size=300), st.integers(-299, 299))
def test_what_is_signed_is_taken_within_the_window(kind: dict[str, str], body: bytes, drift: int) -> None:
    endpoint = endpoint_of(kind, schemes.new_secret(kind["scheme"]))
    headers, _ = schemes.sign(endpoint, body, message_id="msg_1", now=NOW + drift)
    assert verify(endpoint, headers, body)


@given(kinds, st.binary(min_size=1, max_size=100), st.integers(0, 10_000), st.integers(1, 255))
def test_one_changed_bit_anywhere_in_the_body_is_refused(kind: Any, body: bytes, place: int, flip: int) -> None:
    endpoint = endpoint_of(kind, schemes.new_secret(kind["scheme"]))
    headers, _ = schemes.sign(endpoint, body, message_id="msg_1", now=NOW)
    at = place % len(body)
    with pytest.raises(Refused):
        verify(endpoint, headers, body[:at] + bytes([body[at] ^ flip]) + body[at + 1 :])


@given(kinds, st.binary(max_size=100))
def test_another_secret_is_refused_and_each_of_two_live_ones_is_taken(kind: dict[str, str], body: bytes) -> None:
    new, old, other = (schemes.new_secret(kind["scheme"]) for _ in range(3))
    both = endpoint_of(kind, new, old)
    for secret in (new, old):
        headers, _ = schemes.sign(endpoint_of(kind, secret), body, message_id="msg_1", now=NOW)
        assert verify(both, headers, body)
    headers, _ = schemes.sign(endpoint_of(kind, other), body, message_id="msg_1", now=NOW)
    with pytest.raises(Refused):
        verify(both, headers, body)


@given(kinds, st.dictionaries(st.sampled_from(["webhook-signature", "webhook-id", "webhook-timestamp", "x-sign", "x-time"]),
                              st.text(st.characters(max_codepoint=255), max_size=60)))  # fmt: skip
def test_whatever_stands_in_the_headers_is_refused_and_breaks_nothing(kind: Any, headers: dict[str, str]) -> None:
    endpoint = endpoint_of(kind, schemes.new_secret(kind["scheme"]))
    with pytest.raises(Refused):
        verify(endpoint, headers, b"{}")


def test_the_example_of_standard_webhooks_holds() -> None:
    """Computed apart from our own code, so that both cannot be wrong together."""
    import base64
    import hashlib
    import hmac

    key = bytes(range(32))
    endpoint = endpoint_of({"scheme": "standard"}, "whsec_" + base64.b64encode(key).decode())
    stamp = str(int(time.time()))
    proof = base64.b64encode(hmac.new(key, f"msg_1.{stamp}.{{}}".encode(), hashlib.sha256).digest()).decode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": f"v1,{proof}"}
    assert verify(endpoint, headers, b"{}", now=time.time()).message_id == "msg_1"


@pytest.mark.parametrize(
    ("scheme", "secret"),
    [("standard", "whsec_c2hvcnQ="), ("standard", "no prefix"), ("hmac_sha256", "short"), ("static_header", " " * 40)],
)
def test_a_secret_that_could_be_guessed_is_not_taken(scheme: str, secret: str) -> None:
    assert schemes.secret_problem(scheme, secret)
    assert not schemes.secret_problem(scheme, schemes.new_secret(scheme))


moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@given(moments, moments)
def test_instants_are_ordered_as_times_not_as_text(one: datetime, other: datetime) -> None:
    left, right = versions.version_of(one.isoformat()), versions.version_of(str(other).replace("+00:00", "Z"))
    assert versions.is_older(left, right) == (one < other)


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
def test_counters_are_ordered_as_numbers(one: int, other: int) -> None:
    assert versions.is_older(versions.version_of(one), versions.version_of(str(other))) == (one < other)


@pytest.mark.parametrize(
    ("one", "other"),
    [(None, "2026-01-01"), ("", "5"), ("5", "2026-01-01T00:00:00Z"), ("abc", "abd"), (True, False), ({}, []),
     ("2026-13-45T00:00:00Z", "2026-01-01T00:00:00Z"), ("NaN", "1")],
)  # fmt: skip
def test_what_cannot_be_compared_is_older_than_nothing(one: Any, other: Any) -> None:
    left, right = versions.version_of(one), versions.version_of(other)
    assert not versions.is_older(left, right)
    assert not versions.is_older(right, left)
