from django.apps import AppConfig


class SyncConfig(AppConfig):
    name = "hub.sync"
    label = "sync"

    def ready(self) -> None:
        # The Celery application must exist before a task is rung from any process.
        from governance.changes.canary import register_judge
        from governance.changes.packets import register_maker
        from hub.celery import app  # noqa: F401
        from hub.common import facts
        from hub.sync import canaries, consumers, drifting, engine, feeds, kinds, probing
        from hub.sync.adopt import applying
        from hub.sync.duplicates import blocks
        from hub.sync.packets import make_packet

        kinds.register()
        consumers.register()
        drifting.subscribe()
        probing.subscribe()
        facts.subscribe("run_ended", engine.start_followers)
        feeds.register(applying.take)
        blocks.subscribe()
        register_maker(make_packet)
        register_judge(canaries.judge)
