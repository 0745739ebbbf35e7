from django.apps import AppConfig


class RecordsConfig(AppConfig):
    name = "hub.records"
    label = "records"
