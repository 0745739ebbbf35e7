from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    name = "governance"

    def ready(self) -> None:
        from governance import drift, kinds
        from governance.audit import listening
        from governance.changes import canary, drifts, gate
        from governance.rulesets import kinds as ruleset_kinds
        from governance.terms import kinds as term_kinds

        kinds.register()
        ruleset_kinds.register()
        listening.subscribe()
        term_kinds.register()
        drift.subscribe()
        gate.install()
        drifts.subscribe()
        canary.subscribe()
