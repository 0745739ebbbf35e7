"""The demo firm: four simulated systems beside the hub, their connections and mappings, and first syncs.

`demo.json` in the data folder says that this hub has a demo firm, on which ports its systems listen and on which day it was
seeded, so that a later start finds the same data.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import tempfile
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

import connectors.simulators
from connectors.models import System
from hub.common.errors import ConfigError
from hub.common.times import period_bounds, period_of, shift_period
from hub.config import services as config
from hub.sync import services
from hub.sync.models import Run, Sync

DOCUMENTS = Path(connectors.simulators.__file__).parent / "demo"
SYSTEMS = ("crm", "psa", "hris", "erp")
FIRST_PORT, LAST_PORT = 8700, 9700


@dataclass(frozen=True, slots=True)
class Demo:
    """Where and with what the simulated systems run."""

    base_port: int
    profile: str
    seed: int
    today: str
    is_loaded: bool = False

    @property
    def ports(self) -> dict[str, int]:
        return {name: self.base_port + offset for offset, name in enumerate(SYSTEMS)}


def path() -> Path:
    return Path(settings.HUB_DATA) / "demo.json"


def current() -> Demo | None:
    try:
        return Demo(**json.loads(path().read_text()))
    except FileNotFoundError:
        return None


def save(demo: Demo) -> None:
    path().write_text(json.dumps(asdict(demo)))


def hub_is_empty() -> bool:
    return not System.objects.exists()


def prepare(*, profile: str = "small", seed: int = 1) -> Demo:
    """Choose ports and the firm's day; the simulators can be started after this."""
    found = current()
    if found is None:
        found = Demo(_free_ports(len(SYSTEMS)), profile, seed, date.today().isoformat())
        save(found)
    return found


def _free_ports(count: int) -> int:
    for base in range(FIRST_PORT, LAST_PORT, count):
        if all(_is_free(port) for port in range(base, base + count)):
            return base
    raise ConfigError(f"No {count} free ports between {FIRST_PORT} and {LAST_PORT} for the simulated systems.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def load(demo: Demo, *, by: Any = None) -> int:
    """Apply the demo's configuration; returns how many documents changed."""
    with tempfile.TemporaryDirectory() as folder:
        rendered = Path(folder) / "demo"
        shutil.copytree(DOCUMENTS, rendered)
        for file in rendered.rglob("*.yaml"):
            text = file.read_text()
            for name, port in demo.ports.items():
                text = text.replace(f"${{demo.{name}}}", f"http://127.0.0.1:{port}")
            file.write_text(dated(text, date.fromisoformat(demo.today)))
        done = config.apply(rendered, by=by)
    save(Demo(**{**asdict(demo), "is_loaded": True}))
    return len(done.steps)


def dated(text: str, today: date) -> str:
    """Days that follow the firm's day: `${demo.month-2}` is a period, `${demo.month-2.first+7}` or `.last` a day of it;
    `${demo.day+3}` is a day, `${demo.workday+3}` one that is no weekend."""
    return _DATED.sub(lambda found: _dated(found, today), text)


_DATED = re.compile(
    r"\$\{demo\.(?P<unit>month|day|workday)(?P<by>[+-][0-9]{1,3})?"
    r"(?:\.(?P<end>first|last)(?P<days>[+-][0-9]{1,2})?)?\}"
)


def _dated(found: re.Match[str], today: date) -> str:
    by = int(found["by"] or 0)
    if found["unit"] != "month":
        return _workday(today, by) if found["unit"] == "workday" else (today + timedelta(days=by)).isoformat()
    period = shift_period(period_of(today), by)
    first, last = period_bounds(period)
    if found["end"] is None:
        return period
    return ((first if found["end"] == "first" else last) + timedelta(days=int(found["days"] or 0))).isoformat()


def _workday(day: date, by: int) -> str:
    """The day that is so many weekdays later; a weekend counts as the Monday after it."""
    while by > 0 or day.weekday() > 4:
        day += timedelta(days=1)
        by -= day.weekday() < 5
    return day.isoformat()


def start_first_syncs() -> list[Run]:
    """Start the syncs that wait for no other; the rest follow by themselves, parents before children."""
    heads = Sync.objects.filter(after__isnull=True, mapping__direction="in", is_paused=False)
    ordered = heads.select_related("mapping__entity", "mapping__stream__connection").order_by(
        "mapping__entity__load_order"
    )
    return [services.start_run(sync=sync)[0] for sync in ordered]
