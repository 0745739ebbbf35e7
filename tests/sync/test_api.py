"""The API of syncs, runs, the ledger and records in trouble: the pages' rules, in the language of programs."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from hub.accounts.services import create_token
from hub.sync import services
from hub.sync.models import Delivery, HeldRecord, Run, Schedule, Sync, Transaction
from hub.sync.states import DeliveryState, HeldState
from mappings.models import Mapping
from mappings.services import activate_rules
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def firm(domains):
    return worlds.make()


def client_of(user, *, read_only=False):
    _, secret = create_token(user, name="test", days=1, by=user, is_read_only=read_only)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.fixture
def spare(firm):
    stream = build.stream(build.connection("bi"), "rows")
    mapping = Mapping.objects.create(
        slug="spare", name="Spare", direction="out", stream=stream, entity=firm.inbound.entity
    )
    activate_rules(mapping=mapping, rules=build.OUT_RULES, by=None)
    return mapping


LISTS = ["syncs", "schedules", "runs", "transactions", "held-records", "deliveries"]


@pytest.mark.parametrize("name", LISTS)
def test_a_list_needs_a_role_and_a_token(firm, ada, mallory, name):
    assert APIClient().get(f"/api/v1/{name}/").status_code == 401
    assert client_of(mallory).get(f"/api/v1/{name}/").status_code == 403
    response = client_of(ada).get(f"/api/v1/{name}/")
    assert response.status_code == 200
    assert "results" in response.json()


class TestSyncs:
    def test_a_sync_is_made_read_and_changed(self, spare, ada):
        api = client_of(ada)
        sent = {"slug": "bi", "name": "To BI", "mapping": "spare", "only_when": {"status": ["active"]}}
        made = api.post("/api/v1/syncs/", sent)
        assert made.status_code == 201, made.json()
        assert made.json()["direction"] == "out"
        changed = api.patch("/api/v1/syncs/bi/", {"page_size": 50, "mapping": "psa-projects"})
        assert changed.json()["page_size"] == 50
        assert Sync.objects.get(slug="bi").mapping.slug == "spare"
        assert Sync.objects.get(slug="bi").history.first().history_user == ada

    @pytest.mark.parametrize(
        ("changes", "field", "words"),
        [
            ({"only_when": {"status": ["open"]}}, "only_when", "is never 'open'"),
            ({"only_when": {"nothing": ["x"]}}, "only_when", "no field 'nothing'"),
            ({"max_attempts": 0}, "max_attempts", "Between 1 and 100"),
            ({"mapping": "nowhere"}, "mapping", "does not exist"),
            ({"slug": "erp-jobs"}, "slug", "already exists"),
        ],
    )
    def test_what_is_wrong_is_named_by_field(self, spare, ada, changes, field, words):
        sent = {"slug": "bi", "name": "To BI", "mapping": "spare", **changes}
        response = client_of(ada).post("/api/v1/syncs/", sent)
        assert response.status_code == 400
        assert words in " ".join(response.json()["errors"][field])
        assert response["Content-Type"] == "application/problem+json"

    def test_a_viewer_reads_and_changes_nothing(self, firm, make_person):
        api = client_of(make_person("Vera", "viewer"))
        assert api.get("/api/v1/syncs/psa-projects/").status_code == 200
        for path, data in (("run/", {}), ("pause/", {}), ("reset-cursor/", {}), ("dry-run/", {})):
            assert api.post(f"/api/v1/syncs/psa-projects/{path}", data).status_code == 403
        assert api.patch("/api/v1/syncs/psa-projects/", {"name": "x"}).status_code == 403

    def test_a_read_only_token_starts_nothing(self, firm, ada):
        api = client_of(ada, read_only=True)
        assert api.post("/api/v1/syncs/psa-projects/run/").status_code == 403
        assert not Run.objects.exists()

    def test_a_sync_of_another_domain_does_not_exist(self, firm, make_person):
        api = client_of(make_person("Bill", ("integration_admin", "billing-gl")))
        assert api.get("/api/v1/syncs/psa-projects/").status_code == 404
        assert api.post("/api/v1/syncs/psa-projects/run/").status_code == 404
        assert api.get("/api/v1/syncs/").json()["results"] == []

    def test_run_pause_resume_and_reset(self, firm, olga):
        api = client_of(olga)
        first = api.post("/api/v1/syncs/psa-projects/run/")
        assert (first.status_code, first.json()["made"]) == (202, True)
        again = api.post("/api/v1/syncs/psa-projects/run/")
        assert (again.json()["id"], again.json()["made"]) == (first.json()["id"], False)
        refused = api.post("/api/v1/syncs/psa-projects/reset-cursor/")
        assert (refused.status_code, refused.json()["code"]) == (422, "RUNNING")
        cancelled = api.post(f"/api/v1/runs/{first.json()['id']}/cancel/", {"note": "wrong month"})
        assert cancelled.json()["status"] == "cancelled"
        assert "wrong month" in cancelled.json()["error"]
        assert api.post("/api/v1/syncs/psa-projects/reset-cursor/").status_code == 204
        assert api.post("/api/v1/syncs/psa-projects/pause/").json()["is_paused"]
        assert api.post("/api/v1/syncs/psa-projects/run/").json()["code"] == "PAUSED"
        assert not api.post("/api/v1/syncs/psa-projects/resume/").json()["is_paused"]

    def test_a_dry_run_says_what_would_happen(self, firm, olga):
        firm.psa.sources["projects"] = [build.project_row(1), build.project_row(2, currency="euro")]
        found = client_of(olga).post("/api/v1/syncs/psa-projects/dry-run/", {"sample": 10}).json()
        assert (found["counts"]["create"], found["counts"]["reject"]) == (1, 1)
        assert found["rows"][0]["changes"][0] == {"field": "code", "before": None, "after": "P-0001", "is_known": True}
        assert not Run.objects.exists()
        assert client_of(olga).post("/api/v1/syncs/psa-projects/dry-run/", {"sample": 501}).status_code == 400


class TestSchedules:
    def test_a_schedule_is_made_changed_and_deleted(self, firm, ada):
        api = client_of(ada)
        made = api.post(
            "/api/v1/schedules/", {"sync": "psa-projects", "cron": "0 6 * * 1-5", "time_zone": "Europe/London"}
        )
        assert made.status_code == 201, made.json()
        assert made.json()["words"] == "At 06:00, Monday through Friday (Europe/London)"
        assert len(made.json()["next_times"]) == 10
        slug = made.json()["slug"]
        assert api.patch(f"/api/v1/schedules/{slug}/", {"is_active": False}).json()["is_active"] is False
        assert api.delete(f"/api/v1/schedules/{slug}/").status_code == 204
        assert not Schedule.objects.exists()

    @pytest.mark.parametrize(("changes", "field"), [({"cron": "daily"}, "cron"), ({"time_zone": "Mars"}, "time_zone")])
    def test_what_is_no_schedule_is_named_by_field(self, firm, ada, changes, field):
        sent = {"sync": "psa-projects", "cron": "0 6 * * *", **changes}
        response = client_of(ada).post("/api/v1/schedules/", sent)
        assert response.status_code == 400
        assert field in response.json()["errors"]

    def test_a_schedule_of_another_domain_cannot_be_made(self, firm, make_person):
        api = client_of(make_person("Bill", ("integration_admin", "billing-gl")))
        assert api.post("/api/v1/schedules/", {"sync": "psa-projects", "cron": "0 6 * * *"}).status_code == 400


class TestRunsAndTheLedger:
    def test_a_run_accounts_for_its_records(self, firm, ada):
        run = firm.read(build.project_row(1), build.project_row(2, currency="euro"))
        found = client_of(ada).get(f"/api/v1/runs/{run.pk}/").json()
        assert (found["read"], found["created"], found["rejected"]) == (2, 1, 1)
        assert found["sync"] == "psa-projects"
        assert [r["id"] for r in client_of(ada).get("/api/v1/runs/?sync=psa-projects").json()["results"]] == [run.pk]

    def test_transactions_page_by_number_and_amounts_are_exact(self, firm, ada):
        firm.read(*(build.project_row(n, budget="0.10") for n in range(60)))
        api = client_of(ada)
        first = api.get("/api/v1/transactions/?sync=psa-projects").json()
        second = api.get(first["next"]).json()
        ids = [row["id"] for row in first["results"] + second["results"]]
        assert len(set(ids)) == 60
        assert second["next"] is None
        assert api.get(second["previous"]).json()["results"] == first["results"]
        amounts = {row["amount"] for row in first["results"]}
        assert all(isinstance(a, str) and Decimal(a) == Decimal("0.10") for a in amounts)

    def test_a_transaction_tells_its_thread(self, firm, ada):
        firm.read(build.project_row(1))
        firm.deliver()
        first, second = Transaction.objects.order_by("pk")
        found = client_of(ada).get(f"/api/v1/transactions/{first.pk}/").json()
        assert [row["id"] for row in found["thread"]] == [first.pk, second.pk]
        assert "for the first time" in found["sentence"]

    def test_the_ledger_is_only_read(self, firm, ada):
        firm.read(build.project_row(1))
        row = Transaction.objects.get()
        api = client_of(ada)
        assert api.delete(f"/api/v1/transactions/{row.pk}/").status_code in (403, 405)
        assert api.post("/api/v1/transactions/", {}).status_code in (403, 405)

    def test_another_domain_sees_nothing(self, firm, make_person):
        run = firm.read(build.project_row(1))
        api = client_of(make_person("Bill", ("viewer", "billing-gl")))
        assert api.get(f"/api/v1/runs/{run.pk}/").status_code == 404
        assert api.get("/api/v1/transactions/").json()["results"] == []
        assert api.get(f"/api/v1/transactions/{Transaction.objects.get().pk}/").status_code == 404


class TestTrouble:
    def test_a_held_record_is_tried_again_once(self, firm, olga):
        firm.hold_one()
        api = client_of(olga)
        (found,) = api.get("/api/v1/held-records/?state=quarantined").json()["results"]
        assert (found["external_id"], found["amount"], found["state"]) == ("2", "1000", "quarantined")
        assert api.post(f"/api/v1/held-records/{found['id']}/retry/").json() == {"done": True}
        assert api.post(f"/api/v1/held-records/{found['id']}/retry/").json() == {"done": False}
        assert HeldRecord.objects.get().state == HeldState.RELEASED

    def test_a_held_record_is_discarded_with_a_reason(self, firm, olga):
        firm.hold_one()
        api = client_of(olga)
        (found,) = api.get("/api/v1/held-records/").json()["results"]
        assert api.post(f"/api/v1/held-records/{found['id']}/discard/", {}).status_code == 400
        assert api.post(f"/api/v1/held-records/{found['id']}/discard/", {"reason": "A test."}).json() == {"done": True}
        assert api.get(f"/api/v1/held-records/{found['id']}/").status_code == 404

    def test_a_dead_letter_is_sent_again(self, firm, olga):
        firm.kill_one()
        api = client_of(olga)
        (found,) = api.get("/api/v1/deliveries/?state=dead").json()["results"]
        assert (found["key"], found["error_code"]) == ("P-0001", "PERMANENT")
        assert api.post(f"/api/v1/deliveries/{found['id']}/retry/").json() == {"done": True}
        assert Delivery.objects.get().state == DeliveryState.PENDING
        assert api.get(f"/api/v1/deliveries/{found['id']}/").json()["state"] == "pending"

    def test_a_lost_answer_is_confirmed_or_sent_again(self, firm, olga):
        firm.lose_one()
        api = client_of(olga)
        (found,) = api.get("/api/v1/deliveries/?state=unsure").json()["results"]
        assert api.post(f"/api/v1/deliveries/{found['id']}/retry/").json() == {"done": False}
        assert api.post(f"/api/v1/deliveries/{found['id']}/confirm/", {"ref": "J-9"}).json() == {"done": True}
        assert api.post(f"/api/v1/deliveries/{found['id']}/resend/").json() == {"done": False}
        assert api.post(f"/api/v1/deliveries/{found['id']}/discard/", {"reason": "x"}).json() == {"done": False}

    @pytest.mark.parametrize("id_", ["1-%%", "999-eA", "x", "1-_"])
    def test_an_id_that_is_none_is_not_found(self, firm, ada, id_):
        assert client_of(ada).get(f"/api/v1/held-records/{id_}/").status_code == 404

    def test_a_viewer_decides_nothing(self, firm, make_person):
        firm.hold_one()
        api = client_of(make_person("Vera", "viewer"))
        (found,) = api.get("/api/v1/held-records/").json()["results"]
        assert api.post(f"/api/v1/held-records/{found['id']}/retry/").status_code == 403


def test_a_run_that_has_ended_stays_as_it_is(firm, olga):
    run = firm.read(build.project_row(1))
    assert client_of(olga).post(f"/api/v1/runs/{run.pk}/cancel/", {}).json()["status"] == "succeeded"
    assert not services.cancel_run(run=run, by=olga)


def test_every_operation_describes_itself(firm, tmp_path, capsys):
    path = tmp_path / "schema.yaml"
    call_command("spectacular", file=str(path), validate=True, fail_on_warn=False)
    schema = path.read_text()
    for operation in ("/syncs/{slug}/dry-run/", "/deliveries/{id}/confirm/", "/held-records/{id}/discard/"):
        assert operation in schema
    told = capsys.readouterr()
    assert "hub/sync" not in told.err, told.err
