"""Faults of the target: limits, endless answers, half a batch, errors that look like success, tokens that end."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors import circuits
from connectors.models import Connection
from connectors.services import check_connection
from hub.sync.chaos import target, world
from hub.sync.chaos.crew import Crew
from hub.sync.chaos.fault import Fault, Nemesis, Options, Stage
from hub.sync.chaos.interrupter import Interrupter
from hub.sync.chaos.world import Document

PER_SECOND = 40
TOKEN_SECONDS = 2
REVOKED_SECONDS = 15.0
MOST_OVER_LIMIT, LEAST_OF_LIMIT = 0.02, 0.9
MOST_RESPONSE_BYTES = 2 * 2**20
MOST_GROWTH_BYTES = 64 * 2**20
SAMPLE_SECONDS = 0.1


@dataclass
class Onlooker(Nemesis):
    """Does nothing but ask the target, and judge, what `asked` names; the target breaks things by itself."""

    asked: tuple[str, ...] = ()
    judged: Callable[[Mapping[str, Any]], str] = lambda found: ""
    left: int = 0
    fired: int = 0
    stage: Stage = field(init=False)

    def enter(self, stage: Stage) -> None:
        self.stage = stage

    def act(self, crew: Crew) -> None:
        pass

    def figures(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in self.asked:
            told = world.control(self.stage.target_port, name)
            found |= told if isinstance(told, dict) else {name: told}
        return found

    def problem(self) -> str:
        return self.judged(self.figures())


@dataclass
class Weigher(Onlooker):
    """Also watches how much the workers grow, from when they have begun to work."""

    least: int = 0
    most: int = 0
    next_at: float = 0.0

    def act(self, crew: Crew) -> None:
        if time.monotonic() < self.next_at or not crew.done:
            return
        self.next_at = time.monotonic() + SAMPLE_SECONDS
        bytes_now = crew.memory()
        self.least, self.most = self.least or bytes_now, max(self.most, bytes_now)

    def figures(self) -> dict[str, Any]:
        listened = world.control(self.stage.target_port, "listened")
        growth = (self.most - self.least) / 2**20
        return {"longest_listened_seconds": round(max(listened, default=0.0), 1), "worker_growth_mb": round(growth)}

    def problem(self) -> str:
        found = self.figures()
        if found["longest_listened_seconds"] > world.TIMEOUT_SECONDS + 1:
            return f"An answer was listened to for {found['longest_listened_seconds']} s, {world.TIMEOUT_SECONDS} s at most."
        if found["worker_growth_mb"] * 2**20 > MOST_GROWTH_BYTES:
            return f"A worker grew by {found['worker_growth_mb']} MB."
        return ""


def _pace(found: Mapping[str, Any]) -> str:
    if found["over_limit_share"] > MOST_OVER_LIMIT:
        return f"{found['over_limit_share']:.1%} of the requests were over the limit."
    return (
        ""
        if found["share_of_limit"] >= LEAST_OF_LIMIT
        else f"Only {found['share_of_limit']:.0%} of the limit were used."
    )


def _repeated(found: Mapping[str, Any]) -> str:
    return (
        f"{found['repeated']} rows were sent again after they had been reported as written."
        if found["repeated"]
        else ""
    )


def revoke(stage: Stage, crew: Crew, pick: random.Random) -> bool:
    """The target takes no sign-in until the hub has noticed; then an owner puts it right and tests the connection."""
    connection = stage.outbound.stream.connection
    world.control(stage.target_port, "revoke")
    noticed = _is_noticed(connection.pk)
    world.control(stage.target_port, "restore")
    check_connection(Connection.objects.get(pk=connection.pk))
    return noticed


@dataclass
class Revoker(Interrupter):
    def figures(self) -> dict[str, Any]:
        return {**super().figures(), **world.control(self.stage.target_port, "tokens")}


def _is_noticed(connection_id: int) -> bool:
    until = time.monotonic() + REVOKED_SECONDS
    while not circuits.look(connection_id).is_shut:
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


# The configuration ---------------------------------------------------------------------------------------------
def _declaration(documents: list[Document]) -> dict[str, Any]:
    """The declaration of the target, to be changed in place."""
    found = next(d for d in documents if (d["kind"], d["slug"]) == ("Connection", "chaos-target"))
    declaration: dict[str, Any] = found["config"]["declaration"]
    return declaration


def limited(documents: list[Document]) -> list[Document]:
    _declaration(documents)["limits"]["per_second"] = PER_SECOND
    return documents


def bounded(documents: list[Document]) -> list[Document]:
    _declaration(documents)["limits"]["max_response_bytes"] = MOST_RESPONSE_BYTES
    return documents


def in_batches(documents: list[Document]) -> list[Document]:
    batch = {
        "max": 100, "json": {"rows": "${items}"}, "results": "results", "match": "key", "key": "number", "status": "status",
        "message": "error", "ref": "id", "created_when": [{"path": "status", "equals": 201}],
    }  # fmt: skip
    rows = _declaration(documents)["streams"]["rows"]
    rows["write"] = {"upsert": {"method": "POST", "path": "/batch", "safety": "B", "batch": batch}}
    return documents


def signed_in(documents: list[Document]) -> list[Document]:
    auth = {"type": "oauth2", "token_url": "/token", "grant": "client_credentials", "client_id": "hub"}
    _declaration(documents)["auth"] = auth
    return documents


def _mix(mix: Mapping[str, float]) -> tuple[str, str]:
    return "--mix", json.dumps(mix)


def watching(*asked: str, judged: Callable[[Mapping[str, Any]], str]) -> Callable[[Options, random.Random], Nemesis]:
    return lambda options, pick: Onlooker(asked, judged)


FAULTS = (
    Fault(
        "F9",
        "The target asks for fewer requests: in seconds, as a date, in nonsense, or without a time",
        watching("pace", judged=_pace),
        classes="B",
        target=("--per-second", str(PER_SECOND), *_mix(target.BUSY)),
        shaped=limited,
    ),
    Fault(
        "F10",
        "Answers drip, never end, unfold a thousandfold, or cannot be unfolded",
        lambda options, pick: Weigher(),
        classes="ABC",
        target=_mix(target.ENDLESS),
        shaped=bounded,
    ),
    Fault(
        "F11",
        "Batches succeed in part, and their results come in another order or not at all",
        watching("repeated", judged=_repeated),
        classes="B",
        target=_mix(target.BATCHES),
        shaped=in_batches,
    ),
    Fault(
        "F12",
        "Errors, pages and halves that come as a success",
        watching(judged=lambda found: ""),
        target=_mix(target.LYING),
    ),
    Fault(
        "F27",
        "Tokens end all the time, and now and then the sign-in is refused",
        lambda options, pick: Revoker(pick, options.kills, revoke),
        target=("--token-seconds", str(TOKEN_SECONDS)),
        shaped=signed_in,
    ),
)
