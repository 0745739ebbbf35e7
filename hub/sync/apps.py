from django.apps import AppConfig


class SyncConfig(AppConfig):
    name = "hub.sync"
    label = "sync"

    def ready(self) -> None:
        # The Celery application must exist before a task is rung from any process.
        from hub.celery import app  # noqa: F401
        from hub.sync import feeds, kinds, probing
        from hub.sync.adopt import applying
        from hub.sync.duplicates import blocks

        kinds.register()
        probing.subscribe()
        feeds.register(applying.take)
        blocks.subscribe()
