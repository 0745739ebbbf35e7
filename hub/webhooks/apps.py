from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "hub.webhooks"
    label = "webhooks"

    def ready(self) -> None:
        from hub.common import facts
        from hub.sync import feeds
        from hub.webhooks import inbox, kinds, waking

        kinds.register()
        feeds.register(inbox.take)
        facts.subscribe("run_finished", waking.after_run)
