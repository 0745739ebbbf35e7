"""A receiver is told until it has said that it knows; the same event has the same id; a failing receiver is left alone."""

from __future__ import annotations

import os
import re
import signal
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from hub.common import facts
from hub.common.errors import ConfigError
from hub.events import interests, keeping, ladder, posting, sending, services
from hub.events.models import Attempt, Event, Notification, Subscription
from tests.events.conftest import Receiver, World, subscribe, verify
from tests.fakes import http
from tests.sync import builders as build
from tests.sync import worlds
from tests.worker import eventually, running_worker

pytestmark = pytest.mark.django_db(transaction=True)
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "events.md"


def states() -> list[str]:
    return list(Notification.objects.order_by("pk").values_list("state", flat=True))


# What is sent ----------------------------------------------------------------------------------------------
def test_an_event_is_a_cloudevent_that_an_independent_verifier_accepts(world: World) -> None:
    world.firm.read(build.project_row(1))
    world.send()
    assert world.receiver.refused == 0
    (first,) = world.receiver.of("record.created")
    assert world.receiver.server.requests[0].headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert {k: first[k] for k in ("specversion", "type", "source", "subject", "datacontenttype")} == {
        "specversion": "1.0", "type": "syncline.record.created.v1", "source": "/syncline",
        "subject": "project/P-0001", "datacontenttype": "application/json",
    }  # fmt: skip
    assert first["data"]["record"]["name"] == "Project 1"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", first["time"])
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in first)  # what CloudEvents allows as a name
    assert states() == ["delivered"] * 2


def test_the_snippet_of_the_documents_accepts_an_event_and_refuses_a_changed_one(world: World) -> None:
    names: dict[str, Any] = {}
    exec(re.search(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)[1], names)
    world.firm.read(build.project_row(1))
    world.send()
    request, is_genuine = world.receiver.server.requests[0], names["is_genuine"]
    assert is_genuine(request.headers, request.body, world.receiver.secret)
    assert not is_genuine(request.headers, request.body + b" ", world.receiver.secret)
    assert not is_genuine(request.headers | {"webhook-timestamp": "1"}, request.body, world.receiver.secret)


def test_ids_only_means_no_record(domains: Any, receiver: Receiver) -> None:
    firm = worlds.make()
    found = subscribe(receiver, payload="ids", event_types=["record.created"])
    firm.read(build.project_row(1))
    sending.send_due(found.pk)
    assert set(receiver.told[0]["data"]) == {"entity", "id", "key", "version"}


def test_headers_are_sent_along_and_stand_in_no_kept_answer(domains: Any, receiver: Receiver) -> None:
    firm = worlds.make()
    found = subscribe(receiver, headers={"Authorization": "Bearer canary-4711"}, event_types=["record.created"])
    receiver.answers = [http.Answer({"echo": "canary-4711", "token": "theirs", "ok": False}, status=500)]
    firm.read(build.project_row(1))
    sending.send_due(found.pk)
    assert receiver.server.requests[0].headers["authorization"] == "Bearer canary-4711"
    kept = Attempt.objects.get()
    assert (kept.http_status, "canary" in kept.answer, "theirs" in kept.answer) == (500, False, False)
    assert '"ok":false' in kept.answer


def test_both_secrets_sign_until_the_older_one_is_dropped(world: World) -> None:
    older = world.receiver.secret
    newer = services.rotate_secret(subscription=world.again(), by=None)
    world.firm.read(build.project_row(1))
    world.send()
    request = world.receiver.server.requests[0]
    assert verify(older, request.headers, request.body) == verify(newer, request.headers, request.body)
    services.drop_previous(subscription=world.again(), by=None)
    world.receiver.secret = newer
    world.firm.read(build.project_row(2))
    world.send()
    last = world.receiver.server.requests[-1]
    verify(newer, last.headers, last.body)
    with pytest.raises(AssertionError):
        verify(older, last.headers, last.body)


def test_an_address_inside_is_not_called_unless_its_network_is_named(world: World) -> None:
    Subscription.objects.update(allowed_networks=[])
    world.firm.read(build.project_row(1))
    world.send()
    assert world.receiver.server.requests == []
    assert "this machine" in Attempt.objects.first().error


# Again -----------------------------------------------------------------------------------------------------
def test_a_lost_answer_is_followed_by_the_same_event_under_the_same_id(world: World) -> None:
    world.receiver.answers = [http.Answer(raw=b"HTTP/1.1 2")]
    world.firm.read(build.project_row(1))
    world.send()
    assert sorted(states()) == ["delivered", "pending"]
    world.due_now()
    world.send()
    told = [event["id"] for event in world.receiver.told]
    assert (len(told), len(set(told))) == (3, 2)
    assert states() == ["delivered"] * 2
    twice = Event.objects.get(uid=max(set(told), key=told.count).removeprefix("evt_"))
    attempts = Attempt.objects.filter(notification__event=twice).order_by("pk")
    assert [bool(attempt.error) for attempt in attempts] == [True, False]


