"""Trouble on the wire, ordered by a test: what goes wrong, with which requests, how often. Every hit is counted."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from random import Random
from threading import Lock
from typing import Any, Literal, get_args

Kind = Literal["status", "latency", "drop", "partial", "html", "truncate", "expire_token", "throttle"]


@dataclass(slots=True)
class TransportFault:
    """kind: status (answer `status`) · latency (`seconds`, then go on) · drop (close the connection `when` = before or
    after the request was carried out) · partial (hang up after `keep_bytes` of the answer) · truncate (a complete
    answer whose body is cut) · html (a page instead of JSON) · expire_token (all tokens become invalid) · throttle.

    It hits requests whose method, target and body fit (`path` and `body` are regular expressions), after the first
    `skip` of them, `times` times (None: always), each with `probability`.
    """

    id: str
    kind: Kind
    method: str = ""
    path: str = ""
    body: str = ""
    skip: int = 0
    times: int | None = 1
    probability: float = 1.0
    status: int = 503
    seconds: float = 1.0
    retry_after: int | None = None
    when: Literal["before", "after"] = "before"
    keep_bytes: int = 40
    message: str = "The service is temporarily unavailable."
    matched: int = 0
    fired: int = 0
    _dice: Random = field(default_factory=Random, repr=False)

    def headers(self) -> dict[str, str]:
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}

    def page(self) -> bytes:
        title = "Sign in" if self.status == 200 else "Scheduled maintenance"
        return f"<!doctype html><html><head><title>{title}</title></head><body>{title}</body></html>".encode()

    def fits(self, method: str, target: str, body: bytes) -> bool:
        return bool(
            (not self.method or self.method == method)
            and re.search(self.path, target)
            and (not self.body or re.search(self.body, body.decode("utf-8", "replace")))
        )

    def hits(self) -> bool:
        """Count one request that fits, and say whether this is one to spoil."""
        self.matched += 1
        spent = self.times is not None and self.fired >= self.times
        if spent or self.matched <= self.skip or self._dice.random() >= self.probability:
            return False
        self.fired += 1
        return True

    def report(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if not name.startswith("_")}


class FaultBoard:
    """The faults in force. Ids restart after `clear` and seed the dice, so that a run can be repeated."""

    def __init__(self) -> None:
        self._faults: dict[str, TransportFault] = {}
        self._lock = Lock()
        self._count = 0

    def add(self, spec: dict[str, Any]) -> TransportFault:
        """`spec` holds the fields of TransportFault; ValueError names what is wrong with it."""
        known = {f.name for f in fields(TransportFault)} - {"id", "matched", "fired", "_dice"}
        if unknown := set(spec) - known:
            raise ValueError(f"A fault has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}.")
        if spec.get("kind") not in get_args(Kind):
            raise ValueError(f"A fault is of kind {', '.join(get_args(Kind))}.")
        for pattern in (spec.get("path", ""), spec.get("body", "")):
            re.compile(pattern)
        with self._lock:
            self._count += 1
            identity = f"fault-{self._count}"
            fault = TransportFault(id=identity, **spec, _dice=Random(identity))
            self._faults[identity] = fault
        return fault

    def take(self, method: str, target: str, body: bytes) -> list[TransportFault]:
        with self._lock:
            return [f for f in self._faults.values() if f.fits(method, target, body) and f.hits()]

    def remove(self, identity: str) -> None:
        with self._lock:
            self._faults.pop(identity, None)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()
            self._count = 0

    def report(self) -> list[dict[str, Any]]:
        with self._lock:
            return [fault.report() for fault in self._faults.values()]
