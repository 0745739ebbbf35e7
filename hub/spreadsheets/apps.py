from django.apps import AppConfig


class SpreadsheetsConfig(AppConfig):
    name = "hub.spreadsheets"
    label = "spreadsheets"

    def ready(self) -> None:
        from hub.common import facts
        from hub.spreadsheets import feeding
        from hub.sync import feeds

        feeds.register(feeding.take)
        facts.subscribe("run_finished", feeding.after_run)
