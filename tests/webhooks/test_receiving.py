"""The door: what is refused leaves no row, what is acknowledged is stored, and what comes again is known."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from django.db import OperationalError, connection

from hub.common import facts
from hub.records.models import CanonicalRecord
from hub.sync.models import Run, Transaction
from hub.webhooks import receiving, schemes, services
from hub.webhooks.models import Endpoint, Message
from tests.webhooks.conftest import World, deliver, make_endpoint

pytestmark = pytest.mark.django_db(transaction=True)


def signed(endpoint: Endpoint, body: bytes, *, at: float | None = None, message_id: str = "m1") -> dict[str, str]:
    return schemes.sign(endpoint, body, message_id=message_id, now=time.time() if at is None else at)[0]


def test_a_genuine_message_is_stored_then_acknowledged_then_rings_for_a_run(world: World) -> None:
    answer = world.post(world.envelope(world.row()))
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    message = Message.objects.get()
    assert (message.message_id, message.state) == ("m1", "new")
    run = Run.objects.get()
    assert (run.sync, run.trigger, run.status) == (world.firm.inbound, "event", "queued")


def test_the_acknowledgement_waits_for_the_commit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> tuple[bool, bool]:
        raise OperationalError("the database is gone")

    monkeypatch.setattr(receiving, "_store", broken)
    answer = world.post(world.envelope(world.row()))
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert not Message.objects.exists()


def test_a_run_that_cannot_be_started_takes_nothing_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(endpoint: Endpoint) -> None:
        raise RuntimeError("no bell")

    monkeypatch.setattr(receiving.waking, "wake", broken)
    assert world.send(world.row(), message_id="m1") == 202
    assert Message.objects.get().state == "new"


def test_a_known_message_is_acknowledged_without_a_second_effect(world: World) -> None:
    body = world.envelope(world.row())
    assert world.post(body).json() == {"status": "accepted"}
    world.work()
    assert world.post(body).json() == {"status": "known"}
    assert world.work() is None
    assert Transaction.objects.count() == CanonicalRecord.objects.count() == 1


def test_repetitions_by_eight_threads_are_one_effect_each(world: World) -> None:
    """40 messages, each sent one to five times, in whatever order eight threads bring them."""
    number, repeats = 40, 5
    todo = [(n, world.envelope(world.row(n))) for n in range(number) for _ in range(1 + n % repeats)]
    answers: list[tuple[int, str]] = []
    lock = threading.Lock()

    def bring() -> None:
        try:
            while True:
                with lock:
                    if not todo:
                        return
                    n, body = todo.pop(len(todo) * 7919 % 13 % len(todo))
                answer = world.post(body, message_id=f"m{n}")
                with lock:
                    answers.append((answer.status_code, answer.json()["status"]))
        finally:
            connection.close()

    threads = [threading.Thread(target=bring) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    world.work()
    assert {status for status, _ in answers} == {202}
    assert [word for _, word in answers].count("accepted") == number
    assert Message.objects.count() == CanonicalRecord.objects.count() == Transaction.objects.count() == number
    assert set(Message.objects.values_list("state", flat=True)) == {"done"}


# What is refused -------------------------------------------------------------------------------------------
def forged(world: World, body: bytes) -> dict[str, Any]:
    good = signed(world.endpoint, body)
    other = make_endpoint(world.firm, "other")
    stranger = Endpoint(scheme="standard", secrets={"current": schemes.new_secret("standard")})
    old, early = time.time() - 305, time.time() + 305
    proof = good["webhook-signature"]
    return {
        "no header at all": {},
        "no signature": {k: v for k, v in good.items() if k != "webhook-signature"},
        "no id": {k: v for k, v in good.items() if k != "webhook-id"},
        "no timestamp": {k: v for k, v in good.items() if k != "webhook-timestamp"},
        "another id": good | {"webhook-id": "m2"},
        "another timestamp": good | {"webhook-timestamp": str(int(time.time()) - 1)},
        "a timestamp that is no number": good | {"webhook-timestamp": "now"},
        "the secret of another endpoint": signed(other, body),
        "a wrong secret": signed(stranger, body),
        "too old": signed(world.endpoint, body, at=old),
        "from the future": signed(world.endpoint, body, at=early),
        "another version": good | {"webhook-signature": proof.replace("v1,", "v1a,")},
        "an empty signature": good | {"webhook-signature": "v1,"},
        "not ASCII": good | {"webhook-signature": "v1,sÿ"},
    }


def test_forged_stale_and_foreign_messages_are_refused_without_a_row(world: World) -> None:
    body = world.envelope(world.row())
    for name, headers in forged(world, body).items():
        answer = deliver(world.endpoint, body, headers=headers)
        assert answer.status_code == 401, name
    assert not Message.objects.exists()
    assert not Run.objects.exists()
    assert deliver(world.endpoint, body, headers=signed(world.endpoint, body)).status_code == 202


def test_a_changed_body_is_refused(world: World) -> None:
    body = world.envelope(world.row())
    for changed in (body + b" ", body.replace(b"1000.00", b"9000.00"), body[:-1]):
        assert deliver(world.endpoint, changed, headers=signed(world.endpoint, body)).status_code == 401
    assert not Message.objects.exists()


def test_a_refusal_is_one_fact_and_one_line_without_the_body(world: World, caplog: Any) -> None:
    told: list[dict[str, Any]] = []
    facts.subscribe("webhook_refused", told_to := lambda **details: told.append(details))
    try:
        deliver(world.endpoint, b'{"canary": "s3cret-body"}', headers={})
    finally:
        facts._subscribers["webhook_refused"].remove(told_to)
    assert [fact["endpoint"] for fact in told] == [world.endpoint]
    assert "refused a message" in caplog.text
    assert "s3cret-body" not in caplog.text + str(told)
    world.endpoint.refresh_from_db()
    assert world.endpoint.refused_reason


def test_a_replayed_message_has_no_effect_inside_the_window_and_is_refused_after_it(world: World) -> None:
    body = world.envelope(world.row())
    headers = signed(world.endpoint, body, at=time.time() - 290)
    assert deliver(world.endpoint, body, headers=headers).json()["status"] == "accepted"
    assert deliver(world.endpoint, body, headers=headers).json()["status"] == "known"
    Endpoint.objects.update(tolerance_seconds=200)
    assert deliver(world.endpoint, body, headers=headers).status_code == 401


def test_a_rotation_loses_no_message_and_ends_with_one_secret(world: World) -> None:
    body = world.envelope(world.row())
    before = Endpoint.objects.get()
    services.rotate_secret(endpoint=world.endpoint, by=None)
    now = Endpoint.objects.get()
    assert deliver(now, body, headers=signed(before, body)).status_code == 202
    assert deliver(now, body, headers=signed(now, body, message_id="m2")).status_code == 202
    both = signed(now, body, message_id="m3")
    old = signed(before, body, message_id="m3")["webhook-signature"]
    both["webhook-signature"] = f"v1a,xx {old} {both['webhook-signature']}"
    assert deliver(now, body, headers=both).status_code == 202
    services.drop_previous(endpoint=now, by=None)
    assert deliver(now, body, headers=signed(before, body, message_id="m4")).status_code == 401
    assert Message.objects.count() == 3


def test_an_endpoint_without_a_secret_refuses_everything(world: World) -> None:
    body = world.envelope(world.row())
    headers = signed(world.endpoint, body)
    Endpoint.objects.update(secrets={})
    assert deliver(world.endpoint, body, headers=headers).status_code == 401


def test_size_type_and_json_are_answered_in_their_own_words(world: World, settings: Any) -> None:
    body = world.envelope(world.row())
    good = signed(world.endpoint, body)
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded",
                 "application/json; charset=latin-1", "application/jsonp"):  # fmt: skip
        assert deliver(world.endpoint, body, headers=good, content_type=kind).status_code == 415, kind
    assert deliver(world.endpoint, body, headers=good | {"content-encoding": "gzip"}).status_code == 415
    broken = b"{not json"
    assert deliver(world.endpoint, broken, headers=signed(world.endpoint, broken)).status_code == 400
    settings.HUB_WEBHOOK_BYTES = len(body) - 1
    assert deliver(world.endpoint, body, headers=good).status_code == 413
    assert not Message.objects.exists()
    settings.HUB_WEBHOOK_BYTES = len(body)
    assert (
        deliver(world.endpoint, body, headers=good, content_type="application/json; charset=UTF-8").status_code == 202
    )


def test_nothing_is_parsed_before_it_is_proven(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "_parsed", lambda body: pytest.fail("parsed"))
    assert deliver(world.endpoint, b"{", headers={}).status_code == 401
    assert deliver(world.endpoint, b"{", headers={}, path="x" * 32).status_code == 404


def test_unknown_and_switched_off_addresses_look_alike(world: World) -> None:
    body = world.envelope(world.row())
    nowhere = deliver(world.endpoint, body, headers=signed(world.endpoint, body), path="n" * 32)
    Endpoint.objects.update(is_active=False)
    off = deliver(world.endpoint, body, headers=signed(world.endpoint, body))
    assert nowhere.status_code == off.status_code == 404
    assert nowhere.content == off.content


def test_only_post_is_taken_and_no_cookie_or_csrf_token_is_needed(world: World, client: Any) -> None:
    assert client.get(f"/in/{world.endpoint.path}/").status_code == 405
    assert client.post(f"/in/{world.endpoint.path}", data="{}", content_type="application/json").status_code == 401
    assert len(world.endpoint.path) * 6 >= 128


def test_proofs_and_secrets_are_not_kept_with_the_message(world: World) -> None:
    world.post(
        world.envelope(world.row()), headers={"authorization": "Bearer canary", "x-api-key": "canary", "x-a": "b"}
    )
    kept = Message.objects.get().headers
    assert kept["x-a"] == "b"
    assert "canary" not in json.dumps(kept)
    assert kept["webhook-signature"] == "•••••"


# Vendors' own schemes --------------------------------------------------------------------------------------
SCHEMES = {
    "Autotask": {"scheme": "hmac_sha1", "proof_name": "X-Hook-Signature", "prefix": "sha1=", "encoding": "base64"},
    "BambooHR": {"scheme": "hmac_sha256", "proof_name": "X-BambooHR-Signature", "signed_text": "body_time",
                 "timestamp_name": "X-BambooHR-Timestamp"},
    "timestamp and body": {"scheme": "hmac_sha256", "proof_name": "X-Sign", "signed_text": "time_body",
                           "timestamp_name": "X-Time", "prefix": "v0="},
    "Dataverse header": {"scheme": "static_header", "proof_name": "X-Webhook-Key"},
    "bearer": {"scheme": "static_header", "proof_name": "Authorization", "prefix": "Bearer "},
    "Dataverse key": {"scheme": "static_query", "proof_name": "code"},
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEMES)
def test_a_vendor_scheme_takes_its_own_and_refuses_the_rest(world: World, name: str) -> None:
    endpoint = make_endpoint(world.firm, "vendor", **SCHEMES[name])
    body = world.envelope(world.row())
    assert world.post(body, endpoint=endpoint).json() == {"status": "accepted"}
    headers, query = schemes.sign(endpoint, body, message_id="", now=time.time())
    for wrong in ({}, {name: f"{value}x" for name, value in headers.items()}):
        assert deliver(endpoint, body, headers=wrong, query={k: f"{v}x" for k, v in query.items()}).status_code == 401
    if endpoint.timestamp_name:
        old = schemes.sign(endpoint, body, message_id="", now=time.time() - 400)[0]
        assert deliver(endpoint, body, headers=old).status_code == 401
    assert Message.objects.count() == 1


def test_without_an_id_the_content_tells_a_repetition(world: World) -> None:
    endpoint = make_endpoint(world.firm, "vendor", **SCHEMES["Autotask"])
    body, other = world.envelope(world.row()), world.envelope(world.row(2))
    assert [world.post(one, endpoint=endpoint).json()["status"] for one in (body, body, other)] == [
        "accepted", "known", "accepted",
    ]  # fmt: skip


def test_an_id_inside_the_signed_body_tells_a_repetition(world: World) -> None:
    endpoint = make_endpoint(world.firm, "vendor", **SCHEMES["Autotask"], id_path="Guid")
    one, again = b'{"Guid": 7, "data": {"id": "1"}}', b'{"Guid": 7, "attempt": 2, "data": {"id": "1"}}'
    assert world.post(one, endpoint=endpoint).json()["status"] == "accepted"
    assert world.post(again, endpoint=endpoint).json()["status"] == "known"


def test_the_same_id_at_two_endpoints_is_two_messages(world: World) -> None:
    other = make_endpoint(world.firm, "other")
    body = world.envelope(world.row())
    assert world.post(body).json() == world.post(body, endpoint=other).json() == {"status": "accepted"}
