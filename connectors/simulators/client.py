"""Control client of the simulators, for tests and the demo command; needs nothing but the standard library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

_ROOT = Path(__file__).resolve().parents[2]
# Loopback is never reached through a proxy, whatever the environment says.
_OPENER = build_opener(ProxyHandler({}))


class ControlError(Exception):
    """The control plane's own sentence."""


class Control:
    """The control plane of one simulated system."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}/_control/{path}", data=data, method=method)
        try:
            with _OPENER.open(request, timeout=60) as answer:
                return json.load(answer)
        except HTTPError as error:
            raise ControlError(json.load(error)["error"]) from None

    def health(self) -> dict[str, Any]:
        return dict(self.call("GET", "health"))

    def reset(self) -> None:
        self.call("POST", "reset", {})

    def seed(self, profile: str = "small", *, seed: int = 1, today: str = "") -> None:
        self.call("POST", "seed", {"profile": profile, "seed": seed, "today": today})

    def freeze(self) -> None:
        self.call("POST", "clock", {"freeze": True})

    def set_clock(self, instant: str) -> None:
        """`instant` in ISO 8601 with an offset."""
        self.call("POST", "clock", {"set": instant})

    def advance(self, seconds: float) -> None:
        self.call("POST", "clock", {"advance": seconds})

    def now(self) -> str:
        return str(self.call("GET", "clock")["now"])

    def act(self, name: str, **spec: Any) -> Any:
        """Let somebody do something inside the system."""
        return self.call("POST", f"act/{name}", spec)

    def add_fault(self, kind: str, **spec: Any) -> str:
        """Fields as in `faults.TransportFault`; the id of the new fault."""
        return str(self.call("POST", "faults", {"kind": kind, **spec})[0]["id"])

    def faults(self) -> list[dict[str, Any]]:
        return list(self.call("GET", "faults"))

    def fired(self, fault_id: str) -> int:
        return next(int(fault["fired"]) for fault in self.faults() if fault["id"] == fault_id)

    def clear_faults(self) -> None:
        self.call("DELETE", "faults")

    def journal(self, **filters: str | int) -> list[dict[str, Any]]:
        """method, path (regular expression), status (first digits), since (`n` of the last entry seen)"""
        return list(self.call("GET", f"journal?{urlencode(filters)}"))

    def clear_journal(self) -> None:
        self.call("DELETE", "journal")

    def counts(self) -> dict[str, int]:
        return dict(self.call("GET", "state"))

    def state(self, object_name: str) -> list[dict[str, Any]]:
        """All rows of an object as the system holds them: the oracle."""
        return list(self.call("GET", f"state?{urlencode({'object': object_name})}"))

    def planted(self) -> dict[str, Any]:
        """{"faults": this system's planted faults, "totals": what the hub must arrive at}"""
        return dict(self.call("GET", "planted"))

    def settings(self, **values: int) -> dict[str, int]:
        return dict(self.call("POST", "settings", values))

    def drift(self, object_name: str, field: str, action: str, to: Any = None) -> None:
        self.call("POST", "drift", {"object": object_name, "field": field, "action": action, "to": to})


class Controls:
    """The control planes of all four; built from the ports as the server prints them."""

    def __init__(self, ports: Mapping[str, Mapping[str, Any]]) -> None:
        self.all = {name: Control(str(place["url"])) for name, place in ports.items()}
        self.crm, self.psa, self.hris, self.erp = (self.all[name] for name in ("crm", "psa", "hris", "erp"))

    @classmethod
    def from_file(cls, path: Path) -> Controls:
        return cls(json.loads(path.read_text()))

    def seed(self, profile: str = "small", *, seed: int = 1, today: str = "") -> None:
        for control in self.all.values():
            control.seed(profile, seed=seed, today=today)

    def reset(self) -> None:
        for control in self.all.values():
            control.reset()

    def planted(self) -> list[dict[str, Any]]:
        return [fault for control in self.all.values() for fault in control.planted()["faults"]]


class SimulatorProcess:
    """The simulators in a process of their own that ends with `stop()` or with this process."""

    def __init__(self, *options: str) -> None:
        """`options` as on the server's command line."""
        command = [sys.executable, "-m", "connectors.simulators.server", "--parent-pid", str(os.getpid()), *options]
        self.process = subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise ControlError(f"The simulators did not start (exit {self.process.wait()}).")
        self.ports: dict[str, dict[str, Any]] = json.loads(line)
        self.controls = Controls(self.ports)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()

    def __enter__(self) -> SimulatorProcess:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
