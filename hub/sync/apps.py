from django.apps import AppConfig


class SyncConfig(AppConfig):
    name = "hub.sync"
    label = "sync"

    def ready(self) -> None:
        # The Celery application must exist before a task is rung from any process.
        from hub.celery import app  # noqa: F401
        from hub.sync import kinds, probing

        kinds.register()
        probing.subscribe()