def test_each_attempt_has_its_own_time_and_signature(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.receiver.answers = [http.Answer(status=500)]
    world.firm.read(build.project_row(1))
    world.send()
    later = time.time() + 100
    monkeypatch.setattr(posting.time, "time", lambda: later)
    world.due_now()
    world.send()
    requests = world.receiver.server.requests
    second = requests[-1]
    first = next(request for request in requests if request.headers["webhook-id"] == second.headers["webhook-id"])
    assert first is not second
    assert first.body == second.body
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


def test_what_concerns_one_record_goes_out_in_order_even_when_the_first_fails(
    domains: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder.random, "uniform", max)
    firm = worlds.make()
    found = subscribe(receiver, event_types=["record.created", "record.changed"])
    receiver.answers = [http.Answer(status=422)]
    for title in ("One", "Two", "Three"):
        firm.read(build.project_row(1, title=title))
    firm.read(build.project_row(1, title="Three"), build.project_row(2))
    sending.send_due(found.pk)
    assert {event["data"]["key"] for event in receiver.told[1:]} == {"P-0002"}
    Notification.objects.filter(state="pending").update(next_at="2026-01-01T00:00:00Z")
    sending.send_due(found.pk)
    of_one = [event for event in receiver.told[1:] if event["data"]["key"] == "P-0001"]
    assert [event["data"]["version"] for event in of_one] == [1, 2, 3]
    assert sorted(of_one, key=lambda event: event["sequence"]) == of_one


def test_a_receiver_that_is_down_is_tried_with_one_event_at_a_time(world: World) -> None:
    world.receiver.answers = [http.Answer(status=503)] * 50
    world.firm.read(*(build.project_row(n) for n in range(1, 31)))
    world.send()
    after_first = len(world.receiver.told)
    assert after_first <= sending.AT_ONCE
    assert world.again().rest_until > timezone.now()
    world.send()
    assert len(world.receiver.told) == after_first, "it rests"
    world.due_now()
    world.send()
    assert len(world.receiver.told) == after_first + 1
    assert world.again().failures == 2


def test_after_a_rest_everything_that_waited_is_sent(world: World) -> None:
    world.receiver.answers = [http.Answer(status=503)] * 8
    world.firm.read(*(build.project_row(n) for n in range(1, 31)))
    world.send()
    world.due_now()
    world.send()
    assert set(states()) == {"delivered"}
    assert world.again().failing_since is None


def test_a_refused_event_does_not_hold_up_the_others(world: World) -> None:
    world.receiver.answers = [http.Answer(status=400)]
    world.firm.read(build.project_row(1), build.project_row(2), build.project_row(3))
    world.send()
    assert sorted(states()) == ["delivered"] * 3 + ["pending"]
    assert world.again().rest_until is None


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed(world: World, status: int) -> None:
    world.receiver.answers = [http.Answer(status=status, headers={"Retry-After": "3600"})] * 8
    world.firm.read(build.project_row(1))
    world.send()
    in_an_hour = timezone.now() + timedelta(seconds=3_590)
    assert world.again().rest_until > in_an_hour
    assert Notification.objects.filter(attempts=1).first().next_at > in_an_hour
    assert sending.due_subscriptions() == []


def test_gone_switches_off_at_once_and_keeps_what_waits(world: World) -> None:
    told: list[str] = []
    facts.subscribe("subscription_disabled", lambda *, subscription, reason: told.append(reason))
    world.receiver.answers = [http.Answer(status=410)] * 2
    world.firm.read(build.project_row(1))
    world.send()
    assert "410" in world.again().disabled_reason
    assert len(told) == 1
    assert set(states()) == {"pending"}
    services.switch_on(subscription=world.again(), by=None)
    world.due_now()
    world.send()
    assert set(states()) == {"delivered"}


def test_a_receiver_that_fails_for_days_is_switched_off(world: World) -> None:
    world.receiver.answers = [http.Answer(status=500)] * 20
    world.firm.read(build.project_row(1))
    world.send()
    assert world.again().is_on
    Subscription.objects.update(failing_since=timezone.now() - sending.DISABLED_AFTER)
    world.due_now()
    world.send()
    assert not world.again().is_on
    assert "5 days" in world.again().disabled_reason


def test_an_event_is_given_up_at_the_end_of_its_ladder_and_may_be_sent_again(world: World) -> None:
    world.firm.read(build.project_row(1))
    Notification.objects.update(attempts=len(ladder.LADDER))
    world.receiver.answers = [http.Answer(status=422)] * 2
    world.send()
    assert states() == ["failed", "failed"]
    since = timezone.now() - timedelta(hours=1)
    assert services.send_failed(subscription=world.again(), since=timezone.now(), by=None) == 0
    assert services.send_failed(subscription=world.again(), since=since, by=None) == 2
    world.send()
    assert states() == ["delivered", "delivered"]
    ids = [event["id"] for event in world.receiver.told]
    assert len(set(ids)) == 2
    assert services.send_again(notification=Notification.objects.first(), by=None)
    assert not services.send_again(notification=Notification.objects.first(), by=None)


@given(attempts=st.integers(1, 40), asked=st.none() | st.floats(0, 86_400))
def test_the_ladder_waits_within_its_step_and_never_less_than_asked(attempts: int, asked: float | None) -> None:
    delay = ladder.delay_seconds(attempts, asked=asked)
    if attempts > len(ladder.LADDER):
        assert delay is None
    else:
        assert (asked or 0) <= delay <= max(ladder.LADDER[attempts - 1], asked or 0)


@given(failures=st.integers(1, 10_000))
def test_a_rest_grows_and_ends(failures: int) -> None:
    assert 0 < ladder.rest_seconds(failures) <= ladder.LONGEST_REST_SECONDS


# One sender, real workers ----------------------------------------------------------------------------------
def test_two_senders_never_work_for_one_subscription(world: World) -> None:
    world.firm.read(build.project_row(1))
    assert sending._claim(world.subscription.pk)
    world.send()
    assert world.receiver.told == []


def test_a_sender_that_was_overtaken_notes_nothing(world: World) -> None:
    world.firm.read(build.project_row(1))
    frozen = sending._claim(world.subscription.pk)
    assert frozen
    sender = sending.Sender(frozen, posting.client_of(frozen))
    Subscription.objects.update(lease_until="2026-01-01T00:00:00Z")
    world.send()
    with pytest.raises(sending.LostLease):
        sender.send_batch()
    sender.close()
    assert set(states()) == {"delivered"}


def test_a_test_event_takes_the_same_way(world: World) -> None:
    made = services.send_test(subscription=world.subscription, by=None)
    world.send()
    made.refresh_from_db()
    assert (made.state, world.receiver.types) == ("delivered", ["test"])
    Subscription.objects.update(is_active=False)
    with pytest.raises(ConfigError, match="switched off"):
        services.send_test(subscription=world.again(), by=None)


def test_a_real_worker_delivers_when_it_is_rung(world: World, tmp_path: Path) -> None:
    with running_worker(tmp_path / "worker.log"):
        world.firm.read(build.project_row(1))
        # The worker also hears that the target has work, and has no such system: one more event, in time or not.
        expected = {"record.created", "run.finished"}
        eventually(lambda: expected <= set(world.receiver.types), lambda: str(states()))


def test_a_killed_sender_loses_nothing_and_leaves_a_trace(world: World, tmp_path: Path) -> None:
    Subscription.objects.update(event_types=["record.created"])
    interests.forget()
    world.firm.read(*(build.project_row(n) for n in range(1, 21)))
    world.receiver.answers = [http.Answer(status=204, delay_seconds=60)] * sending.AT_ONCE
    with running_worker(tmp_path / "first.log") as pid:
        services.send_test(subscription=world.subscription, by=None)  # rings
        eventually(lambda: len(world.receiver.told) == sending.AT_ONCE, lambda: str(len(world.receiver.told)))
        os.killpg(os.getpgid(pid), signal.SIGKILL)
    assert Attempt.objects.filter(milliseconds__isnull=True).count() == sending.AT_ONCE
    Subscription.objects.update(lease_until="2026-01-01T00:00:00Z")  # the lease runs out
    assert sending.due_subscriptions() == [world.subscription.pk]
    world.send()
    assert set(states()) == {"delivered"}
    told = [event["id"] for event in world.receiver.told]
    assert len(set(told)) == Event.objects.count() == 21
    assert len(told) == 21 + sending.AT_ONCE


def test_old_events_go_and_those_that_wait_stay(world: World) -> None:
    world.firm.read(build.project_row(1))
    world.send()
    world.firm.read(build.project_row(2))
    Event.objects.update(at=timezone.now() - timedelta(days=keeping.KEPT_DAYS + 1))
    assert keeping.forget_old() == 2
    assert set(Notification.objects.values_list("state", flat=True)) == {"pending"}
    interests.forget()
