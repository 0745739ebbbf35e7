"""Dry runs: the same judgement as a run, and not one write, here or at the target."""

from __future__ import annotations

import pytest
from django.db import connection

from hub.common.errors import AuthError, ConfigError
from hub.sync.dry_result import ORDER
from hub.sync.dry_run import dry_run, dry_run_mapping
from hub.sync.models import Run
from hub.sync.payloads import differences, same
from mappings.models import Mapping
from mappings.services import save_draft_rules
from tests import memory
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def firm(domains):
    return worlds.make()


def everything():
    """Every row of every table of the hub, as one number each."""
    with connection.cursor() as cursor:
        cursor.execute("select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace")
        tables = [row[0] for row in cursor.fetchall()]
        found = {}
        for table in tables:
            cursor.execute(f'select count(*), sum(hashtext(t::text)::bigint) from "{table}" t')
            found[table] = cursor.fetchone()
        return found


def by_key(result):
    return {row.key or row.external_id: row for row in result.rows}


class TestNothingIsWritten:
    def test_reading(self, firm):
        firm.read(build.project_row(1), build.project_row(2))
        firm.psa.sources["projects"] = [
            build.project_row(1, title="Other"), build.project_row(2), build.project_row(3),
            build.project_row(4, currency="euro"), build.project_row(5, code="p-0001"),
        ]  # fmt: skip
        before = everything()
        result = dry_run(firm.inbound)
        assert result.counts == {"create": 1, "update": 1, "skip": 1, "would_duplicate": 1, "reject": 1, "waiting": 0}
        assert everything() == before

    def test_delivering(self, firm):
        firm.read(*(build.project_row(n) for n in range(5)))
        before = everything()
        result = dry_run(firm.outbound)
        assert result.counts["create"] == 5
        assert everything() == before
        assert not firm.erp.writes
        assert not firm.erp.targets

    @pytest.mark.parametrize("direction", ["in", "out"])
    def test_what_it_says_is_what_a_run_then_does(self, firm, direction):
        firm.read(build.project_row(1), build.project_row(2))
        if direction == "in":
            firm.psa.sources["projects"] = [
                build.project_row(1, title="Other"),
                build.project_row(2),
                build.project_row(3),
            ]
            counts = dry_run(firm.inbound).counts
            run = firm.read(*firm.psa.sources["projects"])
        else:
            counts = dry_run(firm.outbound).counts
            run = firm.deliver()
        assert (counts["create"], counts["update"], counts["skip"]) == (run.created, run.updated, run.unchanged)


class TestReading:
    def test_an_update_names_its_fields_before_and_after(self, firm):
        firm.read(build.project_row(1))
        firm.psa.sources["projects"] = [build.project_row(1, title="Other", status="closed")]
        (row,) = dry_run(firm.inbound).rows
        assert [(c.field, c.before, c.after) for c in row.changes] == [
            ("name", "Project 1", "Other"),
            ("status", "active", "closed"),
        ]

    def test_a_rejected_record_says_why(self, firm):
        firm.psa.sources["projects"] = [build.project_row(1, currency="euro")]
        (row,) = dry_run(firm.inbound).rows
        assert row.would == "reject"
        assert "euro" in row.sentence

    def test_a_record_before_its_parent_would_wait(self, firm):
        entity = build.entity("time", build.TIME)
        stream = build.stream(firm.inbound.stream.connection, "times")
        rules = [
            {"target": "number", "source": "id"},
            {"target": "project", "source": "project"},
            {"target": "hours", "source": "hours"},
        ]
        times = build.sync("psa-times", "in", stream, entity, rules)
        firm.psa.sources["times"] = [{"id": "t1", "project": "P-0001", "hours": "8"}]
        result = dry_run(times)
        assert result.counts["waiting"] == 1
        assert "Project 'P-0001'" in result.rows[0].sentence

    @pytest.mark.parametrize("code", ["p-0001", " P-0001", "00P-0001", "P -0001"])
    def test_a_key_that_differs_only_in_writing_would_duplicate(self, firm, code):
        firm.read(build.project_row(1))
        firm.psa.sources["projects"] = [build.project_row(2, code=code, title="Quite another")]
        (row,) = dry_run(firm.inbound).rows
        assert (row.would, row.twin) == ("would_duplicate", "P-0001")

    def test_the_same_name_under_another_key_would_duplicate(self, firm):
        firm.read(build.project_row(1, title="Harrow & Vale, audit"))
        firm.psa.sources["projects"] = [build.project_row(2, title="HARROW  & VALE audit")]
        (row,) = dry_run(firm.inbound).rows
        assert (row.would, row.twin) == ("would_duplicate", "P-0001")
        assert "the name" in row.sentence

    def test_two_records_of_the_sample_for_one_key_are_one_object(self, firm):
        firm.psa.sources["projects"] = [build.project_row(1), build.project_row(2, code="P-0001", title="Twin")]
        assert [row.would for row in dry_run(firm.inbound).rows] == ["create", "update"]

    def test_only_the_named_records_are_looked_at(self, firm):
        firm.psa.sources["projects"] = [build.project_row(n) for n in range(300)]
        result = dry_run(firm.inbound, external_ids=["7", "299", "nobody"])
        assert sorted(row.external_id for row in result.rows) == ["299", "7"]
        assert any("nobody" in note for note in result.notes)

    def test_the_sample_has_the_size_that_was_asked_for(self, firm):
        firm.psa.sources["projects"] = [build.project_row(n) for n in range(300)]
        assert dry_run(firm.inbound, sample=7).read == 7
        with pytest.raises(ConfigError, match="1 to 500"):
            dry_run(firm.inbound, sample=501)

    def test_when_nothing_is_new_the_first_records_are_looked_at(self, firm):
        stream = firm.inbound.stream
        stream.cursor_field = "seen"
        stream.save()
        firm.read(*(build.project_row(n, seen=f"2026-01-0{n}") for n in (1, 2)))
        firm.psa.sources["projects"] = [build.project_row(0, seen="2025-01-01")]
        result = dry_run(firm.inbound)
        assert result.read == 1
        assert "Nothing is new" in result.notes[0]

    def test_rows_stand_in_the_fixed_order_of_the_words(self, firm):
        firm.psa.sources["projects"] = [build.project_row(1, currency="x"), build.project_row(2), build.project_row(2)]
        words = [row.would for row in dry_run(firm.inbound).rows]
        assert words == sorted(words, key=ORDER.index)

    def test_a_source_that_refuses_us_is_an_error_not_a_result(self, firm):
        firm.psa.fail_with = [AuthError("The key is refused.")]
        with pytest.raises(AuthError):
            dry_run(firm.inbound)


