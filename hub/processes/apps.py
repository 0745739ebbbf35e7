from django.apps import AppConfig


class ProcessesConfig(AppConfig):
    name = "hub.processes"
    label = "processes"

    def ready(self) -> None:
        from hub.common import facts
        from hub.processes import kind, starting

        kind.register()
        facts.subscribe("business_events", starting.on_events)
