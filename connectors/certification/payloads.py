"""Carrying out the recorded cases of a declaration, and saying with line numbers what does not come out as recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors import yaml_lines
from connectors.base import Connector
from connectors.catalog import Declaration
from connectors.certification.recording import Exchange, RecordedServer, Recorder
from connectors.certification.rehearsal import LOOPBACK, account, redirect
from connectors.registry import open_connector
from hub.common.errors import ConfigError, HubError
from hub.common.records import Page, StreamSpec, WriteItem

SIGN_IN = "sign_in.yaml"
ACTIONS = ("check", "read", "find", "create", "update", "upsert", "deactivate", "delete")
_OPTIONS = frozenset(
    {"title", "stream", "do", "cursor", "page_size", "key", "keys", "ref", "body", "exchange", "expect"}
)
_EXPECTED = {
    "check": frozenset({"signed_in_as", "error"}),
    "read": frozenset({"records", "count", "cursor", "bad", "error"}),
    "find": frozenset({"records", "error"}),
}
_OF_WRITES = frozenset({"status", "ref", "error"})


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Something that is not as recorded: the file, the line (0 where none is known), a sentence."""

    path: Path
    line: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}{f':{self.line}' if self.line else ''}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class Case:
    """One file: what to do, the exchange, and what must come of it; `lines` gives the line of each path."""

    path: Path
    data: Mapping[str, Any]
    lines: Mapping[tuple[str | int, ...], int]

    def line(self, *path: str | int) -> int:
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def exchanges(self, *, kept: bool = False) -> list[Exchange]:
        found = enumerate(self.data.get("exchange", ()))
        return [Exchange(e["request"], e["answer"], self.line("exchange", n, "request"), kept) for n, e in found]


def folder_of(path: Path) -> Path:
    """Where the payloads of a declaration file are kept."""
    return path.with_suffix(".payloads")


def check_payloads(declaration: Declaration, folder: Path) -> tuple[int, list[Mismatch]]:
    """How many cases there are, and what is wrong with them. Needs no database and no network but loopback."""
    cases, wrong = [], []
    for path in sorted(folder.glob("*.yaml")):
        case = _load(path)
        problems = [case] if isinstance(case, Mismatch) else list(_problems(case, declaration))
        wrong += problems
        if isinstance(case, Case) and not problems:
            cases.append(case)
    sign_in = [e for case in cases if case.path.name == SIGN_IN for e in case.exchanges(kept=True)]
    own = [case for case in cases if case.path.name != SIGN_IN]
    with RecordedServer() as server:
        for case in own:
            wrong += _carry_out(case, declaration, server, sign_in)
    return len(own), wrong


def _load(path: Path) -> Case | Mismatch:
    try:
        data, lines = yaml_lines.read_yaml(path.read_text(encoding="utf-8"), where=str(path))
    except (HubError, OSError, UnicodeDecodeError) as error:
        where = getattr(error, "where", "").rpartition(":")[2]
        return Mismatch(
            path, int(where) if where.isdigit() else 0, getattr(error, "what", "") or f"It cannot be read: {error}"
        )
    if not isinstance(data, dict):
        return Mismatch(path, 1, "A case is a mapping with `stream`, `do`, `exchange` and `expect`.")
    return Case(path, data, lines)


def _problems(case: Case, declaration: Declaration) -> Iterator[Mismatch]:
    """What is wrong with the form of a case."""

    def at(sentence: str, *path: str | int) -> Mismatch:
        return Mismatch(case.path, case.line(*path), sentence)

    for name in sorted(set(case.data) - _OPTIONS):
        yield at(f"A case has no `{name}`; it has {', '.join(sorted(_OPTIONS))}.", name)
    exchange = case.data.get("exchange")
    if not isinstance(exchange, list) or not exchange:
        yield at("`exchange` is missing: list the requests and their answers in order.", "exchange")
        return
    for n, each in enumerate(exchange):
        if not isinstance(each, dict) or not {"request", "answer"} <= set(each) or "path" not in each["request"]:
            yield at("Each entry needs a `request` with its `path`, and an `answer`.", "exchange", n)
    if case.path.name == SIGN_IN:
        return
    do, stream = case.data.get("do"), case.data.get("stream")
    if do not in ACTIONS:
        yield at(f"`do` is one of {', '.join(ACTIONS)}, not {do!r}.", "do")
    elif do != "check" and stream not in declaration.streams:
        yield at(f"There is no stream {stream!r}; there are {', '.join(declaration.streams)}.", "stream")
    expected = _EXPECTED.get(str(do), _OF_WRITES)
    if not isinstance(case.data.get("expect"), dict):
        yield at(f"`expect` is missing: say what must come of it ({', '.join(sorted(expected))}).", "expect")
        return
    for name in sorted(set(case.data["expect"]) - expected):
        yield at(f"`expect` of {do} has no `{name}`; it has {', '.join(sorted(expected))}.", "expect", name)


