from django.apps import AppConfig


class CutoverConfig(AppConfig):
    name = "hub.cutover"
    label = "cutover"

    def ready(self) -> None:
        from hub.cutover import kind
        from hub.cutover.routes import Routes
        from hub.sync import routing

        kind.register()
        routing.register(Routes())
