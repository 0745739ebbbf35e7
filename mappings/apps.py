from django.apps import AppConfig


class MappingsConfig(AppConfig):
    name = "mappings"

    def ready(self) -> None:
        from hub.common import facts
        from mappings import drafts, kinds

        kinds.register()
        facts.subscribe("change_applied", drafts.forget_live_draft)
