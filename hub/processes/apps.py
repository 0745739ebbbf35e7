from django.apps import AppConfig


class ProcessesConfig(AppConfig):
    name = "hub.processes"
    label = "processes"

    def ready(self) -> None:
        from governance import consumers
        from hub.common import facts
        from hub.processes import dependencies, kind, starting

        kind.register()
        consumers.register("process", dependencies.of_entity)
        facts.subscribe("business_events", starting.on_events)
