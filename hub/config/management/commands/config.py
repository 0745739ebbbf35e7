"""manage.py config export DIR | plan DIR | apply DIR   (DIR may be one file)

plan: exit 0 nothing to do, 2 there are changes, 1 an error. All three take --json.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from hub.accounts.models import User
from hub.common.errors import ConfigError, HubError
from hub.config import documents, services
from hub.config.services import Plan


class Command(BaseCommand):
    help = "Write the configuration to files, compare files with the hub, or apply them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["export", "plan", "apply"])
        parser.add_argument("path", type=Path, help="A folder, or one YAML file.")
        parser.add_argument("--by", default="", help="E-mail of whoever applies it; needed where others have to agree.")
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, action: str, path: Path, **options: Any) -> None:
        try:
            more = {"by": options["by"]} if action == "apply" else {}
            getattr(self, action)(path, as_json=options["json"], **more)
        except HubError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error), "code": error.code}))
            self.stderr.write(str(error))
            sys.exit(1)

    def export(self, path: Path, *, as_json: bool) -> None:
        count = documents.write(path, services.export())
        self._say({"written": count}, f"{count} documents written to {path}.", as_json)

    def plan(self, path: Path, *, as_json: bool) -> None:
        found = services.plan(path)
        self._note(found)
        self._say(found.as_data(), _in_words(found), as_json)
        sys.exit(2 if found.steps else 0)

    def apply(self, path: Path, *, as_json: bool, by: str) -> None:
        done = services.apply(path, by=_person(by))
        self._note(done)
        self._say(done.as_data(), f"{_in_words(done)}\n{done.held.said if done.held else 'Applied.'}", as_json)

    def _note(self, plan: Plan) -> None:
        for note in plan.notes:
            self.stderr.write(note)

    def _say(self, data: dict[str, Any], words: str, as_json: bool) -> None:
        self.stdout.write(json.dumps(data, default=str) if as_json else words)


def _person(email: str) -> User | None:
    if not email:
        return None
    found = User.objects.filter(email=email.strip().lower(), is_active=True).first()
    if found is None:
        raise ConfigError(f"Nobody signs in as {email}.", where="--by")
    return found


def _in_words(plan: Plan) -> str:
    if not plan.steps:
        return f"No change: {plan.unchanged} documents are as in the hub."
    lines = []
    for step in plan.steps:
        lines.append(f"{'+' if step.action == 'create' else '~'} {step.kind} {step.slug}")
        if step.action == "change":
            lines += [f"    {c.path}: {_short(c.before)} → {_short(c.after)}" for c in step.changes]
    created = sum(step.action == "create" for step in plan.steps)
    lines.append(f"{created} to create, {len(plan.steps) - created} to change, {plan.unchanged} unchanged.")
    return "\n".join(lines)


def _short(value: Any, limit: int = 80) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else f"{text[:limit]}…"
