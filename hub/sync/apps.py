from django.apps import AppConfig


class SyncConfig(AppConfig):
    name = "hub.sync"
    label = "sync"

    def ready(self) -> None:
        # The Celery application must exist before a task is rung from any process.
        from governance.changes.packets import register_maker
        from hub.celery import app  # noqa: F401
        from hub.sync import feeds, kinds, probing
        from hub.sync.adopt import applying
        from hub.sync.packets import make_packet

        kinds.register()
        probing.subscribe()
        feeds.register(applying.take)
        register_maker(make_packet)
