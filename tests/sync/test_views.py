"""Pages of syncs and runs: who sees what, what is refused with which sentence, and what a click does."""

from __future__ import annotations

import pytest

from hub.sync import services
from hub.sync.models import Run, Schedule, Sync, SyncState
from hub.sync.states import HeldState
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def firm(domains):
    return worlds.make()


def messages_of(response):
    return " ".join(str(message) for message in response.context["messages"])


PAGES = [
    "/syncs/",
    "/syncs/psa-projects/",
    "/syncs/psa-projects/runs/",
    "/syncs/psa-projects/trouble/",
    "/syncs/psa-projects/settings/",
    "/syncs/psa-projects/history/",
    "/runs/",
    "/transactions/",
    "/held/",
    "/deliveries/",
]


@pytest.mark.parametrize("path", PAGES)
def test_a_viewer_reads_every_page_and_somebody_without_a_role_none(firm, browse, make_person, mallory, path):
    assert browse(make_person("Vera", "viewer")).get(path).status_code == 200
    assert browse(mallory).get(path).status_code == 403


@pytest.mark.parametrize("path", [p for p in PAGES if "psa-projects" in p])
def test_a_sync_of_another_domain_does_not_exist(firm, browse, make_person, path):
    stranger = make_person("Bill", ("operator", "billing-gl"))
    assert browse(stranger).get(path).status_code == 404
    assert b"psa-projects" not in browse(stranger).get("/syncs/").content


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/syncs/psa-projects/run/", {}),
        ("/syncs/psa-projects/pause/", {"paused": "1"}),
        ("/syncs/psa-projects/read-again/", {}),
        ("/syncs/psa-projects/settings/", {"name": "Mine"}),
        ("/syncs/psa-projects/schedules/new/", {"cron": "0 6 * * *", "time_zone": "UTC"}),
        ("/syncs/new/", {"name": "Mine"}),
    ],
)
def test_a_viewer_changes_nothing(firm, browse, make_person, path, data):
    assert browse(make_person("Vera", "viewer")).post(path, data).status_code == 403
    assert not Run.objects.exists()
    assert Sync.objects.get(slug="psa-projects").name == "psa-projects"


def test_an_operator_runs_but_does_not_edit(firm, browse, olga):
    assert browse(olga).post("/syncs/psa-projects/run/").status_code == 302
    assert Run.objects.get().requested_by == olga
    assert browse(olga).post("/syncs/psa-projects/settings/", {"name": "Mine"}).status_code == 403


class TestTheList:
    def test_says_direction_trigger_and_success_in_words(self, firm, browse, ada):
        firm.read(build.project_row(1))
        Schedule.objects.create(slug="s", sync=firm.inbound, cron="0 6 * * 1-5", time_zone="Europe/London")
        page = browse(ada).get("/syncs/").content.decode()
        assert "psa: projects → Project" in page
        assert "At 06:00, Monday through Friday (Europe/London)" in page
        assert "When records change" in page
        assert "100 %" in page

    def test_filters_by_direction_state_and_name(self, firm, browse, ada):
        firm.read(build.project_row(1))
        client = browse(ada)
        names = lambda query: [r.sync.slug for r in client.get(f"/syncs/?{query}").context["rows"]]  # noqa: E731
        assert names("direction=out") == ["erp-jobs"]
        assert names("state=succeeded") == ["psa-projects"]
        assert names("state=paused") == []
        assert names("q=jobs") == ["erp-jobs"]

    def test_counts_what_waits_and_what_is_held(self, firm, browse, ada):
        firm.hold_one()
        row = next(r for r in browse(ada).get("/syncs/").context["rows"] if r.sync == firm.inbound)
        assert (row.held, row.waiting) == (1, 0)

    @pytest.mark.parametrize("fmt", ["csv", "json"])
    def test_exports_the_same_rows(self, firm, browse, ada, fmt):
        response = browse(ada).get(f"/syncs.{fmt}?direction=out")
        text = b"".join(response.streaming_content).decode()
        assert "erp-jobs" in text
        assert "psa-projects" not in text

    def test_an_empty_hub_says_what_to_do_first(self, domains, browse, ada):
        assert "No syncs yet" in browse(ada).get("/syncs/").content.decode()


