from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    name = "governance"

    def ready(self) -> None:
        from governance import kinds
        from governance.audit import listening
        from governance.changes import gate

        kinds.register()
        listening.subscribe()
        gate.install()
