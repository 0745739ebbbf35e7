"""Called by `manage.py up`: wait until the web answers, then say where to go and how to sign in."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from hub.accounts.services import is_setup_open, issue_setup_code
from hub.common.errors import ConfigError
from hub.sync import demo

TIMEOUT_SECONDS = 60


class Command(BaseCommand):
    help = "Print the address of the running hub and how to sign in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", required=True)
        parser.add_argument("--no-demo", action="store_true", help="Do not offer the demo firm to an empty hub.")

    def handle(self, *args: Any, url: str, no_demo: bool, **options: Any) -> None:
        if not no_demo and demo.current() is None and demo.hub_is_empty():
            demo.prepare()
        wait_for(f"{url}/healthz")
        self.stdout.write(f"\nSyncline is running at {url}")
        if is_setup_open():
            code = issue_setup_code()
            self.stdout.write(f"Choose the admin's password at {url}/setup/?code={code}")
        else:
            self.stdout.write(f"Sign in at {url}/sign-in/")
        self.stdout.write("Ctrl-C stops everything; your data stays.\n")


def wait_for(address: str) -> None:
    """Until the address answers 200. Loopback only, so the guarded client has nothing to guard."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > deadline:
                raise ConfigError(
                    f"The web process does not answer: {error}.", where=address, fix="See web.log."
                ) from None
        time.sleep(0.1)
