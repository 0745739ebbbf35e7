"""Pages, API, command and configuration of first loads: who may do what, and that all say the same."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from rest_framework.test import APIClient

from governance.services import activate_schema
from hub.common.errors import ConfigError
from hub.config import services as config
from hub.sync.adopt import services
from hub.sync.models import Adoption, MatchDefinition, Sync
from tests.sync import builders as build
from tests.sync import worlds
from tests.sync.test_adopt_rules import firm, groups, hold, job, plan, row_of, sent
from tests.sync.test_api import client_of

__all__ = ["firm"]

pytestmark = pytest.mark.django_db(transaction=True)


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


@pytest.fixture
def adoption(firm: worlds.Firm) -> Adoption:
    hold(firm, job(1), job(2, amount="900.00"), job(8, number="X-3", description="Project 3"))
    return plan(firm)


class TestPages:
    def test_an_operator_reads_both_sides_and_an_approver_lets_it_write(
        self, firm: worlds.Firm, browse: Any, olga: Any, grace: Any
    ) -> None:
        hold(firm, job(1))
        browse(olga).post("/first-loads/new/", {"target": "erp-jobs", "source": ""})
        adoption = services.work_here(Adoption.objects.get())
        assert browse(olga).post(f"/first-loads/{adoption.pk}/approve/").status_code == 403
        assert "Approve…" not in text(browse(olga).get(f"/first-loads/{adoption.pk}/"))
        assert "Approve…" in text(browse(grace).get(f"/first-loads/{adoption.pk}/"))
        browse(grace).post(f"/first-loads/{adoption.pk}/approve/")
        adoption.refresh_from_db()
        assert (adoption.status, adoption.requested_by, adoption.approved_by) == ("linking", olga, grace)
        assert Sync.objects.get(slug="erp-jobs").mode == "adopt"

    def test_the_page_opens_with_what_wants_a_person(self, adoption: Adoption, browse: Any, olga: Any) -> None:
        page = text(browse(olga).get(f"/first-loads/{adoption.pk}/"))
        assert '<section class="panel" aria-label="Maybe">' in page
        assert "P-0003" in page

    def test_a_decision_is_kept_with_who_took_it(self, adoption: Adoption, browse: Any, olga: Any) -> None:
        row = row_of(adoption, "P-0003")
        browse(olga).post(f"/first-loads/{adoption.pk}/records/{row.pk}/decide/", {"decision": "link"})
        row.refresh_from_db()
        assert (row.decision, row.decided_by, row.partner.external_id) == ("link", olga, "j8")
        assert groups(adoption)["conflict"] == 2

    def test_a_decision_that_is_refused_says_why(self, adoption: Adoption, browse: Any, olga: Any) -> None:
        row, taken = row_of(adoption, "P-0003"), row_of(adoption, "P-0001").partner
        sent_ = {"decision": "link", "partner": taken.pk}
        page = browse(olga).post(f"/first-loads/{adoption.pk}/records/{row.pk}/decide/", sent_, follow=True)
        assert "Another record is linked to it already" in text(page)

    def test_a_line_is_exported_with_what_differs(self, adoption: Adoption, browse: Any, olga: Any) -> None:
        answer = browse(olga).get(f"/first-loads/{adoption.pk}.csv?group=conflict")
        body = b"".join(answer.streaming_content).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(body)))
        assert [(row["Key"], row["Id at the target"], row["Amount"], row["Currency"]) for row in rows] == [
            ("P-0002", "j2", "1000", "EUR")
        ]
        assert rows[0]["Differences"] == "amount: '900.00' there, '1000.00' here, hub wins"

    def test_masked_values_do_not_reach_who_may_not_reveal_them(
        self, firm: worlds.Firm, browse: Any, olga: Any, ada: Any
    ) -> None:
        schema = json.loads(json.dumps(build.PROJECT))
        schema["properties"]["name"]["x-classification"] = "confidential"
        activate_schema(contract=firm.outbound.entity.contract, schema=schema, by=None)
        hold(firm, job(1, description="Secret depot"))
        adoption = plan(firm)
        for path in ("?group=conflict", f"records/{row_of(adoption, 'P-0001').pk}/"):
            assert "Secret depot" not in text(browse(olga).get(f"/first-loads/{adoption.pk}/{path}"))
            assert "Secret depot" in text(browse(ada).get(f"/first-loads/{adoption.pk}/{path}"))
        lines = b"".join(browse(olga).get(f"/first-loads/{adoption.pk}.csv?group=conflict").streaming_content)
        assert b"Secret depot" not in lines

    def test_a_person_of_another_domain_sees_no_first_load(
        self, adoption: Adoption, browse: Any, make_person: Any
    ) -> None:
        stranger = browse(make_person("Bill", ("operator", "billing-gl")))
        assert stranger.get(f"/first-loads/{adoption.pk}/").status_code == 404
        assert "erp-jobs" not in text(stranger.get("/first-loads/"))
        assert stranger.post(f"/first-loads/{adoption.pk}/abandon/").status_code == 404

    def test_a_viewer_may_not_decide(self, adoption: Adoption, browse: Any, make_person: Any) -> None:
        row = row_of(adoption, "P-0003")
        vera = browse(make_person("Vera", "viewer"))
        assert vera.post(f"/first-loads/{adoption.pk}/records/{row.pk}/decide/", {"decision": "new"}).status_code == 403
        assert "Leave out" not in text(vera.get(f"/first-loads/{adoption.pk}/"))

    def test_two_syncs_of_different_entities_are_refused_with_a_sentence(
        self, firm: worlds.Firm, browse: Any, olga: Any
    ) -> None:
        time = build.entity("time_entry", build.TIME)
        rules = [{"target": "number", "source": "id"}]
        build.sync("psa-time", "in", build.stream(firm.inbound.stream.connection, "time"), time, rules)
        answer = browse(olga).post("/first-loads/new/", {"target": "erp-jobs", "source": "psa-time"})
        assert answer.status_code == 422
        assert "It reads Time_Entry, and the other one delivers Project." in text(answer)

    def test_the_mode_is_chosen_on_the_sync_that_delivers_alone(self, firm: worlds.Firm, browse: Any, ada: Any) -> None:
        assert "looked up at the target" in text(browse(ada).get("/syncs/erp-jobs/settings/"))
        assert "looked up at the target" not in text(browse(ada).get("/syncs/psa-projects/settings/"))
        browse(ada).post(
            "/syncs/erp-jobs/settings/", {"name": "Jobs", "page_size": "0", "max_attempts": "8", "mode": "adopt"}
        )
        assert Sync.objects.get(slug="erp-jobs").mode == "adopt"


class TestDefinitions:
    def test_a_new_one_begins_with_what_would_count_without_it(self, firm: worlds.Firm, browse: Any, ada: Any) -> None:
        page = browse(ada).get("/first-loads/matching/new/?entity=project")
        rows = page.context["rows"]
        assert [row["field"].value() for row in rows] == ["$key", "name", None, None]

    def test_a_saved_one_counts_for_the_next_first_load(self, firm: worlds.Firm, browse: Any, ada: Any) -> None:
        first = {"field": "name", "compare": "similar", "form": "text", "weight": "2", "decides": "on"}
        rows = {f"compare-0-{name}": value for name, value in first.items()} | {"compare-1-field": ""}
        scores = {"entity": "project", "same_at": "90", "maybe_at": "60", "keep_target": ["status"]}
        sent_ = {**scores, **rows, "compare-rows": "2"}
        assert browse(ada).post("/first-loads/matching/new/", sent_).status_code == 302
        hold(firm)
        rules = services.start(target=firm.outbound, source=None, by=ada).rules
        assert (rules["same_at"], rules["maybe_at"], rules["keep_target"]) == (90, 60, ["status"])
        assert [(one["field"], one["weight"], one["decides"]) for one in rules["fields"]] == [("name", 2, True)]

    def test_a_wrong_one_is_shown_again_with_the_sentence(self, firm: worlds.Firm, browse: Any, ada: Any) -> None:
        sent_ = {"entity": "project", "same_at": "60", "maybe_at": "90", "compare-rows": "0"}
        answer = browse(ada).post("/first-loads/matching/new/", sent_)
        assert answer.status_code == 422
        assert "Name at least one field to compare" in text(answer)

    def test_it_travels_as_a_document(self, firm: worlds.Firm, tmp_path: Any) -> None:
        document = {
            "kind": "MatchDefinition", "slug": "jobs", "entity": "project", "sync": "erp-jobs",
            "fields": [{"field": "name", "compare": "similar", "form": "text", "weight": 2, "decides": True}], "same_at": 95,
        }  # fmt: skip
        (tmp_path / "jobs.yaml").write_text(yaml.safe_dump(document))
        config.apply(tmp_path)
        assert MatchDefinition.objects.get().sync == firm.outbound
        assert config.apply(tmp_path).steps == []
        assert document in list(config.export())

    def test_a_document_of_an_unknown_field_is_refused(self, firm: worlds.Firm, tmp_path: Any) -> None:
        document = {"kind": "MatchDefinition", "slug": "jobs", "entity": "project", "fields": [{"field": "nobody"}]}
        (tmp_path / "jobs.yaml").write_text(yaml.safe_dump(document))
        with pytest.raises(ConfigError, match="no field 'nobody'"):
            config.apply(tmp_path)


class TestPrograms:
    def test_the_api_goes_the_whole_way(self, firm: worlds.Firm, ada: Any, make_person: Any) -> None:
        hold(firm, job(1), job(8, number="X-3", description="Project 3"))
        api, approver = client_of(ada), client_of(make_person("Noor", "integration_admin", "approver"))
        made = api.post("/api/v1/adoptions/", {"target": "erp-jobs"}).json()
        services.work_here(Adoption.objects.get(pk=made["id"]))
        at = f"/api/v1/adoptions/{made['id']}/"
        assert api.get(at).json()["groups"]["create"] == {"number": 1, "applied": 0, "amounts": {"EUR": "1000"}}
        line = api.get(f"{at}records/?group=maybe").json()["results"][0]
        assert api.post(f"{at}decide/", {"record": line["id"], "decision": "link"}).json()["partner"] == "j8"
        assert api.post(f"{at}approve/").status_code == 403
        assert approver.post(f"{at}approve/").status_code == 202
        assert services.work_here(Adoption.objects.get()).status == "done"

    def test_the_api_needs_a_role_and_a_token(self, firm: worlds.Firm, mallory: Any) -> None:
        assert APIClient().get("/api/v1/adoptions/").status_code == 401
        assert client_of(mallory).get("/api/v1/adoptions/").status_code == 403

    def test_the_command_plans_then_applies_and_finds_nothing_the_second_time(
        self, firm: worlds.Firm, capsys: Any
    ) -> None:
        hold(firm, job(1), job(2, amount="900.00"))
        (planned,) = said(capsys, "erp-jobs", "--plan", "--source", "hub")
        assert (planned["status"], planned["to_do"], sent(firm)) == ("review", 3, [])
        (done,) = said(capsys, "erp-jobs", "--apply", "--source", "hub")
        assert (done["status"], done["to_do"], done["delivery"]["status"]) == ("done", 0, "succeeded")
        firm.erp.sources["jobs"] += [job(3, id="ref-P-0003")]
        (again,) = said(capsys, "erp-jobs", "--plan", "--source", "hub")
        assert again["to_do"] == 0

    def test_the_command_finds_the_source_that_alone_reads_the_entity(self, firm: worlds.Firm, capsys: Any) -> None:
        hold(firm)
        (planned,) = said(capsys, "erp-jobs", "--plan")
        assert planned["source"] == "psa-projects"

    def test_the_command_says_in_one_document_what_is_wrong(self, firm: worlds.Firm, capsys: Any) -> None:
        with pytest.raises(SystemExit) as stopped:
            call_command("adopt", "psa-projects", "--plan", "--source", "hub", "--json")
        document = json.loads(capsys.readouterr().out)
        assert (stopped.value.code, document["adoptions"], document["code"]) == (1, [], "ADOPT")


def said(capsys: Any, *arguments: str) -> list[dict[str, Any]]:
    call_command("adopt", *arguments, "--json")
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["adoptions"]
    return found
