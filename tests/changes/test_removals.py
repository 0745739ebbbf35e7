"""Where a policy watches over a kind, nothing of it is removed before its reviewers agree; elsewhere it goes at once."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from governance.changes import applying, page, reviewing, services
from governance.models import AuditEntry, BusinessCalendar, ChangeItem, ChangeRequest, ReviewPolicy, ServiceLevel
from hub.common import governed, saving
from hub.common.errors import ConfigError
from hub.common.governed import Held
from hub.common.registry import kind, kinds, removal
from hub.common.usage import InUse
from tests.conftest import PASSWORD
from tests.sync import builders as build

pytestmark = pytest.mark.django_db
HOURS = {"mon": ["09:00-17:00"]}
FIELDS = {"code": {"type": "string", "x-key": True}, "buyer": {"type": "string"}}
SPEC = {"type": "object", "required": ["code"], "properties": FIELDS}

# kind → (slug, page that deletes it, address of the API or nothing). Every kind that can be removed stands here.
TABLE = {
    "System": ("spare", "/connections/systems/spare/delete/", "/api/v1/systems/spare/"),
    "Connection": ("lonely", "/connections/lonely/delete/", "/api/v1/connections/lonely/"),
    "Stream": ("lonely-orders", "/connections/streams/lonely-orders/delete/", "/api/v1/streams/lonely-orders/"),
    "Mapping": ("spare-mapping", "/mappings/spare-mapping/delete/", "/api/v1/mappings/spare-mapping/"),
    "ValueMap": ("spare-map", "/mappings/value-maps/spare-map/delete/", "/api/v1/value-maps/spare-map/"),
    "Schedule": ("nightly", "/syncs/in/schedules/nightly/delete/", "/api/v1/schedules/nightly/"),
    "BusinessCalendar": ("spare-days", "/calendars/spare-days/delete/", "/api/v1/calendars/spare-days/"),
    "ServiceLevel": ("in-time", "/service-levels/in-time/delete/", "/api/v1/service-levels/in-time/"),
    "Term": ("codes", "/glossary/codes/remove/", "/api/v1/terms/codes/"),
    "OwnershipRule": ("spare-rule", "/ownership/rules/spare-rule/remove/", "/api/v1/ownership-rules/spare-rule/"),
    "EventType": ("order-bought", "/event-types/order-bought/delete/", ""),
    "Process": ("spare-process", "/processes/spare-process/delete/", ""),
    "SystemApi": ("orders-v1", "/apis/orders-v1/delete/", ""),
    "ProcessApi": ("start-v1", "/apis/start-v1/delete/", ""),
    "ExperienceApi": ("order-360-v1", "/apis/order-360-v1/delete/", ""),
    "Consumer": ("spare-portal", "/consumers/spare-portal/delete/", ""),
    "Cutover": ("spare-cutover", "/cutovers/spare-cutover/delete/", ""),
    "ReviewPolicy": ("spare-policy", "/changes/policies/spare-policy/delete/", ""),
}


def document(kind_: str, slug: str, **fields: Any) -> dict[str, Any]:
    return {"kind": kind_, "slug": slug, **fields}


@pytest.fixture
def firm(domains: Any, pmo: Any) -> Any:
    """One object of each kind that can be removed, none of which another one needs."""
    entity = build.entity("order", SPEC)
    stream = build.stream(build.connection("psa"), "orders")
    build.sync("in", "in", stream, entity, [{"target": "code", "source": "id"}])
    build.stream(build.connection("lonely"), "orders")
    for side in ("old-erp", "new-erp"):
        build.sync(
            side, "out", build.stream(build.connection(side), "orders"), entity, [{"target": "id", "source": "code"}]
        )
    governed.put(
        [
            document("System", "spare", name="Spare", category="crm"),
            document("Mapping", "spare-mapping", name="Spare", direction="in", stream=stream.slug, entity="order"),
            document("ValueMap", "spare-map", name="Spare", entries=[{"source": "A", "target": "B"}]),
            document("Schedule", "nightly", sync="in", cron="0 2 * * *"),
            document("BusinessCalendar", "spare-days", name="Spare", hours=HOURS),
            document("ServiceLevel", "in-time", name="In time", measure="freshness", domain=entity.domain.slug,
                     entity="order", source="psa", breach_seconds=3600),
            document("Term", "codes", name="Codes", domain=entity.domain.slug, definition="Orders.", owner="PMO",
                     unit="number", expression="count() of order"),
            document("OwnershipRule", "spare-rule", entity="order", systems=["psa"], status="draft"),
            document("EventType", "order-bought", name="order.bought", title="Bought", owner="PMO", entity="order",
                     condition={"buyer": ["us"]}),
            document("Process", "spare-process", name="Spare", owner="operator", domain=entity.domain.slug,
                     entity="order", steps=[{"name": "bought", "kind": "check", "that": "true", "message": "No."}]),
            document("SystemApi", "orders-v1", name="Orders", path="orders", domain=entity.domain.slug, entity="order"),
            document("ProcessApi", "start-v1", name="Start", path="start", domain=entity.domain.slug,
                     process="spare-process"),
            document("ExperienceApi", "order-360-v1", name="Order 360", path="order-360", domain=entity.domain.slug,
                     entity="order"),
            document("Consumer", "spare-portal", name="Spare", owner="PMO"),
            document("Cutover", "spare-cutover", name="Spare", domain=entity.domain.slug, entity="order",
                     legacy="old-erp", new="new-erp"),
            document("ReviewPolicy", "spare-policy", name="Spare", of_kind="Domain", group="pmo"),
        ],
        by=None,
    )  # fmt: skip
    return entity


def watch(name: str, group: Any, **fields: Any) -> None:
    ReviewPolicy.objects.create(slug=f"watch-{name.lower()}", name=f"All {name}", kind=name, group=group, **fields)


def agree(change: ChangeRequest, by: Any) -> ChangeRequest:
    change.refresh_from_db()
    return reviewing.approve(change, by=by, seen=change.content_hash, comment="Yes.", password=PASSWORD)


def test_the_table_knows_every_kind_that_can_be_removed() -> None:
    assert {name for name, each in kinds().items() if each.is_removable} == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_without_a_policy_it_goes_at_once_and_the_audit_tells_it(name: str, firm: Any, ada: Any, browse: Any) -> None:
    slug, page_url, _ = TABLE[name]
    before = kind(name).dump(slug)
    browse(ada).post(page_url)
    assert (kind(name).dump(slug), ChangeRequest.objects.count()) == (None, 0)
    entry = AuditEntry.objects.get(kind=name, name=slug, act__regex="deleted|removed")
    assert before is not None
    assert (entry.actor_id, bool(entry.before_hash), entry.after_hash) == (ada.pk, True, "")


@pytest.mark.parametrize("name", TABLE)
def test_with_a_policy_nothing_goes_before_it_is_approved(
    name: str, firm: Any, pmo: Any, ada: Any, grace: Any, browse: Any
) -> None:
    slug, page_url, _ = TABLE[name]
    # A removal takes every field along, so whoever watches over any of them is asked.
    watch(name, pmo, path="nothing.of.the.kind")
    before = kind(name).dump(slug)
    answer = browse(ada).post(page_url)
    change = ChangeRequest.objects.get()
    assert answer.url == change.get_absolute_url()
    assert (kind(name).dump(slug), change.title) == (before, f"Remove {name} {slug}" + _more(change))
    assert agree(change, grace).state == "applied", change.problem
    assert kind(name).dump(slug) is None
    assert AuditEntry.objects.filter(act="change.brought_in", kind=name, name=slug, after_hash="").count() == 1


def _more(change: ChangeRequest) -> str:
    return f" and {change.items.count() - 1} more" if change.items.count() > 1 else ""


@pytest.mark.parametrize("name", [name for name, (_, _, api) in TABLE.items() if api])
def test_the_api_answers_202_and_nothing_goes(name: str, firm: Any, pmo: Any, ada: Any, browse: Any) -> None:
    slug, _, api = TABLE[name]
    watch(name, pmo)
    answer = browse(ada).delete(api)
    assert (answer.status_code, answer.json()["url"]) == (202, ChangeRequest.objects.get().get_absolute_url())
    assert kind(name).dump(slug) is not None
    ReviewPolicy.objects.all().delete()
    services.withdraw(ChangeRequest.objects.get(), by=ada)
    assert browse(ada).delete(api).status_code == 204
    assert kind(name).dump(slug) is None


@pytest.mark.parametrize("name", TABLE)
def test_taking_a_removal_back_makes_the_object_again(name: str, firm: Any, pmo: Any, ada: Any, grace: Any) -> None:
    slug = TABLE[name][0]
    watch(name, pmo)
    before = kind(name).dump(slug)
    governed.remove(name, slug, by=ada)
    change = agree(ChangeRequest.objects.get(), grace)
    back = applying.roll_back(change, by=ada, reason="It is needed.")
    if back.state == "open":
        back = agree(back, grace)
    change.refresh_from_db()
    assert (change.state, kind(name).dump(slug)) == ("rolled_back", before), back.problem


# What is in use -----------------------------------------------------------------------------------------------------


def used_calendar() -> BusinessCalendar:
    calendar = BusinessCalendar.objects.get(slug="spare-days")
    ServiceLevel.objects.update(calendar=calendar)
    return calendar


def test_what_is_in_use_is_refused_before_anybody_has_to_look(firm: Any, pmo: Any, ada: Any, browse: Any) -> None:
    used_calendar()
    watch("BusinessCalendar", pmo)
    with pytest.raises(ConfigError, match="is used by ServiceLevel in-time"):
        saving.remove("BusinessCalendar", "spare-days", act="business_calendar.deleted", by=ada)
    with pytest.raises(InUse):
        governed.remove("Stream", "psa-orders", by=ada)
    assert not ChangeRequest.objects.exists()


def test_removing_what_others_use_breaks_them(
    firm: Any, pmo: Any, finance: Any, ada: Any, grace: Any, finn: Any
) -> None:
    used_calendar()
    watch("BusinessCalendar", pmo)
    change = services.open_change([removal("BusinessCalendar", "spare-days")], by=ada)
    row = page.items_of(change)[0].rows[0]
    assert (change.is_breaking, row.severity, row.who) == (True, "fail", "ServiceLevel in-time")
    assert agree(change, grace).state == "open"
    done = agree(change, finn)
    assert (done.state, "is used by ServiceLevel in-time" in done.problem) == ("approved", True)
    assert BusinessCalendar.objects.filter(slug="spare-days").exists()


def test_what_goes_together_breaks_nobody_and_goes_in_the_right_order(
    firm: Any, pmo: Any, ada: Any, grace: Any
) -> None:
    used_calendar()
    watch("*", pmo)
    gone = [removal("BusinessCalendar", "spare-days"), removal("ServiceLevel", "in-time")]
    change = services.open_change(gone, by=ada)
    assert not change.is_breaking
    assert agree(change, grace).state == "applied"
    assert [BusinessCalendar.objects.count(), ServiceLevel.objects.count()] == [0, 0]


def test_nothing_is_half_applied(firm: Any, pmo: Any, ada: Any, grace: Any) -> None:
    watch("*", pmo)
    level = kind("ServiceLevel").dump("in-time")
    assert level is not None
    renamed = {**level, "name": "Later"}
    change = services.open_change([renamed, removal("BusinessCalendar", "spare-days")], by=ada)
    used_calendar()
    done = agree(change, grace)
    assert (done.state, ServiceLevel.objects.get().name) == ("approved", "In time")
    assert BusinessCalendar.objects.exists()


def test_a_removal_says_what_came_to_need_it_meanwhile(firm: Any, pmo: Any, ada: Any, grace: Any) -> None:
    watch("BusinessCalendar", pmo)
    governed.remove("BusinessCalendar", "spare-days", by=ada)
    used_calendar()
    done = agree(ChangeRequest.objects.get(), grace)
    assert (done.state, "is used meanwhile by ServiceLevel in-time" in done.problem) == ("approved", True)


def test_a_removal_of_what_was_edited_meanwhile_is_refused(firm: Any, pmo: Any, ada: Any, grace: Any) -> None:
    watch("ServiceLevel", pmo)
    governed.remove("ServiceLevel", "in-time", by=ada)
    ServiceLevel.objects.update(name="Sooner")
    done = agree(ChangeRequest.objects.get(), grace)
    assert (done.state, "was changed meanwhile" in done.problem) == ("approved", True)
    assert ServiceLevel.objects.exists()


def test_a_removal_can_be_brought_up_and_is_still_a_removal(firm: Any, pmo: Any, ada: Any, grace: Any) -> None:
    watch("ServiceLevel", pmo)
    governed.remove("ServiceLevel", "in-time", by=ada)
    ServiceLevel.objects.update(name="Sooner")
    change = applying.rebase(ChangeRequest.objects.get(), by=ada)
    assert (change.items.get().proposed, change.items.get().base["name"]) == (None, "Sooner")
    assert agree(change, grace).state == "applied"
    assert not ServiceLevel.objects.exists()


# One object, one proposal -------------------------------------------------------------------------------------------


def test_an_edit_and_a_removal_of_one_object_do_not_join(firm: Any, pmo: Any, ada: Any, grace: Any) -> None:
    watch("ServiceLevel", pmo)
    level = kind("ServiceLevel").dump("in-time")
    assert level is not None
    saving.save({**level, "name": "Later"}, act="service_level.saved", by=ada)
    with pytest.raises(ConfigError, match="An edit of it waits already in #"):
        governed.remove("ServiceLevel", "in-time", by=ada)
    services.withdraw(ChangeRequest.objects.get(), by=ada)
    with pytest.raises(Held):
        saving.remove("ServiceLevel", "in-time", act="service_level.deleted", by=ada)
    for act in (
        lambda: saving.save({**level, "name": "Later"}, act="service_level.saved", by=grace),
        lambda: governed.remove("ServiceLevel", "in-time", by=grace),
    ):
        with pytest.raises(ConfigError, match="Its removal waits already in #"):
            act()


def test_nobody_removes_past_the_reviewers_without_a_name(firm: Any, pmo: Any) -> None:
    watch("ServiceLevel", pmo)
    with pytest.raises(ConfigError, match="nobody stands behind it"):
        governed.remove("ServiceLevel", "in-time", by=None)


def test_what_cannot_be_removed_is_not_proposed(firm: Any, ada: Any) -> None:
    with pytest.raises(ConfigError, match="Entity order cannot be removed"):
        services.open_change([removal("Entity", "order")], by=ada)


def test_a_new_object_is_taken_back_by_removing_it(firm: Any, pmo: Any, ada: Any, grace: Any) -> None:
    watch("BusinessCalendar", pmo)
    made = document("BusinessCalendar", "bank", name="Bank", hours=HOURS)
    change = agree(services.open_change([made], by=ada), grace)
    back = applying.roll_back(change, by=ada, reason="Not needed.")
    assert (back.state, back.items.get().proposed) == ("open", None)
    assert agree(back, grace).state == "applied"
    assert not BusinessCalendar.objects.filter(slug="bank").exists()


def test_a_connection_goes_with_its_objects(firm: Any, pmo: Any, ada: Any, grace: Any) -> None:
    watch("Stream", pmo)
    governed.remove("Connection", "lonely", by=ada)
    change = ChangeRequest.objects.get()
    assert [str(item) for item in change.items.all()] == ["Stream lonely-orders", "Connection lonely"]
    assert not change.is_breaking
    assert agree(change, grace).state == "applied"
    assert kind("Connection").dump("lonely") is None


# What the database holds --------------------------------------------------------------------------------------------


def test_the_approval_binds_the_removal(firm: Any, pmo: Any, finance: Any, ada: Any, grace: Any) -> None:
    watch("ServiceLevel", pmo)
    level = kind("ServiceLevel").dump("in-time")
    assert level is not None
    ReviewPolicy.objects.create(slug="f", name="F", kind="ServiceLevel", path="name", group=finance)
    change = services.open_change([{**level, "name": "Later"}], by=ada)
    agree(change, grace)
    services.edit_change(change, [removal("ServiceLevel", "in-time")], by=ada)
    assert not change.reviews.approvals().exists()
    change.refresh_from_db()
    with pytest.raises(ConfigError, match="was edited while you were looking"):
        reviewing.approve(change, by=grace, seen="0" * 64)


def test_nobody_turns_an_approved_edit_into_a_removal_by_sql(firm: Any, pmo: Any, ada: Any, grace: Any) -> None:
    watch("ServiceLevel", pmo)
    level = kind("ServiceLevel").dump("in-time")
    assert level is not None
    change = services.open_change([{**level, "name": "Later"}], by=ada)
    ReviewPolicy.objects.filter(slug="watch-servicelevel").update(approvals=1)
    seen = change.content_hash
    ChangeItem.objects.filter(change=change).update(proposed=None)
    change.refresh_from_db()
    assert change.content_hash != seen
    with pytest.raises(DatabaseError, match="edited without a name"), transaction.atomic():
        agree(change, grace)


def test_a_row_that_neither_was_nor_shall_be_is_refused(firm: Any, pmo: Any, ada: Any) -> None:
    watch("ServiceLevel", pmo)
    governed.remove("ServiceLevel", "in-time", by=ada)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("update governance_changeitem set base = null")
