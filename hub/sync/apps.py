from django.apps import AppConfig


class SyncConfig(AppConfig):
    name = "hub.sync"
    label = "sync"

    def ready(self) -> None:
        # The Celery application must exist before a task is rung from any process.
        from hub.celery import app  # noqa: F401
        from hub.sync import consumers, drifting, feeds, kinds, probing
        from hub.sync.adopt import applying

        kinds.register()
        consumers.register()
        drifting.subscribe()
        probing.subscribe()
        feeds.register(applying.take)