class TestDelivering:
    def test_the_target_is_asked_what_it_holds(self, firm):
        firm.erp.targets["jobs"] = {
            "P-0001": {"number": "P-0001", "description": "Old name", "amount": 1000},
            "P-0002": {"number": "P-0002", "description": "Project 2", "amount": "1000.0"},
            "p-0003": {"number": "p-0003"},
        }
        firm.read(*(build.project_row(n) for n in (1, 2, 3, 4)))
        rows = by_key(dry_run(firm.outbound))
        assert {key: row.would for key, row in rows.items()} == {
            "P-0001": "update", "P-0002": "skip", "P-0003": "would_duplicate", "P-0004": "create",
        }  # fmt: skip
        assert [(c.field, c.before, c.after) for c in rows["P-0001"].changes] == [
            ("description", "Old name", "Project 1")
        ]

    def test_a_stream_that_only_creates_would_duplicate_what_is_there(self, firm):
        stream = firm.outbound.stream
        stream.options = {"operation": "create"}
        stream.save()
        firm.erp.targets["jobs"] = {"P-0001": {"number": "P-0001"}}
        firm.read(build.project_row(1))
        assert dry_run(firm.outbound).rows[0].would == "would_duplicate"

    def test_a_target_that_cannot_be_asked_is_judged_by_what_was_delivered(self, firm, monkeypatch):
        firm.read(build.project_row(1), build.project_row(2))
        firm.deliver()
        firm.read(build.project_row(1, title="Other"), build.project_row(2), build.project_row(3))

        def cannot(self, stream, keys):
            raise NotImplementedError

        monkeypatch.setattr(memory.MemoryConnector, "find", cannot)
        result = dry_run(firm.outbound)
        assert {key: row.would for key, row in by_key(result).items()} == {
            "P-0001": "update", "P-0002": "skip", "P-0003": "create",
        }  # fmt: skip
        assert "cannot be asked" in result.notes[0]

    def test_only_records_that_meet_the_condition_are_looked_at(self, firm):
        firm.read(build.project_row(1), build.project_row(2, status="closed"))
        late = build.sync(
            "bi", "out", build.stream(build.connection("bi"), "p"), firm.inbound.entity, build.OUT_RULES,
            only_when={"status": ["closed"]},
        )  # fmt: skip
        assert [row.key for row in dry_run(late).rows] == ["P-0002"]

    def test_only_the_named_records(self, firm):
        firm.read(*(build.project_row(n) for n in range(5)))
        assert [row.key for row in dry_run(firm.outbound, external_ids=["P-0003"]).rows] == ["P-0003"]