class TestMakingASync:
    @pytest.fixture
    def mapping(self, firm):
        target = build.connection("bi")
        made = build.sync("spare", "out", build.stream(target, "rows"), firm.inbound.entity, build.OUT_RULES)
        mapping = made.mapping
        made.delete()
        return mapping

    def sent(self, **changes):
        return {
            "mapping": "spare",
            "name": "Projects to BI",
            "slug": "bi-projects",
            "page_size": "0",
            "max_attempts": "8",
            "when-rows": "1",
            "when-0-name": "status",
            "when-0-values": ["active", "closed"],
            **changes,
        }

    def test_a_sync_is_made_with_its_conditions(self, mapping, browse, ada):
        response = browse(ada).post("/syncs/new/", self.sent())
        assert response.status_code == 302
        made = Sync.objects.get(slug="bi-projects")
        assert made.only_when == {"status": ["active", "closed"]}

    def test_choosing_a_mapping_redraws_the_form_and_stores_nothing(self, mapping, browse, ada):
        response = browse(ada).post("/syncs/new/", self.sent(redraw="1"), headers={"HX-Request": "true"})
        text = response.content.decode()
        assert response.status_code == 200
        assert "<html" not in text
        assert 'value="draft"' in text  # offered by the contract's enum
        assert not Sync.objects.filter(slug="bi-projects").exists()

    def test_a_condition_can_be_added_and_keeps_what_was_typed(self, mapping, browse, ada):
        response = browse(ada).post("/syncs/new/", self.sent(redraw="add"))
        assert len(response.context["conditions"]) == 2
        assert "Projects to BI" in response.content.decode()

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"name": ""}, "This field is required"),
            ({"when-0-values": []}, "Choose at least one value of Status."),
            ({"page_size": "20000"}, "At most 10,000 records a page"),
            ({"max_attempts": "0"}, "Between 1 and 100."),
            ({"slug": "new"}, "is an address of the hub itself"),
            ({"slug": "erp-jobs"}, "already exists"),
            ({"mapping": "nowhere"}, "Select a valid choice"),
        ],
    )
    def test_what_is_wrong_is_said_beside_the_field(self, mapping, browse, ada, changes, sentence):
        response = browse(ada).post("/syncs/new/", self.sent(**changes))
        assert response.status_code == 422
        assert sentence in response.content.decode()

    def test_a_value_that_the_contract_does_not_know_is_refused(self, mapping, browse, ada):
        response = browse(ada).post("/syncs/new/", self.sent(**{"when-0-values": ["open"]}))
        assert response.status_code == 422
        assert not Sync.objects.filter(slug="bi-projects").exists()

    def test_a_mapping_of_another_domain_is_not_offered(self, mapping, browse, make_person):
        editor = make_person("Bill", ("integration_admin", "billing-gl"))
        assert browse(editor).post("/syncs/new/", self.sent()).status_code == 422

    def test_syncs_cannot_wait_for_each_other_in_a_circle(self, firm, browse, ada):
        firm.inbound.after = firm.outbound
        firm.inbound.save()
        sent = {"name": "erp-jobs", "after": firm.inbound.pk, "page_size": "0", "max_attempts": "8", "when-rows": "0"}
        response = browse(ada).post("/syncs/erp-jobs/settings/", sent)
        assert response.status_code == 422
        assert "goes round in a circle" in response.content.decode()


