"""Write-offs: a reason, a typed word, and above the limit a second person, however the amount is cut."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from governance.models import AuditEntry
from hub.common.errors import ConfigError, PermanentError
from hub.sync.models import Delivery
from monitoring.exceptions import choosing, jobs, writeoffs
from monitoring.exceptions.writeoffs import Asked, Before, why_approval
from monitoring.models import ExceptionItem, WriteOff
from tests.exception_acts import builders as build
from tests.sync import builders as rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def limit(settings, domains):
    settings.HUB_WRITE_OFF_AMOUNT = 1_000
    build.firm()


def ask(by, **more):
    asked = {key: str(value) for key, value in more.pop("asked", {}).items()}
    usual = {"reason_code": "goodwill", "reason": "The client was right.", "typed": "write off"}
    return writeoffs.request(choosing.of(asked), by=by, **{**usual, **more})


def states():
    return sorted(ExceptionItem.objects.values_list("state", flat=True))


def finish(write_off):
    job = write_off.jobs.get()
    build.finish(job)
    return job


def test_a_small_one_is_booked_at_once(finn):
    build.items(3)
    made = ask(finn)
    assert (made.state, made.number, made.amount_firm) == ("booked", 3, 300)
    finish(made)
    item = ExceptionItem.objects.first()
    assert (item.state, item.resolution, item.resolved_by) == ("written_off", "written_off", finn)
    assert "The client was right." in item.events.last().text
    item.group.refresh_from_db()
    assert item.group.open_items == 0
    assert AuditEntry.objects.filter(act="write_off.approved_by_limit").count() == 1


def test_a_large_one_waits_and_nothing_is_written_off(finn):
    build.items(2, amount=Decimal(600), amount_firm=Decimal(600))
    made = ask(finn)
    assert made.is_waiting
    assert "1,200.00 EUR within 24 hours" in made.approval
    assert states() == ["approval", "approval"]
    assert not made.jobs.exists()


def test_a_second_person_agrees(finn, grace):
    build.item(amount_firm=Decimal(1_001))
    made = ask(finn)
    assert writeoffs.approve(write_off=made, by=grace)
    finish(made)
    assert states() == ["written_off"]
    made.refresh_from_db()
    assert (made.state, made.decided_by) == ("booked", grace)


def test_nobody_agrees_to_their_own(make_person):
    both = make_person("Both", "finance", "approver")
    build.item(amount_firm=Decimal(1_001))
    made = ask(both)
    with pytest.raises(ConfigError, match="of their own"):
        writeoffs.approve(write_off=made, by=both)
    with pytest.raises(ConfigError, match="of their own"):
        writeoffs.decline(write_off=made, by=both, note="No.")
    assert states() == ["approval"]
    assert not writeoffs.may_decide(made, both)


def test_who_may_decide_elsewhere_only_does_not_decide_here(finn, make_person, grace):
    otto = make_person("Otto", ("approver", "billing-gl"))
    build.item(amount_firm=Decimal(1_001))
    made = ask(finn)
    assert not writeoffs.may_decide(made, otto)
    assert writeoffs.may_decide(made, grace)


def test_a_decline_needs_a_reason_and_opens_everything_again(finn, grace):
    build.item(amount_firm=Decimal(1_001))
    made = ask(finn)
    with pytest.raises(ConfigError, match="why you decline"):
        writeoffs.decline(write_off=made, by=grace, note=" ")
    assert writeoffs.decline(write_off=made, by=grace, note="Bill it.")
    assert not writeoffs.approve(write_off=made, by=grace)
    assert states() == ["open"]


def test_who_asked_takes_it_back(finn, grace):
    build.item(amount_firm=Decimal(1_001))
    made = ask(finn)
    with pytest.raises(ConfigError, match="Only who asked"):
        writeoffs.withdraw(write_off=made, by=grace)
    assert writeoffs.withdraw(write_off=made, by=finn)
    assert states() == ["open"]


def test_what_waits_is_not_asked_for_twice(finn):
    build.item(amount_firm=Decimal(1_001))
    ask(finn)
    with pytest.raises(ConfigError, match="Nothing is left"):
        ask(finn)
    assert WriteOff.objects.count() == 1


def test_the_same_token_is_the_same_write_off(finn):
    build.item()
    assert ask(finn, token="t-1") == ask(finn, token="t-1")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reason": " "}, "Say why"),
        ({"reason_code": "because"}, "Choose why"),
        ({"typed": "yes"}, "Type WRITE OFF"),
        ({"expect": 2}, "1 now, not 2"),
    ],
)
def test_nothing_happens_without_reason_confirmation_and_a_look(finn, change, message):
    build.item()
    with pytest.raises(ConfigError, match=message):
        ask(finn, **change)
    assert states() == ["open"]
    assert not WriteOff.objects.exists()


def test_an_amount_without_a_rate_counts_as_above(finn):
    build.item(amount=Decimal(1), currency="XAF", amount_firm=None)
    made = ask(finn)
    assert made.is_waiting
    assert made.unconverted == {"XAF": "1"}


def test_what_is_cut_into_pieces_needs_the_second_person_all_the_same(finn):
    first, second = build.items(2, client="Acme", amount_firm=Decimal(600))
    assert ask(finn, asked={"ids": first.pk}).state == "booked"
    assert ask(finn, asked={"ids": second.pk}).is_waiting


def test_two_people_do_not_share_a_cause_or_a_client_to_stay_below(finn, make_person):
    fred = make_person("Fred", "finance")
    of = build.group()
    one, two = build.items(2, of, client="", amount_firm=Decimal(600))
    three, four = (build.item(client="Beta", amount_firm=Decimal(600)) for _ in range(2))
    assert ask(finn, asked={"ids": one.pk}).state == "booked"
    assert "One cause" in ask(fred, asked={"ids": two.pk}).approval
    WriteOff.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert ask(finn, asked={"ids": three.pk}).state == "booked"
    assert "One client" in ask(fred, asked={"ids": four.pk}).approval


def test_what_was_declined_or_is_a_day_old_does_not_count(finn, grace):
    build.item(amount_firm=Decimal(1_001))
    writeoffs.decline(write_off=ask(finn), by=grace, note="No.")
    ExceptionItem.objects.update(amount_firm=Decimal(900))
    assert ask(finn).state == "booked"


def test_the_record_behind_it_is_dropped_so_that_it_does_not_come_back(firm, finn, grace, settings):
    settings.HUB_REPLAY_AMOUNT = 0
    firm.erp.refuse["P-0001"] = PermanentError("No such account.")
    firm.read(rows.project_row(1))
    firm.deliver()
    (item,) = build.of_deliveries()
    ExceptionItem.objects.update(amount_firm=Decimal(2_000))
    made = ask(finn)
    writeoffs.approve(write_off=made, by=grace)
    job = finish(made)
    item.refresh_from_db()
    assert (item.state, item.resolution) == ("written_off", "written_off")
    assert Delivery.objects.get().get_state_display() == "Discarded"
    assert not jobs.cancel(job=job, by=finn)


amounts = st.decimals("-3000", "3000", places=2)
pieces = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["", "Acme", "Beta"]), amounts), min_size=1, max_size=12)


def _rows(given_pieces):
    return [
        Asked(number, group, client, amount, "EUR", amount)
        for number, (group, client, amount) in enumerate(given_pieces)
    ]


@given(pieces=pieces, cuts=st.lists(st.integers(1, 4), min_size=1, max_size=12))
def test_no_way_to_cut_an_amount_stays_below_a_limit_that_the_whole_exceeds(pieces, cuts):
    """Whatever is written off without a second person adds up to no more than the limit: by person, cause and client."""
    limit = Decimal(1_000)
    person, groups, clients = Decimal(0), {}, {}
    rest, turn = _rows(pieces), 0
    while rest:
        size = cuts[turn % len(cuts)]
        part, rest, turn = rest[:size], rest[size:], turn + 1
        if not why_approval(part, Before(person, groups, clients), limit, "EUR"):
            for row in part:
                person += abs(row.amount_firm)
                groups[row.group_id] = groups.get(row.group_id, Decimal(0)) + abs(row.amount_firm)
                clients[row.client] = clients.get(row.client, Decimal(0)) + abs(row.amount_firm)
    clients.pop("", None)
    assert all(total <= limit for total in (person, *groups.values(), *clients.values()))


@given(pieces=pieces)
def test_what_stays_below_the_limit_as_a_whole_needs_nobody(pieces):
    total = sum((abs(amount) for _, _, amount in pieces), Decimal(0))
    assert bool(why_approval(_rows(pieces), Before(), total, "EUR")) is False
