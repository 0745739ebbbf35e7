"""Reading a large ledger: what the database has to touch is bounded by what is shown, not by what is stored."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django.test import RequestFactory
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from hub.common import search as finder
from hub.common.moments import moment
from hub.records.models import ProvenanceProfile
from hub.sync import ledger_search, queries, search, totals
from hub.sync.keys import DeliveryConverter, DeliveryKey, HeldConverter, HeldKey
from hub.sync.ledger_search import LedgerFilter, outcomes_of
from tests.sync import builders as build
from tests.sync import worlds

ROWS = 300_000
# What a page may touch: its 51 rows for each sync, bisections, and a handful of look-ups.
TOUCHED = 6_000


class Touched:
    """Rows that the database read or threw away for the statements inside, by EXPLAIN ANALYZE."""

    def __init__(self) -> None:
        self.rows = 0
        self.worst = ""

    @contextmanager
    def __call__(self):
        with connection.execute_wrapper(self._explain):
            yield self

    def _explain(self, execute, sql, params, many, context):
        if sql.lstrip("( ").lower().startswith("select") and "set_config" not in sql and "current_setting" not in sql:
            with context["connection"].cursor() as cursor:
                raw = cursor.cursor if hasattr(cursor, "cursor") else cursor
                raw.execute(f"explain (analyze, format json) {sql}", params)
                plan = raw.fetchone()[0]
            plan = json.loads(plan) if isinstance(plan, str) else plan
            number = self._sum(plan[0]["Plan"])
            self.worst = max(self.worst, f"{number:9} {sql[:300]}")
            self.rows += number
        return execute(sql, params, many, context)

    def _sum(self, node) -> int:
        loops = node.get("Actual Loops", 1)
        dropped = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        own = 0 if node.get("Plans") else node.get("Actual Rows", 0)
        return int((own + dropped) * loops) + sum(self._sum(child) for child in node.get("Plans", ()))


@pytest.fixture(scope="module")
def big(django_db_setup, django_db_blocker):
    """300,000 ledger rows of one year-like spread: a busy sync, a quiet one, a rare one, and 2 % in trouble."""
    with django_db_blocker.unblock():
        yield _fill()
        with connection.cursor() as cursor:
            for sql in connection.ops.sql_flush(None, []):
                cursor.execute(sql)


def _fill():
    import importlib

    from hub.accounts.models import Domain

    for order, (slug, name, text) in enumerate(importlib.import_module("hub.accounts.migrations.0002_domains").DOMAINS):
        Domain.objects.get_or_create(slug=slug, defaults={"name": name, "description": text, "order": order})
    firm = worlds.make()
    rare = build.sync(
        "rare", "in", build.stream(build.connection("old"), "rows"), firm.inbound.entity, build.PROJECT_RULES
    )
    profile = ProvenanceProfile.objects.create(fields={}, digest=b"0" * 16)
    now = timezone.now()
    ids = {"busy": firm.inbound.pk, "quiet": firm.outbound.pk, "rare": rare.pk}
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into sync_run (id, sync_id, status, trigger, created_at, epoch, claims, stage, page_no, is_complete,"
            " read, created, updated, unchanged, rejected, waiting, failed, setbacks, error_code, error, timings)"
            " select n, case when n %% 300 = 0 then %(rare)s when n %% 10 = 0 then %(quiet)s else %(busy)s end,"
            " 'succeeded', 'manual', %(now)s - (3000 - n) * interval '10 minutes', 1, 1, '', 1, true,"
            " 100, 100, 0, 0, 0, 0, 0, 0, '', '', '{}' from generate_series(1, 3000) n",
            {**ids, "now": now},
        )
        cursor.execute(
            "insert into sync_transaction (id, at, run_id, sync_id, batch_id, position, correlation_id, record_id,"
            " external_id, key, outcome, error_detail, error_code)"
            " select n, %(now)s - (%(rows)s - n) * interval '6 seconds', r.id, r.sync_id, 1, 0, n,"
            " case when n %% 50 = 0 then null else n %% 100000 end, 'X-' || n %% 100000, 'K-' || n %% 100000,"
            " case when n %% 50 = 0 then 5 else 1 end, case when n %% 50 = 0 then 'amount is odd, which fails.' end,"
            " case when n %% 50 = 0 then 'ODD' end"
            " from generate_series(1, %(rows)s) n join sync_run r on r.id = 1 + (n - 1) / 100",
            {"now": now, "rows": ROWS},
        )
        cursor.execute(
            "insert into records_canonicalrecord (id, entity_id, key, version, body, provenance_id, hash, updated_at)"
            " select n, %s, 'K-' || n, 1, '{}', %s, ''::bytea, now() from generate_series(1, 100000) n",
            [firm.inbound.entity.pk, profile.pk],
        )
        cursor.execute(
            "insert into records_crosswalk (stream_id, external_id, record_id, batch_id, hash)"
            " select %s, 'X-' || n, n, 1, ''::bytea from generate_series(1, 100000) n",
            [firm.inbound.stream.pk],
        )
        cursor.execute(
            "insert into records_crosswalk (stream_id, external_id, record_id, batch_id, hash)"
            " select %s, 'REF-' || n, n, 1, ''::bytea from generate_series(1, 100000) n",
            [firm.outbound.stream.pk],
        )
        cursor.execute(
            "insert into sync_delivery (sync_id, record_id, version, state, next_at, attempts, target_ref)"
            " select %s, n, 1, case when n %% 1000 = 0 then 5 else 6 end, now() - n * interval '1 second', 0, 'REF-' || n"
            " from generate_series(1, 100000) n",
            [firm.outbound.pk],
        )
        cursor.execute(
            "insert into sync_heldrecord (sync_id, external_id, state, error_code, error_detail, field, body,"
            " transaction_id, first_at, last_at)"
            " select %s, 'X-' || n, 1, 'CONTRACT', 'odd', '', '{}', n, now(), now() - n * interval '1 second'"
            " from generate_series(100001, 102000) n",
            [firm.inbound.pk],
        )
        cursor.execute("analyze")
    return firm, rare


def ask(**asked):
    request = RequestFactory().get("/transactions/", {k: asked.pop(k) for k in ("after", "before") if k in asked})
    return ledger_search.page(LedgerFilter(**asked), request)


@pytest.mark.django_db(transaction=False)
class TestALargeLedger:
    @pytest.fixture(autouse=True)
    def _use(self, big):
        self.firm, self.rare = big

    def cases(self):
        firm, now = self.firm, timezone.now()
        busy, quiet, rare = firm.inbound.pk, firm.outbound.pk, self.rare.pk
        return {
            "everything": {},
            "deep page": {"after": str(ROWS // 3)},
            "back": {"before": str(ROWS // 3)},
            "busy sync": {"sync_ids": [busy]},
            "rare sync": {"sync_ids": [rare]},
            "rare sync, deep": {"sync_ids": [rare], "after": str(ROWS // 2)},
            "three syncs": {"sync_ids": [busy, quiet, rare]},
            "a run": {"run_id": 1500},
            "trouble": {"outcomes": outcomes_of("trouble")},
            "trouble of a sync": {"outcomes": outcomes_of("trouble"), "sync_ids": [quiet]},
            "a key": {"key": "K-4711"},
            "a rejected id": {"key": "X-50"},
            "any id": {"text": "REF-4711"},
            "a week ago": {"since": now - timedelta(days=8), "until": now - timedelta(days=7)},
            "some days of a sync": {
                "since": now - timedelta(days=9), "until": now - timedelta(days=4), "sync_ids": [rare],
            },
            "until": {"until": now - timedelta(days=10)},
            "an error": {"error_code": "ODD"},
            "an error of a sync": {"error_code": "ODD", "sync_ids": [busy, quiet, rare]},
        }  # fmt: skip

    def test_no_page_reads_more_than_it_shows(self):
        for name, asked in self.cases().items():
            touched = Touched()
            with touched():
                page = ask(**asked)
            assert page.rows, name
            assert touched.rows < TOUCHED, f"{name} touched {touched.rows} rows: {touched.worst}"

    def test_what_a_page_shows_is_what_a_scan_would_find(self):
        for name, asked in self.cases().items():
            bound = {}
            if "after" in asked:
                bound = {"pk__lt": asked["after"]}
            if "before" in asked:
                continue
            plain = LedgerFilter(**{k: v for k, v in asked.items() if k not in ("after", "before")})
            expected = plain.rows().filter(**bound).order_by("-pk")[:50].values_list("pk", flat=True)
            assert [row.pk for row in ask(**asked)] == list(expected), name

    def test_counting_stops_at_the_limit(self):
        touched = Touched()
        with touched():
            assert ledger_search.count_words(ledger_search.count(LedgerFilter())) == "10,000+"
        assert touched.rows < 3 * ledger_search.COUNT_LIMIT

    def test_a_time_prunes_the_months_before_it(self):
        since = timezone.now() - timedelta(hours=1)
        plan = LedgerFilter(since=since).rows().order_by("-pk")[:50].explain()
        months = {
            word.split("_id")[0][len("sync_transaction_") :][:7]
            for word in plan.split()
            if "sync_transaction_20" in word
        }
        assert months
        assert min(months) == f"{since:%Y_%m}"

    @pytest.mark.parametrize("q", ["REF-4711", "X-100500", "t-4711", "run 12", "#12", "nothing like it"])
    def test_search_reads_a_handful_of_rows(self, make_person, q):
        touched = Touched()
        olga = make_person("Olga", "operator")
        with touched():
            for find in (search.find_trouble, search.find_numbers, search.find_syncs):
                list(find(q, olga))
        assert touched.rows < 1_000, touched.worst  # small tables are read whole; large ones by index

    def test_lists_of_trouble_read_what_is_in_trouble(self, make_person):
        olga = make_person("Olga", "operator")
        touched = Touched()
        with touched():
            assert totals.deliveries_for(olga).count() == 100
            assert list(totals.deliveries_for(olga).order_by("-next_at", "-sync_id", "-record_id")[:50])
            assert list(totals.held_for(olga).order_by("-last_at", "-sync_id", "-external_id")[:50])
        assert touched.rows < 500, touched.worst

    def test_the_list_of_syncs_reads_the_last_runs_only(self):
        touched = Touched()
        with touched():
            rows = queries.sync_rows([self.firm.inbound, self.firm.outbound, self.rare])
        assert [len(row.runs) for row in rows] == [30, 30, 10]
        assert touched.rows < 5_000, touched.worst

    def test_ids_lead_to_hits(self, make_person):
        olga = make_person("Olga", "operator")
        groups = dict(finder.find("REF-4711", olga))
        assert [hit.title for hit in groups["Deliveries"]] == ["K-4711 as REF-4711"]
        assert [hit.url for hit in dict(finder.find("run 12", olga))["Runs"]] == ["/runs/12/"]
        assert [hit.url for hit in dict(finder.find("#12", olga))["Runs"]] == ["/runs/12/"]
        assert [hit.url for hit in dict(finder.find("T-4711", olga))["Transactions"]] == ["/transactions/4711/"]
        assert [hit.title for hit in dict(finder.find("X-100500", olga))["Held records"]] == ["X-100500"]
        assert [hit.title for hit in dict(finder.find("psa-proj", olga))["Syncs"]] == ["psa-projects"]

    def test_nothing_of_another_domain_is_found(self, make_person):
        bill = make_person("Bill", ("operator", "billing-gl"))
        for q in ("REF-4711", "X-100500", "T-4711", "run 12", "psa-projects"):
            groups = dict(finder.find(q, bill))
            assert not {"Deliveries", "Held records", "Transactions", "Runs", "Syncs"} & set(groups), q

    def test_somebody_without_a_role_finds_nothing(self, mallory):
        assert not {"Runs", "Transactions", "Syncs"} & set(dict(finder.find("run 12", mallory)))


class TestAddresses:
    @given(st.integers(1, 10**17), st.text(min_size=1, max_size=80).filter(lambda t: t.isprintable()))
    def test_any_external_id_survives_its_address(self, sync_id, external_id):
        converter = HeldConverter()
        key = HeldKey(sync_id, external_id)
        assert converter.to_python(converter.to_url(key)) == key

    @given(st.integers(1, 10**17), st.integers(1, 10**17))
    def test_a_deliverys_address_is_its_two_ids(self, sync_id, record_id):
        converter = DeliveryConverter()
        assert converter.to_python(converter.to_url(DeliveryKey(sync_id, record_id))) == (sync_id, record_id)

    @pytest.mark.parametrize("text", ["1-%%%", "1-_w", "1-A"])
    def test_nonsense_is_no_address(self, text):
        with pytest.raises(ValueError, match="1-"):
            HeldConverter().to_python(text)

    @pytest.mark.parametrize("text", ["soon", "", "2026-13-01", "99999h9", "2026-02-30", "99999w"])
    def test_a_time_that_cannot_be_read_filters_nothing(self, text):
        assert moment(text) is None or text == "99999w"