class TestSchedules:
    def test_a_schedule_knows_when_it_fires_next(self, firm, browse, ada):
        sent = {"cron": "0 6 * * 1-5", "time_zone": "Europe/London", "is_active": "on"}
        assert browse(ada).post("/syncs/psa-projects/schedules/new/", sent).status_code == 302
        made = Schedule.objects.get()
        assert made.next_at is not None
        assert made.slug == "psa-projects-schedule"

    def test_a_cron_that_is_none_gets_a_sentence_with_an_example(self, firm, browse, ada):
        sent = {"cron": "every day", "time_zone": "UTC"}
        response = browse(ada).post("/syncs/psa-projects/schedules/new/", sent)
        assert response.status_code == 422
        assert "is not a cron expression" in response.content.decode()

    def test_the_preview_marks_where_the_clocks_change(self, firm, browse, ada, time_machine):
        time_machine.move_to("2026-10-20T00:00:00Z")
        path = "/syncs/schedule-preview/?cron=30 6 * * *&time_zone=Europe/London"
        page = browse(ada).get(path).content.decode()
        assert page.count("<tr><th") == 11
        assert "Clocks go back by 1 h before this" in page

    def test_a_broken_preview_is_a_sentence_not_an_error(self, firm, browse, ada):
        page = browse(ada).get("/syncs/schedule-preview/?cron=60 * * * *&time_zone=Mars")
        assert page.status_code == 200
        assert "is not a time zone" in page.content.decode()

    def test_a_schedule_is_changed_and_deleted(self, firm, browse, ada):
        made = Schedule.objects.create(slug="nightly", sync=firm.inbound, cron="0 6 * * *")
        client = browse(ada)
        client.post("/syncs/psa-projects/schedules/nightly/", {"cron": "0 7 * * *", "time_zone": "UTC"})
        made.refresh_from_db()
        assert (made.cron, made.is_active) == ("0 7 * * *", False)
        client.post("/syncs/psa-projects/schedules/nightly/delete/")
        assert not Schedule.objects.exists()

    def test_history_names_who_changed_what(self, firm, browse, ada):
        client = browse(ada)
        client.post("/syncs/psa-projects/settings/", {"name": "Projects", "mode": "full", "page_size": "50"})
        page = client.get("/syncs/psa-projects/history/").content.decode()
        assert "page size 0 → 50" in page
        assert "by Ada" in page


class TestActions:
    def test_run_now_shows_the_run_that_is_under_way(self, firm, browse, olga):
        client = browse(olga)
        first = client.post("/syncs/psa-projects/run/")
        again = client.post("/syncs/psa-projects/run/", follow=True)
        assert first["Location"] == again.redirect_chain[0][0]
        assert "was under way already" in messages_of(again)

    def test_a_paused_sync_says_why_it_does_not_run(self, firm, browse, olga):
        client = browse(olga)
        client.post("/syncs/psa-projects/pause/", {"paused": "1"})
        response = client.post("/syncs/psa-projects/run/", follow=True)
        assert "is paused" in messages_of(response)
        client.post("/syncs/psa-projects/pause/", {"paused": "0"})
        assert not Sync.objects.get(slug="psa-projects").is_paused

    def test_read_everything_again_forgets_the_cursor(self, firm, browse, olga):
        SyncState.objects.create(sync=firm.inbound, cursor="2026-01-01")
        browse(olga).post("/syncs/psa-projects/read-again/")
        assert SyncState.objects.get().cursor is None

    def test_a_foreign_address_is_not_returned_to(self, firm, browse, olga):
        data = {"paused": "1", "next": "https://evil.example/"}
        response = browse(olga).post("/syncs/psa-projects/pause/", data)
        assert response["Location"] == "/syncs/psa-projects/"


