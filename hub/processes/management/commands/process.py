"""manage.py process start PROCESS KEY | status [NUMBER] | retry NUMBER [--step NAME] | cancel NUMBER --reason … --json

`start --wait SECONDS` leads it as far as it goes itself, and waits for the rest. Exit code 0 = done, or on its way; 2 = it has
stopped and waits for somebody; 1 = it could not be done.
"""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from hub.common.errors import ConfigError, HubError
from hub.processes import engine, queries, services
from hub.processes.models import Process, ProcessInstance, State

POLL_SECONDS = 1.0


class Command(BaseCommand):
    help = "Start processes, look at what runs, retry and cancel it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("act", choices=["start", "status", "retry", "cancel"])
        parser.add_argument("what", nargs="?", default="", help="the process to start, or the number of a run")
        parser.add_argument("key", nargs="?", default="", help="what it is about: the key of a record")
        parser.add_argument("--given", default="{}", help="JSON that steps see as `given`")
        parser.add_argument("--token", default="", help="the same token starts it once")
        parser.add_argument("--process", default="", help="status: only of this process")
        parser.add_argument("--step", default="", help="retry: from this step, or `start`")
        parser.add_argument("--reason", default="", help="cancel: why")
        parser.add_argument("--keep", action="store_true", help="cancel: leave what was done")
        parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS")
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            data = getattr(self, f"_{options['act']}")(options)
        except HubError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error), "code": error.code}))
            self.stderr.write(str(error))
            sys.exit(1)
        self.stdout.write(json.dumps(data, default=str) if options["json"] else _words(data))
        if isinstance(data, dict) and data.get("state") == State.FAILED:
            sys.exit(2)

    def _start(self, options: dict[str, Any]) -> dict[str, Any]:
        process = Process.objects.filter(slug=options["what"]).first()
        if process is None:
            known = ", ".join(Process.objects.order_by("slug").values_list("slug", flat=True)) or "none yet"
            raise ConfigError(f"There is no process {options['what']!r}.", fix=f"Known: {known}.")
        made = services.start(process, options["key"], by=None, given=_given(options["given"]), cause=options["token"])
        return self._led(made, options["wait"])

    def _led(self, instance: ProcessInstance, seconds: float) -> dict[str, Any]:
        """As far as it goes now; what waits for a target or a person is looked at until the time is over."""
        until = time.monotonic() + seconds
        while True:
            engine.advance(instance.pk)
            found = queries.fresh(instance)
            if not found.is_live or found.state == State.FAILED or time.monotonic() >= until:
                return queries.as_data(found)
            time.sleep(POLL_SECONDS)

    def _status(self, options: dict[str, Any]) -> Any:
        if options["what"]:
            return queries.as_data(_find(options["what"]))
        rows = ProcessInstance.objects.select_related("process", "version")
        if options["process"]:
            rows = rows.filter(process__slug=options["process"])
        return {"runs": [queries.as_data(one) for one in rows[:50]]}

    def _retry(self, options: dict[str, Any]) -> dict[str, Any]:
        found = _find(options["what"])
        services.retry(found, step=options["step"], by=None)
        return self._led(found, options["wait"])

    def _cancel(self, options: dict[str, Any]) -> dict[str, Any]:
        found = _find(options["what"])
        services.cancel(found, reason=options["reason"], undo=not options["keep"], by=None)
        return self._led(found, options["wait"])


def _find(number: str) -> ProcessInstance:
    found = (
        ProcessInstance.objects.select_related("process", "version")
        .filter(pk=number if number.isdigit() else 0)
        .first()
    )
    if found is None:
        raise ConfigError(f"There is no run {number!r}.", fix="`process status` lists the newest.")
    return found


def _given(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"--given is no JSON: {error}.", fix='Write {"amount": "100.00"}.') from None
    if not isinstance(found, dict):
        raise ConfigError("--given has to be an object.", fix='Write {"amount": "100.00"}.')
    return found


def _words(data: dict[str, Any]) -> str:
    rows = data.get("runs", [data])
    return (
        "\n".join(
            f"{row['id']} {row['process']} {row['key']}: {row['state']}"
            + "".join(f"\n  {step['step']}: {step['state']} {step['error']}".rstrip() for step in row["steps"])
            for row in rows
        )
        or "Nothing has run yet."
    )
