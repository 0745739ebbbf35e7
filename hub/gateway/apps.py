from django.apps import AppConfig


class GatewayConfig(AppConfig):
    name = "hub.gateway"
    label = "gateway"

    def ready(self) -> None:
        from governance import consumers
        from hub.gateway import kinds, queries

        kinds.register()
        consumers.register("gateway", queries.of_entity)
