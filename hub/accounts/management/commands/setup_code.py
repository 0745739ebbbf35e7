"""manage.py setup_code: a new code for the first person, while there is none."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from hub.accounts.services import issue_setup_code


class Command(BaseCommand):
    help = "Print a one-time code for the set-up page; only while nobody has an account."

    def handle(self, **options: Any) -> None:
        self.stdout.write(issue_setup_code())
