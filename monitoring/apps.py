from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"

    def ready(self) -> None:
        from hub.common import facts, registry
        from monitoring.alerts import kinds as alert_kinds
        from monitoring.alerts import readers as alert_readers
        from monitoring.close import awaiting, books, closed_periods, late_fix
        from monitoring.close import kind as period_kind
        from monitoring.control import promises, shipped
        from monitoring.exceptions import (
            bell,
            choosing,
            entered_twice,
            filters,
            lookalikes,
            panels,
            processes,
            resolving,
            search,
            sources,
            ticking,
        )
        from monitoring.exceptions import kinds as exception_kinds
        from monitoring.expectations import evaluating, late
        from monitoring.freshness import evaluating as freshness
        from monitoring.reconciliation import raising
        from monitoring.reconciliation import services as reconciliation
        from monitoring.reconciliation.kind import reconciliation_kind
        from monitoring.value import kind as measure_kind

        # What registers itself by being there: rows of the control room, panels, searches, parts of an evaluation, …
        _ = (alert_readers, promises, shipped, panels, search, evaluating, freshness)
        # … and the origins of exceptions.
        _ = (sources, entered_twice, lookalikes, late, raising, closed_periods, late_fix, processes)
        ticking.opens(books.takes_postings)
        registry.register(reconciliation_kind())
        period_kind.register()
        exception_kinds.register()
        alert_kinds.register()
        choosing.install(filters.find, filters.KEYS)
        facts.subscribe("run_ended", reconciliation.on_run_ended)
        facts.subscribe("run_ended", bell.on_run_ended)
        facts.subscribe("ledger_written", awaiting.on_ledger)
        facts.subscribe("held_discarded", resolving.on_held_discarded)
        facts.subscribe("delivery_discarded", resolving.on_delivery_discarded)
        measure_kind.register()
