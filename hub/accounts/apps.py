from django.apps import AppConfig
from django.core.checks import register


class AccountsConfig(AppConfig):
    name = "hub.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from hub.accounts import kinds
        from hub.accounts.checks import check_permission_names

        register(check_permission_names)
        kinds.register()
