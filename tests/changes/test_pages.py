"""The pages: what waits for whom, the review with everything beside it, and who may press what."""

from __future__ import annotations

import json

import pytest

from governance.changes import services
from governance.models import ChangeComment, ChangeRequest, Delegation, ReviewGroup, ReviewPolicy
from hub.common.registry import kind
from tests.conftest import PASSWORD
from tests.sync import builders as build

pytestmark = pytest.mark.django_db
OTHER = {"type": "string", "title": "Who buys"}


@pytest.fixture
def change(watched, edited, ada):
    return services.open_change([edited(buyer=OTHER)], by=ada, reason="As sales says.")


@pytest.fixture
def breaking(watched, edited, ada):
    return services.open_change([edited(buyer={"type": "integer"})], by=ada)


def text(answer):
    return answer.content.decode()


def decide(client, change, decision, **more):
    change.refresh_from_db()
    given = {"decision": decision, "seen": change.content_hash, **more}
    return client.post(f"{change.get_absolute_url()}decide/", given, follow=True)


def act(client, change, name, **more):
    return client.post(f"{change.get_absolute_url()}act/", {"act": name, **more}, follow=True)


def test_the_list_begins_with_what_waits_for_me(change, ada, grace, finn, browse):
    assert "Contract order: buyer" in text(browse(grace).get("/changes/?view=turn"))
    assert "Nothing waits for you" in text(browse(finn).get("/changes/?view=turn"))
    assert "Contract order: buyer" in text(browse(finn).get("/changes/"))
    assert "No change matches" in text(browse(finn).get("/changes/?kind=Mapping"))


def test_the_list_is_a_file_too(change, grace, browse):
    [row] = json.loads(b"".join(browse(grace).get("/changes.json?view=all")))
    assert (row["number"], row["state"], row["objects"]) == (change.pk, "open", "Contract order")


def test_the_review_page_says_whom_it_breaks_in_fact(watched, edited, ada, grace, browse):
    target = build.stream(build.connection("erp"), "orders")
    build.sync("erp-orders", "out", target, watched.entity, [{"target": "buyer", "source": "buyer"}])
    change = services.open_change([edited(buyer={"type": "integer"})], by=ada)
    page = text(browse(grace).get(change.get_absolute_url()))
    assert "Breaks 1 of the 1 that use it: Sync erp-orders." in page
    assert "Sync · reads · breaks" in page


def test_the_review_page_shows_both_sides_and_who_has_to_agree(change, grace, browse):
    page = text(browse(grace).get(change.get_absolute_url()))
    assert "<code>buyer</code>" in page
    assert '<ins class="d">Who buys</ins>' in page
    assert "PMO" in page
    assert "Nothing breaks what BACKWARD promises." in page


def test_a_reviewer_approves_on_the_page(change, grace, browse):
    page = text(decide(browse(grace), change, "approve"))
    assert "applied" in page
    assert kind("Contract").dump("order")["schema"]["properties"]["buyer"]["title"] == "Who buys"


def test_whoever_wrote_it_is_told_why_there_is_no_button(watched, edited, grace, browse):
    own = services.open_change([edited(buyer=OTHER)], by=grace)
    page = text(browse(grace).get(own.get_absolute_url()))
    assert "You wrote or edited this change" in page
    assert 'value="approve"' not in page
    assert decide(browse(grace), own, "approve").status_code == 422


def test_what_breaks_must_be_looked_at_before_it_is_approved(breaking, grace, browse):
    client, given = browse(grace), {"comment": "Agreed.", "password": PASSWORD}
    assert "Look at what breaks first: buyer" in text(decide(client, breaking, "approve", **given))
    viewed = "Contract order: schema.properties.buyer"
    assert decide(client, breaking, "approve", viewed=viewed, **given).status_code == 200
    assert breaking.reviews.approvals().count() == 1


def test_without_the_right_to_decide_nothing_is_decided(change, ada, browse):
    assert decide(browse(ada), change, "approve").status_code == 403


def test_changes_of_other_domains_are_not_to_be_seen(change, make_person, browse):
    stranger = make_person("Hilda", ("approver", "resource"))
    assert browse(stranger).get(change.get_absolute_url()).status_code == 404
    assert "Contract order" not in text(browse(stranger).get("/changes/?view=all"))


