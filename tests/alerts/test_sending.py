"""Notices leave once: over real mail, a real webhook and a real chat on loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import override_settings
from django.utils import timezone

from hub.common.errors import ConfigError
from hub.sync.states import RunStatus
from monitoring.alerts import sending, services
from monitoring.alerts.channels import chat
from monitoring.models import AlertNotice, AlertRoute
from tests.alerts.builders import World
from tests.alerts.sinks import HttpSink, MailSink, http_sink, mail_sink

pytestmark = pytest.mark.django_db
LOOPBACK = ["127.0.0.1/32"]
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def world(domains: Any) -> World:
    return World()


@pytest.fixture
def mail() -> Iterator[MailSink]:
    with mail_sink() as sink, override_settings(
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=sink.port,
        EMAIL_USE_TLS=False,
        DEFAULT_FROM_EMAIL="Syncline <hub@firm.example>",
        HUB_URL="https://hub.firm.example/",
    ):  # fmt: skip
        yield sink


@pytest.fixture
def receiver() -> Iterator[HttpSink]:
    with http_sink() as sink:
        yield sink


def fail(world: World, **route: Any) -> AlertRoute:
    """Something is wrong, and one route is to be told."""
    world.rule("dead_letters")
    found = world.route(**route)
    world.dead("84200.00")
    world.look()
    return found


def due_now() -> None:
    AlertNotice.objects.filter(state="pending").update(due_at=Now())


def states() -> list[str]:
    return list(AlertNotice.objects.order_by("pk").values_list("state", flat=True))


def test_a_mail_names_the_money_and_leads_to_the_alert(world: World, mail: MailSink) -> None:
    fail(world, mail=["ada@firm.example", "olga@firm.example"])
    assert sending.send_due() == 1
    (sent,) = mail.mails
    assert sent["Subject"] == "Syncline: Warning: Rule of dead_letters: time-to-erp (GBP 84,200.00 in 1 record)"
    assert mail.recipients == [["ada@firm.example", "olga@firm.example"]]
    assert "https://hub.firm.example/alerts/" in sent.get_payload()
    assert sent["Message-ID"].startswith(f"<{AlertNotice.objects.get().message}@")
    assert states() == ["sent"]


def test_what_was_sent_is_not_sent_again(world: World, mail: MailSink) -> None:
    fail(world)
    sending.send_due()
    sending.send_due()
    world.look()
    sending.send_due()
    assert len(mail.mails) == 1


def test_what_is_due_together_leaves_together(world: World, mail: MailSink) -> None:
    """A digest is what has gathered until its hour: trouble and its end in one mail."""
    world.rule("failed_run")
    world.route(digest=AlertRoute.Digest.HOURLY, critical_at_once=False)
    world.now = world.now.replace(minute=10)
    world.ran(RunStatus.FAILED, error="The system does not answer.")
    world.look()
    world.ran()
    world.look()
    due = set(AlertNotice.objects.values_list("due_at", flat=True))
    assert due == {world.now.replace(minute=0, second=0) + timedelta(hours=1)}
    due_now()
    sending.send_due()
    (sent,) = mail.mails
    body = sent.get_payload()
    assert body.index("Warning: Rule of failed_run") < body.index("Recovered: Rule of failed_run")
    assert states() == ["sent", "sent"]


def test_a_mail_server_that_is_away_is_tried_again_and_then_given_up(world: World) -> None:
    fail(world)
    backend = "django.core.mail.backends.smtp.EmailBackend"
    with override_settings(EMAIL_BACKEND=backend, EMAIL_HOST="127.0.0.1", EMAIL_PORT=1):
        for _ in sending.LADDER:
            sending.send_due()
            notice = AlertNotice.objects.get()
            assert notice.state == "pending"
            assert notice.due_at > timezone.now()
            due_now()
        sending.send_due()
    notice.refresh_from_db()
    assert (notice.state, notice.attempts) == ("dead", len(sending.LADDER) + 1)
    assert "does not answer" in notice.error


def test_without_a_mail_server_the_notice_says_what_to_set(world: World) -> None:
    fail(world)
    with override_settings(EMAIL_HOST=""):
        sending.send_due()
    assert "HUB_EMAIL_URL" in AlertNotice.objects.get().error


def test_a_mail_whose_answer_is_lost_is_not_sent_again_by_itself(world: World, mail: MailSink) -> None:
    fail(world)
    mail.answer_data = ""
    sending.send_due()
    assert states() == ["unsure"]
    due_now()
    sending.send_due()
    assert len(mail.mails) == 1


def test_a_person_may_send_again_what_is_of_unknown_outcome(world: World, mail: MailSink, ada: Any) -> None:
    fail(world)
    mail.answer_data = ""
    sending.send_due()
    mail.answer_data = "250 Taken"
    assert services.send_again(AlertNotice.objects.get(), by=ada)
    assert not services.send_again(AlertNotice.objects.get(), by=ada)
    sending.send_due()
    assert (len(mail.mails), states()) == (2, ["sent"])
    assert mail.mails[0]["Message-ID"] == mail.mails[1]["Message-ID"]


def killed(*, handed: bool) -> None:
    """A worker claimed what is due, and was killed before or after it handed it over; its lease has run out."""
    ids = sending.claim()
    assert ids
    rows = list(AlertNotice.objects.filter(pk__in=ids))
    if handed:
        sending._hand_over(rows)
    AlertNotice.objects.filter(pk__in=ids).update(lease_until=Now() - timedelta(seconds=1))


def test_a_worker_killed_before_it_handed_a_mail_over_loses_nothing(world: World, mail: MailSink) -> None:
    fail(world)
    killed(handed=False)
    sending.send_due()
    assert (len(mail.mails), states()) == (1, ["sent"])


def test_a_worker_killed_after_it_handed_a_mail_over_sends_none_twice(world: World, mail: MailSink) -> None:
    """At most once: nobody knows whether it arrived, and the page says so."""
    fail(world)
    killed(handed=True)
    sending.send_due()
    assert (len(mail.mails), states()) == (0, ["unsure"])


def test_a_worker_killed_after_it_posted_a_webhook_posts_it_again_under_its_id(
    world: World, receiver: HttpSink
) -> None:
    """At least once: the receiver tells the repetition by the id."""
    fail(world, mail=[], webhook=receiver.url, allowed_networks=LOOPBACK)
    killed(handed=True)
    message = AlertNotice.objects.get().message
    sending.send_due()
    assert [body["id"] for body in receiver.bodies] == [str(message)]
    assert states() == ["sent"]


def test_a_claimed_notice_is_claimed_by_nobody_else(world: World) -> None:
    fail(world)
    assert sending.claim()
    assert sending.claim() == []


def test_a_webhook_is_signed_and_says_what_a_program_needs(world: World, receiver: HttpSink) -> None:
    fail(world, mail=[], webhook=receiver.url, allowed_networks=LOOPBACK, secrets={"webhook": SECRET})
    sending.send_due()
    (body,), (headers,) = receiver.bodies, receiver.headers
    (alert,) = body["alerts"]
    assert (alert["before"], alert["after"], alert["amount"], alert["currency"]) == ("ok", "warning", "84200", "GBP")
    assert headers["webhook-id"] == body["id"]
    assert headers["webhook-signature"].startswith("v1,")


def test_the_signature_can_be_checked(world: World) -> None:
    from monitoring.alerts.channels.webhook import _headers

    route = AlertRoute(secrets={"webhook": SECRET})
    message = uuid.uuid4()
    headers = _headers(route, message, b"{}")
    signed = f"{message}.{headers['webhook-timestamp']}.".encode() + b"{}"
    wanted = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"


def test_a_webhook_that_answers_an_error_is_posted_again_under_the_same_id(world: World, receiver: HttpSink) -> None:
    fail(world, mail=[], webhook=receiver.url, allowed_networks=LOOPBACK)
    receiver.statuses = [503]
    sending.send_due()
    assert states() == ["pending"]
    due_now()
    sending.send_due()
    assert len({body["id"] for body in receiver.bodies}) == 1
    assert states() == ["sent"]


def test_a_webhook_cannot_reach_this_machine_unless_the_route_allows_it(world: World, receiver: HttpSink) -> None:
    fail(world, mail=[], webhook=receiver.url)
    sending.send_due()
    assert receiver.bodies == []
    assert "closed to this connection" in AlertNotice.objects.get().error


def test_chat_goes_through_the_same_guard(world: World, receiver: HttpSink) -> None:
    host = receiver.url.removeprefix("http://").removesuffix("/alerts")
    address = f"gotify://{host}/AbCdEf123456789"
    route = fail(world, mail=[], secrets={"chat": address})
    sending.send_due()
    assert receiver.bodies == []
    assert "closed to this connection" in AlertNotice.objects.get().error
    AlertRoute.objects.filter(pk=route.pk).update(allowed_networks=LOOPBACK)
    due_now()
    sending.send_due()
    (body,) = receiver.bodies
    assert "GBP 84,200.00 in 1 record" in body["title"] + body["message"]
    assert states() == ["sent"]


def test_a_chat_that_refuses_is_tried_again(world: World, receiver: HttpSink) -> None:
    host = receiver.url.removeprefix("http://").removesuffix("/alerts")
    fail(world, mail=[], secrets={"chat": f"gotify://{host}/AbCdEf123456789"}, allowed_networks=LOOPBACK)
    receiver.statuses = [500]
    sending.send_due()
    notice = AlertNotice.objects.get()
    assert (notice.state, notice.error) == ("pending", "The chat answered 500.")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("mailto://user:pass@gmail.com", "mailto:// is no chat"),
        ("json://127.0.0.1/x", "json:// is no chat"),
        ("slack", "such as slack://"),
        ("pagerduty://", "has not the parts"),
    ],
)
def test_only_chats_are_chats(address: str, words: str) -> None:
    assert words in chat.problem(address)


def test_a_test_goes_to_every_channel_of_the_route(world: World, mail: MailSink, receiver: HttpSink, ada: Any) -> None:
    route = world.route(webhook=receiver.url, allowed_networks=LOOPBACK)
    services.test_fire(route, by=ada)
    sending.send_due()
    assert "Ada asked for this test" in mail.mails[0].get_payload()
    assert receiver.bodies[0]["type"] == "test"
    assert states() == ["sent", "sent"]


def test_a_route_without_a_channel_cannot_be_tested(world: World, ada: Any) -> None:
    with pytest.raises(ConfigError, match="no channel"):
        services.test_fire(world.route(mail=[]), by=ada)