class TestDrafts:
    RULES = [
        *build.PROJECT_RULES[:1],
        {"target": "name", "kind": "template", "text": "{title}!"},
        *build.PROJECT_RULES[2:],
    ]

    def test_other_rules_are_tried_without_being_activated(self, firm):
        firm.read(build.project_row(1))
        (row,) = dry_run(firm.inbound, rules=self.RULES).rows
        assert (row.would, row.changes[0].after) == ("update", "Project 1!")
        assert firm.inbound.mapping.versions.count() == 1

    def test_a_mapping_without_a_sync_or_an_active_version_can_be_tried(self, firm, ada):
        mapping = Mapping.objects.create(
            slug="fresh", name="Fresh", direction="in", stream=firm.inbound.stream, entity=firm.inbound.entity
        )
        save_draft_rules(mapping=mapping, rules=build.PROJECT_RULES, by=ada)
        firm.psa.sources["projects"] = [build.project_row(1)]
        result = dry_run_mapping(mapping, rules=build.PROJECT_RULES)
        assert result.counts["create"] == 1
        assert "the draft of the mapping" in result.versions

    def test_rules_that_cannot_be_read_say_every_reason(self, firm):
        with pytest.raises(ConfigError, match="problem"):
            dry_run(firm.inbound, rules=[{"target": "code", "kind": "odd"}])


class TestDifferences:
    @pytest.mark.parametrize(
        ("one", "other"),
        [("1000.00", 1000), (1000.0, "1000"), (None, ""), ("true", True), ("2026-01-01", "2026-01-01"), ([1], [1])],
    )
    def test_values_that_mean_the_same_are_no_difference(self, one, other):
        assert same(one, other)

    @pytest.mark.parametrize(("one", "other"), [("007", "7"), ("1", True), ("a", None), (0, None), ("1e3", 1000)])
    def test_values_that_do_not_are(self, one, other):
        assert not same(one, other)

    def test_nested_records_are_compared_by_path(self):
        (change,) = differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}})
        assert (change.field, change.before, change.after) == ("a.c", 2, 3)


class TestThePage:
    def test_shows_the_five_words_and_each_difference(self, firm, browse, olga):
        firm.read(build.project_row(1))
        firm.psa.sources["projects"] = [build.project_row(1, title="Other"), build.project_row(2)]
        runs = Run.objects.count()
        page = browse(olga).get("/syncs/psa-projects/dry-run/?sample=50").content.decode()
        for word in ("Create", "Update", "Skip", "Would duplicate", "Reject", "Other", "Nothing was written"):
            assert word in page
        assert Run.objects.count() == runs

    def test_the_form_alone_reads_nothing(self, firm, browse, olga):
        firm.psa.fail_with = [AuthError("The key is refused.")]
        assert browse(olga).get("/syncs/psa-projects/dry-run/").status_code == 200
        assert len(firm.psa.fail_with) == 1

    def test_a_source_that_fails_is_shown_as_a_sentence(self, firm, browse, olga):
        firm.psa.fail_with = [AuthError("The key is refused.", fix="Sign in again.")]
        page = browse(olga).get("/syncs/psa-projects/dry-run/?sample=50").content.decode()
        assert "The key is refused." in page
        assert "Sign in again." in page

    @pytest.mark.parametrize("sample", ["0", "501", "x"])
    def test_a_sample_out_of_bounds_is_refused(self, firm, browse, olga, sample):
        assert browse(olga).get(f"/syncs/psa-projects/dry-run/?sample={sample}").status_code == 422

    @pytest.mark.parametrize("fmt", ["csv", "json"])
    def test_it_can_be_taken_along(self, firm, browse, olga, fmt):
        firm.psa.sources["projects"] = [build.project_row(1)]
        response = browse(olga).get(f"/syncs/psa-projects/dry-run.{fmt}?sample=50")
        assert b"P-0001" in b"".join(response.streaming_content)

    def test_a_viewer_does_not_ask_other_systems(self, firm, browse, make_person):
        assert browse(make_person("Vera", "viewer")).get("/syncs/psa-projects/dry-run/").status_code == 403

    def test_a_mapping_draft_has_its_own_page(self, firm, browse, olga, ada):
        save_draft_rules(mapping=firm.inbound.mapping, rules=TestDrafts.RULES, by=ada)
        firm.psa.sources["projects"] = [build.project_row(1)]
        page = browse(olga).get("/syncs/mapping/psa-projects/dry-run/?sample=5").content.decode()
        assert "Project 1!" in page
        stranger = browse(olga).get("/syncs/mapping/nowhere/dry-run/")
        assert stranger.status_code == 404

    def test_masked_fields_stay_masked(self, domains, browse, olga):
        schema = {**build.PROJECT, "properties": {**build.PROJECT["properties"]}}
        schema["properties"]["budget"] = {**build.PROJECT["properties"]["budget"], "x-classification": "restricted"}
        firm = worlds.make(schema=schema)
        firm.psa.sources["projects"] = [build.project_row(1, budget="81234.50")]
        client = browse(olga)
        for path in ("/syncs/psa-projects/dry-run/?sample=5", "/syncs/psa-projects/dry-run.csv?sample=5"):
            response = client.get(path)
            body = b"".join(response.streaming_content) if response.streaming else response.content
            assert b"81234.50" not in body
        firm.read(build.project_row(1, budget="81234.50"))
        assert b"81234.50" not in client.get("/syncs/erp-jobs/dry-run/?sample=5").content
