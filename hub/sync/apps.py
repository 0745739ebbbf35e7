from django.apps import AppConfig


class SyncConfig(AppConfig):
    name = "hub.sync"
    label = "sync"

    def ready(self) -> None:
        # The Celery application must exist before a task is rung from any process.
        from hub.celery import app  # noqa: F401
        from hub.common import facts
        from hub.sync import consumers, drifting, engine, feeds, kinds, probing
        from hub.sync.adopt import applying
        from hub.sync.duplicates import blocks

        kinds.register()
        consumers.register()
        drifting.subscribe()
        probing.subscribe()
        facts.subscribe("run_ended", engine.start_followers)
        feeds.register(applying.take)
        blocks.subscribe()
