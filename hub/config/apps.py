from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "hub.config"
    label = "config"