def _carry_out(
    case: Case, declaration: Declaration, server: RecordedServer, sign_in: list[Exchange]
) -> Iterator[Mismatch]:
    recorder = server.recorder = Recorder([*case.exchanges(), *sign_in])
    config, secrets = account(declaration, server.url)
    config["allowed_networks"] = list(LOOPBACK)
    try:
        redirected = redirect(declaration, server.url)
        with open_connector(declaration=redirected, config=config, secrets=secrets) as connector:
            seen = _seen(connector, case.data)
    except HubError as error:
        seen = {"error": error.code, "said": str(error)}
    for line, sentence in [*recorder.differences, *recorder.unused()]:
        yield Mismatch(case.path, line or case.line("do"), sentence)
    yield from _compare(case, seen)


def _seen(connector: Connector, data: Mapping[str, Any]) -> dict[str, Any]:
    """What a case came to, in the words of `expect`."""
    do = str(data["do"])
    act: Callable[[Connector, Mapping[str, Any]], dict[str, Any]] = {
        "check": _check, "read": _read, "find": _find
    }.get(do, _write)  # fmt: skip
    return act(connector, data)


def _check(connector: Connector, data: Mapping[str, Any]) -> dict[str, Any]:
    steps = list(connector.check())
    failed = next((step for step in steps if not step.ok), None)
    if failed:
        return {"error": failed.name, "said": f"{failed.detail} {failed.cause}"}
    detail = next((step.detail for step in steps if step.name == "authenticate"), "")
    return {"signed_in_as": detail.removeprefix("Signed in as ").removesuffix(".")}


def _read(connector: Connector, data: Mapping[str, Any]) -> dict[str, Any]:
    spec = StreamSpec(data["stream"], page_size=int(data.get("page_size", 0)))
    pages: list[Page] = list(connector.read(spec, cursor=data.get("cursor")))
    records = [record for page in pages for record in page.records]
    bad = sum(len(page.bad) for page in pages)
    return {"records": records, "count": len(records), "cursor": pages[-1].cursor, "bad": bad}


def _find(connector: Connector, data: Mapping[str, Any]) -> dict[str, Any]:
    keys = data.get("keys") or [data["key"]]
    return {"records": list(connector.find(StreamSpec(data["stream"]), keys).values())}


def _write(connector: Connector, data: Mapping[str, Any]) -> dict[str, Any]:
    if "key" not in data:
        raise ConfigError("A write needs a `key`.")
    ref = str(data["ref"]) if "ref" in data else None
    item = WriteItem(str(data["key"]), data["do"], dict(data.get("body", {})), ref, f"recorded-{data['key']}")
    outcome = connector.write(StreamSpec(data["stream"]), [item])[0]
    seen: dict[str, Any] = {"status": outcome.status, "ref": outcome.ref}
    return seen | ({"error": outcome.error.code, "said": str(outcome.error)} if outcome.error else {})


def _compare(case: Case, seen: Mapping[str, Any]) -> Iterator[Mismatch]:
    """Expected values against what was seen; records are compared in the fields that the case names."""
    expected = case.data["expect"]
    if seen.get("error") and "error" not in expected:
        yield Mismatch(case.path, case.line("expect"), f"It ended in an error: {seen.get('said', seen['error'])}")
        return
    for name, value in expected.items():
        found = seen.get(name)
        if name == "records":
            yield from _compare_records(case, value, found or [])
        elif found != value and str(found) != str(value):
            said = f" ({seen['said']})" if "said" in seen else ""
            yield Mismatch(case.path, case.line("expect", name), f"`{name}` is {found!r}{said}, expected is {value!r}.")


def _compare_records(case: Case, expected: list[Any], found: list[Any]) -> Iterator[Mismatch]:
    line = case.line("expect", "records")
    if len(expected) != len(found):
        yield Mismatch(case.path, line, f"{len(found)} records came, expected are {len(expected)}.")
    for n, (wanted, record) in enumerate(zip(expected, found, strict=False)):
        for name, value in wanted.items():
            if record.get(name) != value:
                yield Mismatch(
                    case.path,
                    case.line("expect", "records", n, name),
                    f"`{name}` of record {n + 1} is {record.get(name)!r}, expected is {value!r}.",
                )
