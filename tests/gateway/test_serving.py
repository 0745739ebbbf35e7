"""Other programs get what they were granted, as often as they may, in the version that they ask for, and nothing else."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from hub.gateway import known, limits, services
from hub.gateway.models import Api, Consumer, ConsumerToken, Traffic
from hub.records.models import CanonicalRecord
from tests import memory
from tests.gateway.conftest import Portal
from tests.sync import builders as build

pytestmark = pytest.mark.django_db(transaction=True)
READ = "system/projects/v1/"
ONE = READ + "records/P-0001/"


@pytest.fixture
def world(portal: Portal) -> Portal:
    portal.firm.read(*(build.project_row(n) for n in range(1, 4)))
    portal.offer("SystemApi", "projects", entity="project", operations=["read", "lookup"], stream="psa-projects")
    portal.register({"system/projects": ["read", "lookup"]})
    return portal


class TestWho:
    @pytest.mark.parametrize("token", ["", "hub_gw_nobody", "hub_pat_x"])
    def test_without_a_token_of_a_consumer_nothing_is_given(self, world: Portal, token: str) -> None:
        status, body, headers = world.call("GET", ONE, token=token)
        assert (status, body["code"], headers["WWW-Authenticate"]) == (401, "NOT_SIGNED_IN", "Bearer")
        assert headers["Content-Type"] == "application/problem+json"

    def test_only_the_digest_of_a_token_is_kept(self, world: Portal) -> None:
        kept = ConsumerToken.objects.get()
        assert world.token not in (kept.digest, kept.begins)
        assert world.token.startswith(kept.begins)

    def test_a_token_that_is_revoked_or_over_or_of_a_consumer_that_is_off_opens_nothing(self, world: Portal) -> None:
        assert world.call("GET", ONE)[0] == 200
        consumer = Consumer.objects.get()
        second = services.issue_token(consumer, by=None, expires_at=timezone.now() + timedelta(days=1))
        assert world.call("GET", ONE, token=second)[0] == 200
        services.revoke_token(ConsumerToken.objects.earliest("pk"), by=None)
        assert [world.call("GET", ONE)[0], world.call("GET", ONE, token=second)[0]] == [401, 200]
        ConsumerToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        known.forget()
        assert world.call("GET", ONE, token=second)[0] == 401
        ConsumerToken.objects.update(expires_at=None, revoked_at=None)
        world.register({"system/projects": ["read"]}, is_active=False)
        assert world.call("GET", ONE, token=second)[0] == 401

    def test_what_was_not_granted_is_refused_by_name_and_what_is_not_offered_too(self, world: Portal) -> None:
        world.register({"system/projects": ["lookup"]})
        status, body, _ = world.call("GET", ONE)
        assert (status, body["code"], body["detail"]) == (403, "NOT_GRANTED", "portal may not read at system/projects.")
        assert world.call("POST", READ, {"id": "9"})[:2][1]["code"] == "NOT_OFFERED"

    def test_a_person_who_is_signed_in_is_no_consumer(self, world: Portal, ada: Any, client: Any) -> None:
        client.force_login(ada, backend="django.contrib.auth.backends.ModelBackend")
        assert client.get(f"/gateway/{ONE}").status_code == 401


class TestHowOften:
    def test_one_request_too_many_in_a_minute_is_told_when_to_come_again(
        self, world: Portal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits.time, "time", lambda: 1_000_000_030.0)
        world.register({"system/projects": ["read"]}, per_minute=3)
        answers = [world.call("GET", ONE) for _ in range(4)]
        assert [status for status, _, _ in answers] == [200, 200, 200, 429]
        assert [headers["RateLimit-Remaining"] for _, _, headers in answers] == ["2", "1", "0", "0"]
        wait = int(answers[-1][2]["Retry-After"])
        assert 0 < wait <= 60
        monkeypatch.setattr(limits.time, "time", lambda: 1_000_000_030.0 + wait)
        assert world.call("GET", ONE)[0] == 200

    def test_every_answer_is_counted_by_consumer_and_version(self, world: Portal) -> None:
        world.call("GET", ONE)
        world.call("GET", ONE)
        world.call("GET", READ + "records/nothing/")
        row = Traffic.objects.get()
        assert (row.consumer.slug, row.api.slug, row.requests, row.failed) == ("portal", "projects", 3, 1)
        assert row.seconds > 0


class TestVersions:
    def test_versions_stand_side_by_side_and_one_that_ends_says_so_in_every_answer(self, world: Portal) -> None:
        world.offer("SystemApi", "projects-v2", path="projects", version=2, entity="project", fields=["code", "name"])
        ends = (date.today() + timedelta(days=30)).isoformat()
        world.offer("SystemApi", "projects", entity="project", operations=["read"], state="deprecated",
                    deprecated_on="2026-11-01", sunset_on=ends)  # fmt: skip
        status, old, headers = world.call("GET", ONE)
        assert status == 200
        assert headers["Deprecation"] == "@1793491200"
        assert headers["Sunset"].endswith("GMT")
        assert headers["Link"] == '</gateway/system/projects/v2/>; rel="successor-version"'
        _, new, headers = world.call("GET", "system/projects/v2/records/P-0001/")
        assert "Deprecation" not in headers
        assert set(new["record"]) == {"code", "name"} < set(old["record"])

    @pytest.mark.parametrize("ended", [{"state": "retired"}, {"state": "deprecated", "sunset_on": "2026-11-01"}])
    def test_one_that_has_ended_is_gone_with_the_address_of_the_next(
        self, world: Portal, ended: dict[str, str]
    ) -> None:
        world.offer("SystemApi", "projects-v2", path="projects", version=2, entity="project")
        world.offer("SystemApi", "projects", entity="project", **ended)
        status, body, _ = world.call("GET", ONE)
        assert (status, body["code"]) == (410, "RETIRED")
        assert "/gateway/system/projects/v2/" in body["detail"]

    def test_a_draft_and_a_version_that_is_not_there_are_not_found(self, world: Portal) -> None:
        Api.objects.update(state="draft")
        known.forget()
        assert world.call("GET", ONE)[0] == world.call("GET", "system/projects/v7/records/P-0001/")[0] == 404


class TestReading:
    def test_a_record_is_found_by_its_key_and_by_the_id_of_the_system(self, world: Portal) -> None:
        status, body, headers = world.call("GET", ONE)
        assert (status, body["key"], body["record"]["code"]) == (200, "P-0001", "P-0001")
        assert world.call("GET", READ + "lookup/1/")[1] == body
        assert world.call("GET", READ + "lookup/77/")[0] == 404
        assert world.call("GET", ONE, If_None_Match=headers["ETag"])[0] == 304
        world.firm.read(build.project_row(1, title="Anew"))
        assert world.call("GET", ONE, If_None_Match=headers["ETag"])[0] == 200

    def test_pages_follow_each_other_without_a_gap_or_a_double(self, world: Portal) -> None:
        world.firm.read(*(build.project_row(n) for n in range(4, 24)))
        seen, path = [], READ + "?page_size=7"
        while path:
            _, body, _ = world.call("GET", path)
            seen += [row["key"] for row in body["data"]]
            path = body["next"] and body["next"].removeprefix("/gateway/") + "&page_size=7"
        assert seen == [f"P-{n:04d}" for n in range(1, 24)]

    @pytest.mark.parametrize(
        ("query", "code"),
        [("page_size=0", "PAGE_SIZE"), ("page_size=x", "PAGE_SIZE"), ("cursor=%FF", "CURSOR"), ("salary=1", "FILTER"),
         ("name=x", "FILTER")],
    )  # fmt: skip
    def test_a_parameter_that_is_not_right_is_said(self, world: Portal, query: str, code: str) -> None:
        status, body, _ = world.call("GET", f"{READ}?{query}")
        assert (status, body["code"]) == (400, code)

    def test_a_list_is_asked_by_the_fields_that_were_declared(self, world: Portal) -> None:
        world.firm.read(build.project_row(9, status="closed"))
        world.offer("SystemApi", "projects", entity="project", filters=["status"])
        _, body, _ = world.call("GET", READ + "?status=closed")
        assert [row["key"] for row in body["data"]] == ["P-0009"]

    def test_what_people_must_reveal_is_never_given(self, portal: Portal) -> None:
        portal.firm.read(build.project_row(1))
        memory.system("psa").sources["time"] = [
            {"id": "1", "number": "T-1", "project": "P-0001", "hours": "7.50", "status": "approved", "salary": "900"}
        ]
        from hub.sync import services as syncs

        assert syncs.run_here(sync=portal.time).error == ""
        portal.offer("SystemApi", "time", entity="time_entry", fields=["number", "salary"])
        portal.register({"system/time": ["read"]})
        assert portal.call("GET", "system/time/v1/records/T-1/")[1]["record"] == {"number": "T-1"}

    def test_a_record_that_breaks_its_contract_is_not_given_and_a_list_names_it(self, world: Portal) -> None:
        CanonicalRecord.objects.filter(key="P-0002").update(body={"code": "P-0002", "budget": []})
        status, body, _ = world.call("GET", READ + "records/P-0002/")
        assert (status, body["code"]) == (502, "CONTRACT")
        _, body, _ = world.call("GET", READ)
        assert ([row["key"] for row in body["data"]], body["left_out"]) == (["P-0001", "P-0003"], ["P-0002"])

    def test_a_read_asks_the_database_for_the_count_and_the_record_alone(
        self, world: Portal, django_assert_max_num_queries: Any
    ) -> None:
        world.call("GET", ONE)
        with django_assert_max_num_queries(3):  # the limit, the record, and now and then the traffic
            world.call("GET", ONE)
