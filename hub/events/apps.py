from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "hub.events"
    label = "events"

    def ready(self) -> None:
        from governance.exchange import asyncapi
        from hub.common import facts
        from hub.events import consumers, kinds, notices, telling, types  # noqa: F401 - the notices register themselves
        from hub.events.event_types import kind as event_type_kind
        from hub.events.event_types.queries import described
        from hub.sync.payloads import masked_names

        kinds.register()
        event_type_kind.register()
        consumers.register()
        asyncapi.register(types.DESCRIBED, masked_names, described)
        facts.subscribe("ledger_written", telling.on_ledger)
        facts.subscribe("records_removed", telling.on_removed)
        facts.subscribe("run_ended", telling.on_run_ended)
        facts.subscribe("circuit_opened", telling.on_circuit_opened)
        facts.subscribe("circuit_closed", telling.on_circuit_closed)
        facts.subscribe("semantic_drift_opened", telling.on_drift_opened)
        facts.subscribe("semantic_drift_closed", telling.on_drift_closed)
        facts.subscribe("contract_deprecated", telling.on_contract_deprecated)
