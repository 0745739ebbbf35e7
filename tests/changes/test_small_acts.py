"""Editing what a change proposes on its page, approving several at once, and asking one person to take a seat."""

from __future__ import annotations

from typing import Any

import pytest

from governance.changes import amending, asking, bulk, queries, reviewing, services
from governance.models import AuditEntry, ChangePacket, ChangeRequest, ReviewPolicy
from hub.common.document_text import from_yaml, to_yaml
from hub.common.errors import ConfigError
from hub.common.registry import removal

pytestmark = pytest.mark.django_db
OTHER = {"type": "string", "title": "Who buys"}


def calendar(slug: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "BusinessCalendar", "slug": slug, "name": slug.title(), "hours": {"mon": ["09:00-17:00"]}, **fields}


@pytest.fixture
def change(watched: Any, edited: Any, ada: Any) -> ChangeRequest:
    return services.open_change([edited(buyer=OTHER)], by=ada)


@pytest.fixture
def calendars(pmo: Any, domains: Any, ada: Any) -> list[ChangeRequest]:
    ReviewPolicy.objects.create(slug="days", name="Days", kind="BusinessCalendar", group=pmo)
    return [services.open_change([calendar(slug)], by=ada) for slug in ("uk", "us", "de")]


# Editing ------------------------------------------------------------------------------------------------------------


def test_a_proposal_is_edited_as_text_and_its_approvals_are_void(change: Any, ada: Any, grace: Any, finn: Any) -> None:
    rate = {"type": "string", "format": "decimal", "title": "Rate"}
    item = change.items.get()
    document = from_yaml(amending.text_of(item))
    document["schema"]["properties"]["rate"] = rate
    amending.amend(item, to_yaml(document), by=ada, note="The rate too.", seen=change.content_hash)
    change.refresh_from_db()
    assert {seat.group.slug for seat in change.seats.all()} == {"pmo", "finance"}
    reviewing.approve(change, by=grace, seen=change.content_hash)
    document["schema"]["properties"]["buyer"]["title"] = "Buyer"
    amending.amend(change.items.get(), to_yaml(document), by=ada, note="A word.", seen=change.content_hash)
    assert not change.reviews.approvals().exists()
    assert change.edits.latest("pk").note == "A word."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("kind: [", "This is not YAML"),
        ("- a\n- b\n", "a mapping of names"),
        ("kind: Contract\nslug: other\n", "Leave kind Contract and slug order"),
        ("kind: Contract\nslug: order\nname: O\nentity: order\n", "Contract needs 'schema'"),
        ("a: &x [1]\nb: [*x, *x]\n", "has to be written out"),
        ("kind: Contract\nkind: Contract\n", "stands twice"),
    ],
)
def test_what_is_no_such_document_gets_a_sentence(change: Any, ada: Any, text: str, sentence: str) -> None:
    before = change.content_hash
    with pytest.raises(ConfigError, match=sentence):
        amending.amend(change.items.get(), text, by=ada, note="So.", seen=before)
    change.refresh_from_db()
    assert change.content_hash == before


def test_an_edit_of_what_somebody_else_edited_meanwhile_is_refused(change: Any, ada: Any) -> None:
    item = change.items.get()
    with pytest.raises(ConfigError, match="was edited while you were looking"):
        amending.amend(item, amending.text_of(item), by=ada, note="So.", seen="0" * 64)


def test_who_edits_becomes_a_writer_and_others_may_not(change: Any, grace: Any, olga: Any, make_person: Any) -> None:
    item = change.items.get()
    for person in (olga, grace):
        with pytest.raises(ConfigError, match="Only its writers"):
            amending.amend(item, amending.text_of(item), by=person, note="So.", seen=change.content_hash)
    both = make_person("Bert", "integration_admin", "approver")
    document = from_yaml(amending.text_of(item))
    document["schema"]["properties"]["buyer"]["title"] = "Buyer"
    amending.amend(item, to_yaml(document), by=both, note="A word.", seen=change.content_hash)
    assert reviewing.why_not(change, both).startswith("You wrote or edited")


def test_the_page_keeps_the_text_that_is_refused(change: Any, ada: Any, grace: Any, browse: Any) -> None:
    url = f"/changes/{change.pk}/items/{change.items.get().pk}/"
    assert "slug: order" in browse(ada).get(url).content.decode()
    given = {"text": "kind: Contract\nslug: mine\n", "note": "So.", "seen": change.content_hash}
    answer = browse(ada).post(url, given)
    assert (answer.status_code, "slug: mine" in answer.content.decode()) == (422, True)
    assert browse(grace).get(url).status_code == 403
    assert url in browse(ada).get(change.get_absolute_url()).content.decode()


# Several at once ----------------------------------------------------------------------------------------------------


def tick(*changes: ChangeRequest) -> dict[int, str]:
    return {change.pk: change.content_hash for change in changes}


