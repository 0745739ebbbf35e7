from django.apps import AppConfig


class RecordsConfig(AppConfig):
    name = "hub.records"
    label = "records"

    def ready(self) -> None:
        from hub.records import consumers
        from hub.records.samples import last_records
        from mappings.samples import register_sample_provider

        consumers.register()
        register_sample_provider("out", last_records)
