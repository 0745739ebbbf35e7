"""A simulator on loopback, and the connector of a declaration opened against it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from inspect import isabstract
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import connectors.simulators as shipped
from connectors.base import Connector
from connectors.catalog import Declaration, parse
from connectors.registry import open_connector
from connectors.simulators.base import Simulator
from connectors.simulators.client import Control
from connectors.simulators.clock import Clock
from connectors.simulators.wire import SimulatorServer
from connectors.template import Scope, render
from hub.common.errors import ConfigError, HubError

TODAY = date(2026, 11, 24)
# Holds records of every object, mistakes of people among them.
PROFILE = "small"
_ADDRESSES = ("base_url", "values", "auth", "check", "streams", "defaults")
# What looks like an address and names something else: an audience, a scope, the text of a page.
_NO_ADDRESS = frozenset({"scope", "audience", "aud", "help", "label", "docs", "fields", "canonical", "claims"})
_ORIGIN = re.compile(r"\Ahttps?://[^/?#\s]+")
LOOPBACK = ("127.0.0.0/8", "::1/128")


class NotRehearsed(Exception):
    """There is nothing to rehearse against; the message says why."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A running simulator with its control plane, and the account of the declaration at it."""

    declaration: Declaration
    system: str
    control: Control
    config: Mapping[str, Any]
    secrets: Mapping[str, str]

    def connect(self) -> Connector:
        """A connector of its own; close it or use it as a context manager."""
        config = {**self.config, "allowed_networks": list(LOOPBACK)}
        return open_connector(declaration=self.declaration, config=config, secrets=self.secrets)

    def reset(self) -> None:
        """The data as seeded, no faults, an empty journal, at noon of the firm's day."""
        self.control.reset()
        self.control.set_clock(datetime.combine(TODAY, time(12), UTC).isoformat())

    def calm(self) -> None:
        """No faults, an empty journal; the data stays."""
        self.control.clear_faults()
        self.control.clear_journal()


def simulator_of(name: str) -> type[Simulator] | None:
    """The simulator that behaves like a catalogue entry: it bears its name, with `sim_` before it for the demo's."""
    known = simulators()
    return known.get(name) or known.get(name.removeprefix("sim_"))


@lru_cache(maxsize=1)
def simulators() -> Mapping[str, type[Simulator]]:
    """Every simulator that ships with the hub, by the system that it behaves like."""
    for module in walk_packages(shipped.__path__, f"{shipped.__name__}."):
        import_module(module.name)
    return {kind.system: kind for kind in _kinds() if hasattr(kind, "system") and not isabstract(kind)}


def _kinds() -> Iterator[type[Simulator]]:
    """All classes below Simulator that ship, those that others derive from included."""
    waiting = list(Simulator.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith(f"{shipped.__name__}."):
            yield kind


def load_simulator(path: Path) -> type[Simulator]:
    """The simulator class that a Python file defines; raises ConfigError. Only for files that a person names: it is run."""
    spec = spec_from_file_location(f"simulator_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ConfigError("The simulator cannot be read.", where=str(path), fix="Name a Python file.")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__]
    kinds = [each for each in found if issubclass(each, Simulator)]
    if len(kinds) != 1:
        raise ConfigError(f"The file defines {len(kinds)} simulators.", where=str(path), fix="Define one subclass.")
    return kinds[0]


@contextmanager
def rehearse(declaration: Declaration, given: type[Simulator] | None = None) -> Iterator[Rehearsal]:
    """Start the simulator of a declaration, seeded; it ends with the block. Raises NotRehearsed where there is none."""
    kind = given or simulator_of(declaration.name)
    if kind is None:
        raise NotRehearsed(f"no simulator behaves like {declaration.label}.")
    simulator = kind(Clock())
    running = SimulatorServer(simulator)
    running.start()
    try:
        running.control.seed(PROFILE, 1, TODAY.isoformat())
        config, secrets = account(declaration, running.url)
        told = simulator.credentials()
        config |= {name: value for name, value in told.items() if name not in secrets}
        secrets |= {name: value for name, value in told.items() if name in secrets}
        redirected = declaration if leads_to(declaration, config, running.url) else redirect(declaration, running.url)
        yield Rehearsal(redirected, kind.system, Control(running.url), config, secrets)
    finally:
        running.stop()


def account(declaration: Declaration, url: str) -> tuple[dict[str, Any], dict[str, str]]:
    """What a person would type into the form: addresses lead to `url`, the rest is as the examples say."""
    config: dict[str, Any] = {}
    secrets: dict[str, str] = {}
    for name, field in declaration.config.items():
        value = field["example"] if field["default"] in (None, "") else field["default"]
        if field["secret"]:
            secrets[name] = str(value or ("recorded-secret" if field["required"] else ""))
        elif field["format"] == "uri":
            config[name] = url
        elif value or field["required"]:
            config[name] = value or "recorded"
    return config, secrets


def leads_to(declaration: Declaration, config: Mapping[str, Any], url: str) -> bool:
    """Whether the requests of an account go to `url` as it is."""
    scope = Scope({"config": config, "secret": {}}, declaration.body.get("values"))
    try:
        return str(render(declaration.body.get("base_url", ""), scope)).startswith(url)
    except HubError:
        return False


def redirect(declaration: Declaration, url: str) -> Declaration:
    """The declaration with every address of its own, such as `https://${config.account}.vendor.example`, led to `url`."""
    sections = {name: _led_to(declaration.body[name], url) for name in _ADDRESSES if name in declaration.body}
    return parse({**declaration.body, **sections}, source=declaration.source)


def _led_to(node: Any, url: str) -> Any:
    if isinstance(node, Mapping):
        return {name: value if name in _NO_ADDRESS else _led_to(value, url) for name, value in node.items()}
    if isinstance(node, list):
        return [_led_to(value, url) for value in node]
    return _ORIGIN.sub(url, node) if isinstance(node, str) else node