def states() -> list[str]:
    return list(ChangeRequest.objects.order_by("pk").values_list("state", flat=True))


def test_small_changes_of_one_kind_are_approved_together(calendars: Any, grace: Any, browse: Any) -> None:
    page = browse(grace).get("/changes/?view=turn").content.decode()
    assert page.count('name="change"') == 3
    given = {"change": [f"{each.pk}:{each.content_hash}" for each in calendars[:2]], "comment": "Fine."}
    browse(grace).post("/changes/approve/", given)
    assert states() == ["applied", "applied", "open"]


def test_what_was_edited_meanwhile_stops_all_of_them(calendars: Any, ada: Any, grace: Any) -> None:
    seen = tick(*calendars)
    services.edit_change(calendars[2], [calendar("de", name="Germany")], by=ada)
    with pytest.raises(ConfigError, match="was edited while you were looking"):
        bulk.approve_all(seen, by=grace, comment="", among=queries.my_turn(grace))
    assert states() == ["open"] * 3


def test_nothing_that_breaks_removes_or_is_of_another_kind_goes_along(
    calendars: Any, change: Any, edited: Any, ada: Any, grace: Any
) -> None:
    turn = queries.my_turn(grace)
    with pytest.raises(ConfigError, match="of several kinds: BusinessCalendar, Contract"):
        bulk.approve_all(tick(calendars[0], change), by=grace, comment="", among=turn)
    services.edit_change(change, [edited(buyer={"type": "integer"})], by=ada)
    change.refresh_from_db()
    assert change.is_breaking
    with pytest.raises(ConfigError, match="breaks something"):
        bulk.approve_all(tick(change), by=grace, comment="", among=queries.my_turn(grace))
    reviewing.approve(calendars[0], by=grace, seen=calendars[0].content_hash)
    gone = services.open_change([removal("BusinessCalendar", "uk")], by=ada)
    assert bulk.why_alone(gone).startswith("It breaks something, removes something")


def test_what_moves_much_money_is_looked_at_by_itself(change: Any, grace: Any) -> None:
    assert "what it moves is not known" in bulk.why_alone(change)
    packet = ChangePacket.objects.create(change=change, content_hash=change.content_hash, state="done")
    for amounts, failing, sentence in (
        ({"EUR": "9999.99"}, 0, ""),
        ({"EUR": "1", "GBP": "10000"}, 0, "It touches 10,000.00 GBP."),
        ({}, 1, "Stored payloads would fail that pass today."),
    ):
        packet.result = [{"amounts": amounts, "newly_failing": failing}]
        packet.save()
        assert bulk.why_alone(change) == sentence


def test_nobody_approves_in_bulk_what_does_not_wait_for_them(calendars: Any, ada: Any, browse: Any) -> None:
    with pytest.raises(ConfigError, match="Choose changes that wait for you"):
        bulk.approve_all(tick(*calendars), by=ada, comment="", among=queries.my_turn(ada))
    assert browse(ada).post("/changes/approve/", {}).status_code == 403


# Asking one person --------------------------------------------------------------------------------------------------


def test_a_seat_waits_for_one_person_of_its_group(
    change: Any, pmo: Any, ada: Any, grace: Any, make_person: Any
) -> None:
    gina = make_person("Gina", "approver")
    pmo.members = [grace.email, gina.email]
    pmo.save()
    asking.ask(change, group="pmo", email=gina.email, by=ada)
    assert (queries.is_turn_of(change, grace), queries.is_turn_of(change, gina)) == (False, True)
    assert AuditEntry.objects.get(act="change.seat_asked").reason == "PMO: Gina"
    asking.ask(change, group="pmo", email="", by=grace)
    assert queries.is_turn_of(change, grace)
    asking.ask(change, group="pmo", email=gina.email, by=grace)
    assert reviewing.approve(change, by=grace, seen=change.content_hash).state == "applied"


def test_a_seat_is_not_given_to_strangers_or_writers(change: Any, pmo: Any, ada: Any, grace: Any, olga: Any) -> None:
    pmo.members = [grace.email, ada.email, olga.email]
    pmo.save()
    for person in (ada, olga):
        with pytest.raises(ConfigError, match="cannot take the seat of PMO"):
            asking.ask(change, group="pmo", email=person.email, by=grace)
    with pytest.raises(ConfigError, match="does not wait for that group"):
        asking.ask(change, group="hr", email=grace.email, by=ada)


def test_the_page_asks_somebody(change: Any, ada: Any, grace: Any, browse: Any) -> None:
    given = {"act": "ask", "group": "pmo", "person": grace.email}
    browse(ada).post(f"{change.get_absolute_url()}act/", given)
    assert "waits for <b>Grace</b>" in browse(grace).get(change.get_absolute_url()).content.decode()
