"""A vendor's question about an address is answered where the webhook is set up for it, and nowhere else."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from django.test import Client

from hub.webhooks import schemes
from hub.webhooks.models import Endpoint, Message
from tests.webhooks.conftest import World, deliver, make_endpoint

pytestmark = pytest.mark.django_db(transaction=True)


def address(endpoint: Endpoint) -> str:
    return f"/in/{endpoint.path}/"


def test_the_validation_token_comes_back_as_plain_text(world: World) -> None:
    graph = make_endpoint(world.firm, "graph", handshake="validation_token")
    answer = Client().post(f"{address(graph)}?validationToken=%3Cb%3E+a%2Fb", content_type="text/plain")
    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, b"<b> a/b", "text/plain")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert not Message.objects.exists()


def test_a_secret_in_the_address_is_asked_for_in_the_handshake_too(world: World) -> None:
    central = make_endpoint(
        world.firm, "bc", scheme="static_query", proof_name="code", handshake="validation_token", event_mode="hint"
    )
    secret = central.secrets["current"]
    assert Client().post(f"{address(central)}?code={secret}&validationToken=t").content == b"t"
    assert Client().post(f"{address(central)}?code=wrong&validationToken=t").status_code != 200


@pytest.mark.parametrize("handshake", ["", "cloudevents", "challenge", "hub_challenge", "intent"])
def test_no_token_is_echoed_where_it_was_not_asked_for(world: World, handshake: str) -> None:
    Endpoint.objects.update(handshake=handshake)
    answer = Client().post(f"{address(world.endpoint)}?validationToken=t", b"{}", content_type="application/json")
    assert (answer.status_code, b'"t"' in answer.content) == (401, False)


@pytest.mark.parametrize("method", ["get", "options", "put", "delete", "head"])
def test_other_methods_are_refused_without_a_handshake(world: World, method: str) -> None:
    assert getattr(Client(), method)(address(world.endpoint)).status_code == 405


def test_a_sender_of_cloudevents_gets_consent(world: World) -> None:
    Endpoint.objects.update(handshake="cloudevents")
    answer = Client().options(address(world.endpoint), headers={"WebHook-Request-Origin": "events.example.com"})
    assert (answer["WebHook-Allowed-Origin"], answer["WebHook-Allowed-Rate"]) == ("events.example.com", "*")
    assert Client().options(address(world.endpoint)).status_code == 405


def test_a_cloudevent_is_a_message(world: World) -> None:
    body = world.envelope(world.row())
    headers, _ = schemes.sign(world.endpoint, body, message_id="m1", now=time.time())
    assert (
        deliver(world.endpoint, body, headers=headers, content_type="application/cloudevents+json").status_code == 202
    )


def v0_signed(secret: str, body: bytes, names: tuple[str, str]) -> dict[str, str]:
    """As Slack and Zoom describe it."""
    stamp = str(int(time.time()))
    proof = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {names[0]: f"v0={proof}", names[1]: stamp}


def v0_endpoint(world: World, names: tuple[str, str], handshake: str) -> Endpoint:
    return make_endpoint(
        world.firm, handshake.replace("_", "-"), scheme="hmac_sha256", proof_name=names[0], timestamp_name=names[1],
        signed_text="v0", prefix="v0=", handshake=handshake,
    )  # fmt: skip


def test_a_signed_challenge_is_answered_and_a_forged_one_is_not(world: World) -> None:
    names = ("x-slack-signature", "x-slack-request-timestamp")
    slack = v0_endpoint(world, names, "challenge")
    body = json.dumps({"type": "url_verification", "challenge": "3eZbrw"}).encode()
    answer = deliver(slack, body, headers=v0_signed(slack.secrets["current"], body, names))
    assert (answer.status_code, answer.json()) == (200, {"challenge": "3eZbrw"})
    assert deliver(slack, body, headers=v0_signed("another secret of theirs", body, names)).status_code == 401
    assert not Message.objects.exists()


def test_a_token_is_encrypted_with_the_secret(world: World) -> None:
    names = ("x-zm-signature", "x-zm-request-timestamp")
    zoom = v0_endpoint(world, names, "plain_token")
    secret = zoom.secrets["current"]
    body = json.dumps({"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8"}}).encode()
    answer = deliver(zoom, body, headers=v0_signed(secret, body, names)).json()
    assert answer == {
        "plainToken": "qgg8", "encryptedToken": hmac.new(secret.encode(), b"qgg8", hashlib.sha256).hexdigest()
    }  # fmt: skip


def test_a_challenge_is_answered_to_who_knows_the_secret(world: World) -> None:
    meta = make_endpoint(
        world.firm, "meta", scheme="hmac_sha256", proof_name="X-Hub-Signature-256", handshake="hub_challenge"
    )
    query: dict[str, Any] = {"hub.mode": "subscribe", "hub.challenge": "1158201444"}
    good = Client().get(address(meta), query | {"hub.verify_token": meta.secrets["current"]})
    assert good.content == b"1158201444"
    assert Client().get(address(meta), query | {"hub.verify_token": "guess"}).status_code == 405


def test_the_intent_to_receive_is_200_to_what_is_signed_and_401_to_the_rest(world: World) -> None:
    xero = make_endpoint(
        world.firm, "xero", scheme="hmac_sha256", proof_name="x-xero-signature", encoding="base64", handshake="intent",
        event_mode="hint",
    )  # fmt: skip
    body = b'{"events": [], "firstEventSequence": 0}'
    headers, _ = schemes.sign(xero, body, message_id="", now=time.time())
    assert deliver(xero, body, headers=headers).status_code == 200
    assert deliver(xero, body, headers={"x-xero-signature": "Zm9yZ2Vk"}).status_code == 401
