"""manage.py prepare: what every start does before anything else runs. Safe to repeat."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from governance.rulesets.services import load_shipped
from governance.services import load_canonical_model
from hub.accounts.models import Domain


class Command(BaseCommand):
    help = "Bring the database up to date and load the shipped canonical model where it is missing."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0, interactive=False)
        restore_domains()
        made = load_canonical_model()
        load_shipped()
        if made and options["verbosity"]:
            self.stdout.write(f"{made} entities of the canonical model were created.")


def restore_domains() -> None:
    """A database that was emptied after its migrations has lost the domains that everything hangs on."""
    if Domain.objects.exists():
        return
    shipped = import_module("hub.accounts.migrations.0002_domains").DOMAINS
    Domain.objects.bulk_create(
        Domain(slug=slug, name=name, description=description, order=order)
        for order, (slug, name, description) in enumerate(shipped, start=1)
    )
