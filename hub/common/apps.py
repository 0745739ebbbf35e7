from django.apps import AppConfig
from django.core.checks import register


class CommonConfig(AppConfig):
    name = "hub.common"
    label = "common"

    def ready(self) -> None:
        from hub.common import openapi  # noqa: F401 - registers itself
        from hub.common.checks import check_views

        register(check_views)