def test_a_comment_hangs_at_its_field_is_answered_and_settled(change, ada, grace, browse):
    url = f"{change.get_absolute_url()}comment/"
    anchor = "Contract order: schema.properties.buyer"
    browse(grace).post(url, {"text": "Sales says customer.", "anchor": anchor})
    thread = ChangeComment.objects.get()
    browse(ada).post(url, {"text": "Right.", "thread": thread.pk})
    browse(ada).post(url, {"act": "resolve", "thread": thread.pk})
    page = text(browse(grace).get(change.get_absolute_url()))
    assert page.index("Sales says customer.") < page.index("Right.") < page.index("Who has to agree")
    thread.refresh_from_db()
    assert thread.resolved_by == ada
    services.edit_change(change, [change.items.get().proposed], by=ada)
    assert "Sales says customer." in text(browse(grace).get(change.get_absolute_url()))


def test_planning_withdrawing_and_taking_back_are_buttons(change, ada, grace, browse):
    act(browse(ada), change, "schedule", at="2099-01-01T08:30")
    assert decide(browse(grace), change, "approve").status_code == 200
    change.refresh_from_db()
    assert (change.state, change.effective_at.hour) == ("scheduled", 8)
    act(browse(ada), change, "apply")
    act(browse(ada), change, "roll_back", reason="Wrong.")
    back = ChangeRequest.objects.latest("pk")
    assert (back.reverts, back.state) == (change, "open")
    act(browse(ada), back, "withdraw")
    back.refresh_from_db()
    assert back.state == "withdrawn"


def test_an_act_that_nobody_knows_is_refused_on_the_page(change, ada, browse):
    answer = act(browse(ada), change, "explode")
    assert (answer.status_code, "does not know what to do" in text(answer)) == (422, True)


def test_the_decision_record_holds_everything(change, grace, browse):
    decide(browse(grace), change, "approve", comment="Fine.")
    record = browse(grace).get(f"/changes/{change.pk}.record.json").json()
    assert (record["reviews"][0]["comment"], record["state"]) == ("Fine.", "applied")
    assert record["items"][0]["proposed"]["schema"]["properties"]["buyer"] == OTHER


def test_the_noun_says_that_a_change_of_it_waits(change, ada, browse):
    assert f'href="{change.get_absolute_url()}"' in text(browse(ada).get("/contracts/order/"))


def test_groups_and_policies_are_made_by_form(contract, ada, grace, browse):
    client = browse(ada)
    client.post("/changes/groups/new/", {"name": "PMO", "slug": "pmo", "members": f"{grace.email}\n"})
    group = ReviewGroup.objects.get()
    assert group.members == [grace.email]
    given = {"name": "All", "slug": "all", "kind": "Contract", "path": "**", "group": group.pk, "approvals": "1"}
    client.post("/changes/policies/new/", given)
    assert ReviewPolicy.objects.get().group == group
    assert "PMO" in text(client.get("/changes/policies/"))
    assert client.post("/changes/policies/all/", given | {"path": "a..b"}).status_code == 422
    assert browse(grace).get("/changes/policies/new/").status_code == 403


def test_a_policy_is_deleted_at_once_unless_policies_are_reviewed(watched, pmo, ada, browse):
    browse(ada).post("/changes/policies/rates/delete/")
    assert not ReviewPolicy.objects.filter(slug="rates").exists()
    ReviewPolicy.objects.create(slug="policies", name="Policies", kind="ReviewPolicy", group=pmo)
    assert "Sent to review" in text(browse(ada).post("/changes/policies/all/delete/", follow=True))
    assert ReviewPolicy.objects.filter(slug="all").exists()


def test_a_seat_is_handed_over_and_taken_back_by_form(grace, finn, browse, today):
    client = browse(grace)
    given = {"delegate": finn.pk, "from_date": today, "to_date": today, "reason": "Away."}
    assert "decides in your place" in text(client.post("/changes/delegations/", given, follow=True))
    made = Delegation.objects.get()
    client.post(f"/changes/delegations/{made.pk}/end/")
    made.refresh_from_db()
    assert made.ended_at is not None
    assert client.post("/changes/delegations/", given | {"to_date": "2020-01-01"}).status_code == 422


def test_nothing_is_decided_by_a_link(change, grace, browse):
    for name in ("decide", "act", "comment"):
        assert browse(grace).get(f"{change.get_absolute_url()}{name}/").status_code in (403, 405)
