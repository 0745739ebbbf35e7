from django.apps import AppConfig


class PublishingConfig(AppConfig):
    name = "hub.publishing"
    label = "publishing"
