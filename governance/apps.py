from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    name = "governance"

    def ready(self) -> None:
        from governance import drift, kinds
        from governance.audit import listening

        kinds.register()
        listening.subscribe()
        drift.subscribe()
