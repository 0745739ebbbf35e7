from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "hub.events"
    label = "events"

    def ready(self) -> None:
        from hub.common import facts
        from hub.events import consumers, kinds, notices, telling  # noqa: F401 - the notices register themselves

        kinds.register()
        consumers.register()
        facts.subscribe("ledger_written", telling.on_ledger)
        facts.subscribe("records_removed", telling.on_removed)
        facts.subscribe("run_ended", telling.on_run_ended)
        facts.subscribe("circuit_opened", telling.on_circuit_opened)
        facts.subscribe("circuit_closed", telling.on_circuit_closed)
        facts.subscribe("contract_deprecated", telling.on_contract_deprecated)
