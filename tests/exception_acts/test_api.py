"""Acts over the API, and on the command line: the same services, one JSON document, an exit code that can be trusted."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from hub.common.errors import PermanentError
from monitoring.models import ExceptionItem, ExceptionJob, WriteOff
from tests.exception_acts import builders as build
from tests.sync import builders as rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def call(finn):
    client = APIClient()
    client.force_authenticate(finn)

    def post(path, body=None, *, user=None):
        client.force_authenticate(user or finn)
        return client.post(f"/api/v1/exceptions/{path}", body or {}, format="json")

    post.get = lambda path: client.get(f"/api/v1/exceptions/{path}")
    return post


def kill(firm, *numbers):
    firm.erp.refuse.update({f"P-{n:04d}": PermanentError("No such account.") for n in numbers})
    firm.read(*(rows.project_row(n) for n in numbers))
    firm.deliver()
    return build.of_deliveries()


class TestOne:
    def test_assign_and_comment(self, call, finn, ada, domains):
        item = build.item()
        answer = call(f"{item.pk}/assign/", {"assignee": "ada@example.com", "version": 1})
        assert (answer.status_code, answer.data["assignee"], answer.data["version"]) == (200, "ada@example.com", 2)
        assert call(f"{item.pk}/comment/", {"text": "Hi"}).status_code == 200
        assert item.events.count() == 2

    def test_the_second_gets_409_with_both_sides(self, call, ada, domains):
        item = build.item()
        call(f"{item.pk}/tag/", {"add": ["close"], "version": 1})
        answer = call(f"{item.pk}/snooze/", {"until": "growth", "version": 1})
        assert answer.status_code == 409
        assert answer.data["code"] == "CHANGED_MEANWHILE"
        assert answer.data["yours"].startswith("Snoozed")
        assert answer.data["theirs"][0]["said"] == "Tagged close."
        item.refresh_from_db()
        assert item.state == "open"

    def test_who_may_not_is_refused(self, call, mallory, make_person, domains):
        item = build.item()
        assert call(f"{item.pk}/comment/", {"text": "Hi"}, user=mallory).status_code == 403
        otto = make_person("Otto", ("finance", "billing-gl"))
        assert call(f"{item.pk}/comment/", {"text": "Hi"}, user=otto).status_code == 404


class TestMany:
    def test_a_plan_and_its_retry(self, call, firm):
        kill(firm, 1, 2)
        firm.erp.refuse.clear()
        plan = call("plan/")
        assert (plan.data["create"], plan.data["amounts"]) == (2, {"create": "200.0000"})
        answer = call("retry/", {"mark": plan.data["mark"]})
        assert answer.status_code == 202
        job = ExceptionJob.objects.get(pk=answer.data["id"])
        assert build.finish(job) == {"done": 2}
        assert call.get(f"jobs/{job.pk}/").data["counts"]["done"] == 2
        assert [row["status"] for row in call.get(f"jobs/{job.pk}/items/").data["results"]] == ["done", "done"]

    def test_an_old_mark_is_409(self, call, firm):
        kill(firm, 1)
        assert call("retry/", {"mark": "old"}).status_code == 409

    def test_a_filter_that_is_not_understood_is_422(self, call, domains):
        assert call("act/", {"action": "wake", "filter": {"clinet": "Acme"}}).status_code == 422

    def test_an_act_on_all_that_match_and_its_undo(self, call, domains):
        build.items(2)
        answer = call("act/", {"action": "tag", "given": {"add": ["close"]}, "expect": 2})
        build.finish(ExceptionJob.objects.get(pk=answer.data["id"]))
        undone = call(f"jobs/{answer.data['id']}/undo/")
        build.finish(ExceptionJob.objects.get(pk=undone.data["id"]))
        assert list(ExceptionItem.objects.values_list("tags", flat=True)) == [[], []]


def test_a_write_off_by_two_people(call, grace, finn, settings, domains):
    settings.HUB_WRITE_OFF_AMOUNT = 50
    build.firm()
    build.item()
    body = {"reason_code": "goodwill", "reason": "So.", "confirm": "WRITE OFF"}
    made = call("write-offs/", body)
    assert (made.status_code, made.data["state"]) == (201, "waiting")
    assert call(f"write-offs/{made.data['id']}/approve/").status_code == 403
    assert call(f"write-offs/{made.data['id']}/approve/", user=grace).data["state"] == "booked"
    build.finish(WriteOff.objects.get().jobs.get())
    assert ExceptionItem.objects.get().state == "written_off"


class TestCommand:
    def run(self, *words):
        out, code = StringIO(), 0
        try:
            call_command("exceptions", *words, "--json", stdout=out, stderr=StringIO())
        except SystemExit as end:
            code = int(end.code or 0)
        return json.loads(out.getvalue()), code

    def test_a_plan_counts_and_ends_with_0_when_all_would_pass(self, firm):
        kill(firm, 1, 2)
        data, code = self.run("plan")
        assert (data["number"], data["create"], data["failing"], code) == (2, 2, 0, 0)

    def test_a_plan_of_what_would_fail_again_ends_with_1(self, firm):
        firm.hold_one()
        build.of_held()
        data, code = self.run("plan")
        assert (data["failing"], code) == (1, 1)

    def test_a_retry_tells_each_result_and_ends_with_0_when_all_have_passed(self, firm):
        kill(firm, 1, 2)
        firm.erp.refuse.clear()
        data, code = self.run("retry")
        assert ([row["status"] for row in data["results"]], data["state"], code) == (["done", "done"], "done", 0)

    def test_what_fails_again_ends_with_1_and_says_why(self, firm):
        kill(firm, 1, 2)
        del firm.erp.refuse["P-0002"]
        data, code = self.run("retry")
        assert sorted(row["status"] for row in data["results"]) == ["done", "failed"]
        assert any("No such account." in row["note"] for row in data["results"])
        assert code == 1

    def test_a_filter_that_is_not_understood_is_one_sentence(self, domains):
        data, code = self.run("plan", "--filter", "clinet=Acme")
        assert "no filter 'clinet'" in data["error"]
        assert code == 1
