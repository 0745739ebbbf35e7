"""manage.py warehouse_tables: the statements that make a warehouse's tables, from the contracts in force."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from governance.models import ContractVersion
from hub.publishing import warehouse


class Command(BaseCommand):
    help = "Print the SQL that makes one table for each entity; docs/feeds.md says how they are filled."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "entities", nargs="*", metavar="ENTITY", help="slugs; all that have a contract when none is named"
        )
        parser.add_argument("--dialect", choices=["postgresql", "mariadb"], default="postgresql")

    def handle(self, *, entities: list[str], dialect: warehouse.Dialect, **options: Any) -> None:
        active = ContractVersion.objects.filter(status=ContractVersion.Status.ACTIVE).select_related("contract__entity")
        known = {version.contract.entity.slug: version.schema for version in active}
        unknown = [slug for slug in entities if slug not in known]
        if unknown:
            raise CommandError(
                f"There is no entity {unknown[0]!r} with an active contract. Known: {', '.join(sorted(known))}."
            )
        chosen = [(slug, known[slug]) for slug in entities or sorted(known)]
        self.stdout.write("\n".join(warehouse.statements(chosen, dialect)))
