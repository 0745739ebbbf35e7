"""Pages of acts: who may, what a second person is told, and the way from a cause to a retry."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from hub.common.errors import PermanentError
from mappings.models import ValueMap
from mappings.services import activate_rules
from monitoring.exceptions import writeoffs
from monitoring.models import ExceptionItem, ExceptionJob, PayloadOverride, WriteOff
from tests.exception_acts import builders as build
from tests.sync import builders as rows

pytestmark = pytest.mark.django_db(transaction=True)


def act(client: Client, item: ExceptionItem, verb: str, **given):
    return client.post(reverse("exceptions:item_act", args=[item.pk, verb]), given)


class TestOne:
    def test_an_act_leads_back_to_the_item(self, browse, finn, domains):
        item = build.item()
        answer = act(browse(finn), item, "assign", assignee=finn.pk, version=1)
        assert (answer.status_code, answer["Location"]) == (302, item.get_absolute_url())
        item.refresh_from_db()
        assert item.assignee == finn

    def test_the_second_of_two_people_sees_both_sides(self, browse, finn, ada, domains):
        item = build.item()
        act(browse(ada), item, "assign", assignee=ada.pk, version=1)
        answer = act(browse(finn), item, "assign", assignee=finn.pk, version=1)
        assert answer.status_code == 409
        text = answer.content.decode()
        assert "Assigned to Ada." in text
        assert "Assigned to Finn." in text
        item.refresh_from_db()
        assert item.assignee == ada

    def test_bad_input_is_a_sentence(self, browse, finn, domains):
        item = build.item()
        client = browse(finn)
        act(client, item, "snooze", until="date", date="yesterday", version=1)
        assert "is not a date" in client.get(reverse("exceptions:job_list")).content.decode()
        item.refresh_from_db()
        assert item.state == "open"

    @pytest.mark.parametrize("who", ["grace", "mallory"])
    def test_who_may_not_resolve_does_nothing(self, browse, domains, who, request):
        item = build.item()
        assert act(browse(request.getfixturevalue(who)), item, "comment", text="Hi").status_code == 403

    def test_another_domain_is_closed(self, browse, make_person, domains):
        item = build.item()
        otto = make_person("Otto", ("finance", "billing-gl"))
        assert act(browse(otto), item, "comment", text="Hi").status_code == 404


class TestMany:
    def test_a_list_leads_to_what_can_be_done_about_what_is_ticked(self, browse, finn, domains):
        one, two, _ = build.items(3)
        client = browse(finn)
        answer = client.post(reverse("exceptions:bulk"), {"ids": [one.pk, two.pk]})
        assert answer.status_code == 302
        page = client.get(answer["Location"]).content.decode()
        assert "2 exceptions" in page

    def test_all_that_match_is_the_filter_and_not_the_page(self, browse, finn, domains):
        build.items(3, client="Acme")
        build.item(client="Beta")
        client = browse(finn)
        answer = client.post(reverse("exceptions:bulk"), {"all": "1", "filter_client": "Acme", "ids": ["1"]})
        assert "3 exceptions" in client.get(answer["Location"]).content.decode()

    def test_a_job_shows_its_results_and_is_taken_back(self, browse, finn, domains):
        item = build.item()
        client = browse(finn)
        answer = client.post(
            reverse("exceptions:bulk_act", args=["tag"]), {"ids": item.pk, "add": "close"}, follow=True
        )
        text = answer.content.decode()
        assert "Tag: 1 exception" in text
        assert ">Undo<" in text
        item.refresh_from_db()
        assert item.tags == ["close"]
        client.post(reverse("exceptions:job_undo", args=[ExceptionJob.objects.get().pk]))
        item.refresh_from_db()
        assert item.tags == []

    def test_results_are_a_file_that_no_spreadsheet_runs(self, browse, finn, domains):
        build.item(title="=cmd()|' /C calc'!A0")
        client = browse(finn)
        client.post(reverse("exceptions:bulk_act", args=["tag"]), {"add": "close"})
        job = ExceptionJob.objects.get()
        text = b"".join(client.get(reverse("exceptions:job_export", args=[job.pk, "csv"])).streaming_content).decode()
        assert "'=cmd()" in text
        assert ",100.0000," in text

    def test_another_number_than_was_seen_starts_nothing(self, browse, finn, domains):
        build.items(2)
        browse(finn).post(reverse("exceptions:bulk_act", args=["tag"]), {"add": "close", "expect": "5"})
        assert not ExceptionJob.objects.exists()


class TestFix:
    @pytest.fixture
    def stopped(self, firm):
        value_map = ValueMap.objects.create(slug="status", name="Project status")
        value_map.entries.create(source="active", target="active")
        kept = [rule for rule in rows.PROJECT_RULES if rule["target"] != "status"]
        kept.append({"target": "status", "source": "status", "kind": "value_map", "value_map": "status"})
        activate_rules(mapping=firm.inbound.mapping, rules=kept, by=None)
        firm.read(*(rows.project_row(n, status="running") for n in (1, 2)))
        return build.of_held()

    def test_from_the_cause_by_the_plan_to_the_job(self, browse, finn, stopped):
        client = browse(finn)
        url = f"{reverse('exceptions:fix')}?group={stopped[0].group_id}"
        assert "running becomes" in client.get(url).content.decode()
        given = {"fix": "value_map", "value_0": "active"}
        planned = client.post(url, given)
        assert planned.context["plan"].counts["create"] == 2
        done = client.post(url, {**given, "step": "apply", "mark": planned.context["mark"], "token": "t"}, follow=True)
        assert "Retry: 2 exceptions" in done.content.decode()
        assert build.finish(ExceptionJob.objects.get()) == {"done": 2}

    def test_an_old_plan_is_shown_anew_with_409(self, browse, finn, stopped):
        client = browse(finn)
        url = f"{reverse('exceptions:fix')}?group={stopped[0].group_id}"
        given = {"fix": "value_map", "value_0": "active"}
        mark = client.post(url, given).context["mark"]
        ValueMap.objects.update(revision=7)
        answer = client.post(url, {**given, "step": "apply", "mark": mark})
        assert answer.status_code == 409
        assert "has changed since it was made" in answer.content.decode()
        assert not ExceptionJob.objects.exists()

    def test_what_is_wrong_is_said_with_422_and_what_was_typed_stays(self, browse, finn, stopped):
        url = f"{reverse('exceptions:fix')}?group={stopped[0].group_id}"
        answer = browse(finn).post(url, {"fix": "value_map", "value_0": "active", "valid_from": "soon"})
        assert answer.status_code == 422
        assert 'value="active"' in answer.content.decode()

    def test_what_the_contract_refuses_is_in_the_plan_before_it_is_applied(self, browse, finn, stopped):
        url = f"{reverse('exceptions:fix')}?group={stopped[0].group_id}"
        answer = browse(finn).post(url, {"fix": "value_map", "value_0": "nonsense"})
        assert answer.context["plan"].counts["reject"] == 2


class TestWriteOff:
    def test_it_is_asked_for_and_decided_by_somebody_else(self, browse, finn, grace, settings, domains):
        settings.HUB_WRITE_OFF_AMOUNT = 50
        build.firm()
        item = build.item()
        client = browse(finn)
        url = f"{reverse('exceptions:write_off_new')}?ids={item.pk}"
        assert "A second person has to agree" in client.get(url).content.decode()
        given = {"reason_code": "goodwill", "reason": "So.", "typed": writeoffs.CONFIRM, "expect": "1"}
        client.post(url, given)
        made = WriteOff.objects.get()
        decide = reverse("exceptions:write_off_decide", args=[made.pk, "approve"])
        assert client.post(decide).status_code == 403
        assert "Write-off of 1 exception" in browse(grace).get("/").content.decode()
        browse(grace).post(decide)
        item.refresh_from_db()
        assert item.state == "written_off"

    def test_without_the_typed_word_it_is_422_and_nothing_is_made(self, browse, finn, domains):
        item = build.item()
        url = f"{reverse('exceptions:write_off_new')}?ids={item.pk}"
        answer = browse(finn).post(url, {"reason_code": "goodwill", "reason": "So.", "typed": ""})
        assert answer.status_code == 422
        assert not WriteOff.objects.exists()


def test_corrected_payloads_are_listed_and_exported(browse, finn, domains):
    item = build.item()
    PayloadOverride.objects.create(
        item=item, sync_id=1, external_id="TE-1", changes={"role": ["Lead", "Senior"]}, reason="So.", by=finn,
        expires_at=build.now(),
    )  # fmt: skip
    client = browse(finn)
    assert "<del>Lead</del>" in client.get(reverse("exceptions:override_list")).content.decode()
    rows_of = client.get("/exceptions/overrides.csv")
    assert b"role: Lead" in b"".join(rows_of.streaming_content)


def test_what_fails_again_says_why_on_the_page(browse, finn, firm):
    firm.erp.refuse["P-0001"] = PermanentError("No such account.")
    firm.read(rows.project_row(1))
    firm.deliver()
    build.of_deliveries()
    client = browse(finn)
    client.post(reverse("exceptions:bulk_act", args=["retry"]))
    job = ExceptionJob.objects.get()
    build.finish(job)
    text = client.get(reverse("exceptions:job", args=[job.pk])).content.decode()
    assert "No such account." in text
    assert "Retry the 1 that failed" in text
