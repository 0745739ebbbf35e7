"""What a firm of months expects: a row for each delivery of time in the last quarter of its ledger, and the alerts of it."""

from __future__ import annotations

from governance.models import ServiceLevel
from monitoring.bench.firm import Firm, seed

ALERTS = 500


@seed(60)
def expectations(firm: Firm) -> None:
    """One for each fourth entry: of twenty seventeen arrived in time, one late, one is due and one is late."""
    level = ServiceLevel.objects.select_related("domain", "entity").order_by("pk").first()
    if level is None:
        return
    firm.run(
        "insert into monitoring_expectation (service_level_id, domain_id, entity_id, system_id, sync_id, subject_id,"
        " cause_id, record_id, version, key, client, project, period, legal_entity, amount, currency, amount_firm, state,"
        " note, opened_at, warn_at, due_at, breached_at, arrived_at, decided_at)"
        " select %(level)s, e.domain_id, e.id, null, %(sync_time_to_erp)s, c.id, c.id, c.id, 1, c.key,"
        " coalesce(c.customer, ''), coalesce(c.project, ''), coalesce(c.period, ''), '', c.amount, coalesce(c.currency, ''),"
        " c.amount, s.state, '', c.updated_at, s.due - interval '48 min', s.due,"
        " case when s.state in ('breached', 'met_late') then s.due + interval '20 s' end,"
        " case s.state when 'met' then s.due - interval '1 hour' when 'met_late' then s.due + interval '1 hour' end,"
        " case when s.state in ('met', 'met_late', 'breached') then s.due end"
        " from records_canonicalrecord c join governance_entity e on e.id = c.entity_id cross join lateral (select"
        " case when c.id %% 20 = 0 then now() + (c.id %% 4000) * interval '1 min' else c.updated_at + interval '4 hours' end"
        " as due, case c.id %% 20 when 0 then 'open' when 4 then 'breached' when 8 then 'met_late' else 'met' end as state) s"
        " where c.entity_id = %(entity_time_entry)s and c.id %% 4 = 0",
        level=level.pk,
    )  # fmt: skip


@seed(61)
def alerts(firm: Firm) -> None:
    """Alerts of one rule about as many subjects, a tenth of them active, each with ten changes."""
    firm.run(
        "insert into monitoring_alert (rule_id, subject, name, state, told, confirmed, recent, flips, since, seen_at, words,"
        " records, unconverted, details, url, domain_id, system_id, sync_id) select r.id, 'bench:' || i, 'Bench ' || i, s,"
        " s, s, '{}', '{}', now() - i * interval '1 min', now(), 'Late since this morning.', i, '{}', '{}', '', null, null,"
        " null from (select min(id) as id from monitoring_alertrule) r, generate_series(1, %(alerts)s) i,"
        " lateral (select case when i %% 10 = 0 then 'warning' else 'ok' end as s) s where r.id is not null",
        alerts=ALERTS,
    )
    firm.run(
        "insert into monitoring_alertchange (alert_id, at, before, after, words, details, records, unconverted, is_told,"
        " untold_why) select a.id, now() - i * interval '1 day', 'ok', 'warning', 'Late.', '{}', 1, '{}', true, ''"
        " from monitoring_alert a, generate_series(1, 10) i"
    )
