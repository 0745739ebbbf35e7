"""The control plane of one simulator, below `/_control/`: data, clock, faults, journal and the oracle for tests."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import date
from typing import Any

from connectors.simulators.base import Drift, Settings, Simulator
from connectors.simulators.firm import totals
from connectors.simulators.messages import Reply, Request, parse_instant

CONTROL_PREFIX = "/_control/"
_DRIFTS = ("drop", "rename", "set", "text")


class Control:
    """Plain JSON in and out; a mistake is answered with 400 and `{"error": sentence}`."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.seeding: dict[str, Any] = {}

    def answer(self, request: Request) -> Reply:
        name, _, rest = request.path.removeprefix(CONTROL_PREFIX).partition("/")
        handler: Callable[[Request, str], Any] | None = getattr(self, f"{request.method.lower()}_{name}", None)
        if handler is None:
            return Reply(404, {"error": f"The control plane has no {request.method} {name}."})
        try:
            with self.simulator.lock:
                return Reply(200, handler(request, rest))
        except (ValueError, KeyError, TypeError, re.error) as error:
            return Reply(400, {"error": str(error)})

    def get_health(self, request: Request, rest: str) -> Any:
        simulator = self.simulator
        counts = {name: len(table.rows) for name, table in simulator.tables.items()}
        now = simulator.clock.now().isoformat()
        return {"system": simulator.system, "status": "ok", "now": now, "objects": counts, **self.seeding}

    # Data

    def post_seed(self, request: Request, rest: str) -> Any:
        """{profile, seed, today}: all optional; today is the clock's date when left out."""
        spec = _body(request)
        today = spec.get("today") or self.simulator.clock.now().date().isoformat()
        self.seed(spec.get("profile", "small"), int(spec.get("seed", 1)), today)
        return self.get_health(request, rest)

    def post_reset(self, request: Request, rest: str) -> Any:
        """Back to the moment after seeding: no faults, drifts, journal or settings, and the machine's clock."""
        simulator = self.simulator
        simulator.clock.reset()
        simulator.faults.clear()
        simulator.journal.clear()
        simulator.drifts.clear()
        simulator.settings = Settings()
        simulator.revoke_tokens()
        if self.seeding:
            self.seed(**self.seeding)
        return self.get_health(request, rest)

    def seed(self, profile: str, seed: int, today: str) -> None:
        self.simulator.seed(profile, seed=seed, today=date.fromisoformat(today))
        self.seeding = {"profile": profile, "seed": seed, "today": today}
        self.simulator.forget(self.simulator.system, self.seeding)

    def get_state(self, request: Request, rest: str) -> Any:
        """All rows of `?object=`, or the number of rows of each object."""
        name = request.query.get("object")
        if not name:
            return {name: len(table.rows) for name, table in self.simulator.tables.items()}
        return list(self.simulator.tables[name].rows.values())

    def post_deliver(self, request: Request, rest: str) -> Any:
        """Send the notifications that are due by the clock; how each was answered."""
        return self.simulator.deliver()

    def post_act(self, request: Request, rest: str) -> Any:
        """{…}: what somebody does inside the system; the name of the act stands in the address."""
        return self.simulator.act(rest, _body(request))

    def get_planted(self, request: Request, rest: str) -> Any:
        """The faults in this system's data, and what the hub must arrive at in the end."""
        firm = self.simulator.firm
        if firm is None:
            return {"faults": [], "totals": {}}
        mine = [asdict(fault) for fault in firm.faults if fault.system == self.simulator.system]
        return {"faults": mine, "totals": totals(firm)}

    def get_credentials(self, request: Request, rest: str) -> Any:
        """What a connection may sign in with, by form field."""
        return self.simulator.credentials()

    def post_drift(self, request: Request, rest: str) -> Any:
        """{object, field, action: drop|rename|set|text, to}: from now on reads show the field so."""
        drift = Drift(**_body(request))
        if drift.action not in _DRIFTS or drift.object not in self.simulator.tables:
            raise ValueError(f"A drift needs an object of the system and an action out of {', '.join(_DRIFTS)}.")
        self.simulator.drifts.append(drift)
        return [asdict(drift) for drift in self.simulator.drifts]

    def delete_drift(self, request: Request, rest: str) -> Any:
        self.simulator.drifts.clear()
        return []

    # Clock and settings

    def get_clock(self, request: Request, rest: str) -> Any:
        clock = self.simulator.clock
        return {"now": clock.now().isoformat(), "frozen": clock.frozen}

    def post_clock(self, request: Request, rest: str) -> Any:
        """{freeze: bool, set: instant, advance: seconds}, in this order; the clock is shared by all simulators."""
        spec, clock = _body(request), self.simulator.clock
        if "freeze" in spec:
            clock.freeze() if spec["freeze"] else clock.run()
        if "set" in spec:
            clock.set(parse_instant(spec["set"]))
        if "advance" in spec:
            clock.advance(float(spec["advance"]))
        return self.get_clock(request, rest)

    def get_settings(self, request: Request, rest: str) -> Any:
        return asdict(self.simulator.settings)

    def post_settings(self, request: Request, rest: str) -> Any:
        """{page_limit, token_seconds, daily_limit, …}: those that are given change."""
        known = {field.name for field in fields(Settings)}
        for name, value in _body(request).items():
            if name not in known:
                raise ValueError(f"There is no setting {name}; there are {', '.join(sorted(known))}.")
            setattr(self.simulator.settings, name, int(value))
        return self.get_settings(request, rest)

    # Faults and journal

    def get_faults(self, request: Request, rest: str) -> Any:
        return self.simulator.faults.report()

    def post_faults(self, request: Request, rest: str) -> Any:
        """One fault or a list of them; the answer holds each with its id and counters."""
        spec = _body(request)
        specs = spec if isinstance(spec, list) else [spec]
        return [self.simulator.faults.add(one).report() for one in specs]

    def delete_faults(self, request: Request, rest: str) -> Any:
        """The fault whose id stands in the address, or all of them."""
        if rest:
            self.simulator.faults.remove(rest)
        else:
            self.simulator.faults.clear()
        return self.simulator.faults.report()

    def get_journal(self, request: Request, rest: str) -> Any:
        """Newest last; `?method=`, `?path=` (regular expression), `?status=` (first digits) and `?since=` narrow it."""
        query = request.query
        return self.simulator.journal.entries(
            method=query.get("method", ""), path=query.get("path", ""), status=query.get("status", ""),
            since=int(query.get("since", 0)),
        )  # fmt: skip

    def delete_journal(self, request: Request, rest: str) -> Any:
        self.simulator.journal.clear()
        return []


def _body(request: Request) -> Any:
    return json.loads(request.body or b"{}")