class TestRuns:
    def test_the_page_accounts_for_every_record(self, firm, browse, ada):
        run = firm.read(build.project_row(1), build.project_row(2, currency="euro"))
        page = browse(ada).get(f"/runs/{run.pk}/").content.decode()
        assert "The account adds up" in page
        assert "2 read = 1 created + 1 rejected" in page
        assert f"?run={run.pk}&amp;outcome=created" in page
        assert "euro" in page  # the record that did not pass, with its reason
        assert "Seconds by stage" in page

    def test_a_failed_run_says_what_where_and_what_to_do(self, firm, browse, ada):
        from hub.common.errors import ConfigError

        error = ConfigError("The table is gone.", where="projects", fix="Create it again.", code="NO_TABLE")
        firm.psa.fail_with = [error]
        run = firm.read()
        trouble = browse(ada).get(f"/runs/{run.pk}/").context["trouble"]
        assert (trouble.what, trouble.where, trouble.fix) == ("The table is gone.", "projects", "Create it again.")

    def test_it_stands_beside_the_last_good_run(self, firm, browse, ada):
        good = firm.read(build.project_row(1))
        bad = firm.read(build.project_row(1), build.project_row(2, currency="euro"))
        context = browse(ada).get(f"/runs/{bad.pk}/").context
        assert context["good"] == good
        assert ("Rejected", 1, 0) in context["comparison"]

    def test_progress_is_sent_once_for_each_change(self, firm, browse, ada):
        run, _ = services.start_run(sync=firm.inbound)
        client = browse(ada)
        first = client.get(f"/runs/{run.pk}/live/")
        assert b"hx-trigger" in first.content
        assert client.get(f"/runs/{run.pk}/live/", headers={"If-None-Match": first["ETag"]}).status_code == 304
        Run.objects.filter(pk=run.pk).update(read=10, created=10)
        assert client.get(f"/runs/{run.pk}/live/", headers={"If-None-Match": first["ETag"]}).status_code == 200

    def test_a_run_that_has_ended_is_not_asked_about_any_more(self, firm, browse, ada):
        run = firm.read(build.project_row(1))
        response = browse(ada).get(f"/runs/{run.pk}/live/")
        assert response["HX-Refresh"] == "true"
        assert b"hx-trigger" not in response.content

    def test_cancelling_keeps_who_did_it_and_why(self, firm, browse, olga):
        run, _ = services.start_run(sync=firm.inbound)
        client = browse(olga)
        client.post(f"/runs/{run.pk}/cancel/", {"reason": "wrong month"})
        run.refresh_from_db()
        assert (run.status, run.error) == ("cancelled", "Cancelled by Olga: wrong month")
        again = client.post(f"/runs/{run.pk}/cancel/", {"reason": "again"}, follow=True)
        assert "had ended already" in messages_of(again)

    def test_run_again_starts_a_new_one(self, firm, browse, olga):
        run = firm.read(build.project_row(1))
        browse(olga).post(f"/runs/{run.pk}/again/")
        assert Run.objects.filter(sync=firm.inbound).count() == 2

    def test_filters_by_sync_status_trigger_and_time(self, firm, browse, ada):
        run = firm.read(build.project_row(1))
        client = browse(ada)
        found = lambda query: [r.pk for r in client.get(f"/runs/?{query}").context["page"]]  # noqa: E731
        assert found(f"q={run.pk}") == [run.pk]
        assert found("sync=psa-projects&status=succeeded&trigger=manual&since=1h") == [run.pk]
        assert found("until=2020-01-01") == []

    def test_a_run_of_another_domain_does_not_exist(self, firm, browse, make_person):
        run = firm.read(build.project_row(1))
        assert browse(make_person("Bill", ("viewer", "billing-gl"))).get(f"/runs/{run.pk}/").status_code == 404


def test_the_first_page_shows_runs_and_trouble(firm, browse, ada):
    firm.hold_one()
    page = browse(ada).get("/").content.decode()
    assert "Records in trouble" in page
    assert "Quarantined, held records" in page
    assert "psa-projects" in page


class TestWhatNeedsMe:
    def needs(self, browse, person):
        return [need.title for need in browse(person).get("/").context["needs"]]

    def test_rejected_records_and_refused_deliveries_need_whoever_may_send_again(self, firm, browse, ada):
        firm.hold_one()
        firm.kill_one()
        assert self.needs(browse, ada) == ["1 delivery was refused by the target", "1 record may not pass"]

    def test_a_record_that_only_waits_needs_nobody(self, firm, browse, ada):
        build.held(firm.inbound, "7", {"id": "7"}, state=HeldState.WAITING)
        assert self.needs(browse, ada) == []

    def test_who_may_not_send_again_is_not_asked_to(self, firm, browse, make_person):
        firm.hold_one()
        assert self.needs(browse, make_person("Vera", "viewer")) == []
