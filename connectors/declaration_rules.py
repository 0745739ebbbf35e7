"""What is wrong with a declaration, in sentences: the schema first, then what a schema cannot say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from connectors.canonical import canonical_problems
from connectors.declaration_schema import Path, misplaced_options, schema, schema_problems, suggest
from connectors.paths import split_path
from connectors.template import compile_template, texts
from hub.common.errors import HubError

_AUTH_NEEDS = {
    "basic": ("username",),
    "bearer": ("token",),
    "header": ("headers",),
    "query": ("query",),
    "oauth1": ("consumer_key", "consumer_secret", "token", "token_secret"),
    "oauth2": ("token_url",),
    "jwt": ("assertion",),
    "session": ("login",),
}
_SECTION_OF_PROTOCOL = {
    "rest": "base_url",
    "jsonrpc": "base_url",
    "sql": "database",
    "files": "storage",
    "odata": "base_url",
    "soap": "base_url",
}
_SOURCE_OF_PROTOCOL = {
    "rest": ("path",),
    "jsonrpc": ("call",),
    "sql": (),
    "files": ("pattern", "file_name"),
    "odata": ("entity_set", "path"),
    "soap": ("operation",),
}
_SECRET = re.compile(r"\$\{secret\.[a-z][a-z0-9_]*\}")

_ALWAYS = frozenset({"config", "secret", "values"})
_READ = _ALWAYS | {"cursor", "page", "offset", "next", "last", "limit", "parent", "kept"}
_WRITE = _ALWAYS | {"key", "keys", "ref", "body", "items", "index", "idempotency_key", "etag", "job", "found"}
_FIND = _ALWAYS | {"key", "keys"}
_FILES = _ALWAYS | {"now", "batch"}
_ANY = _READ | _WRITE | _FIND | _FILES | {"token"}


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong with a declaration: the dotted path, the line (0 when unknown) and a sentence."""

    path: str
    line: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.path or 'the file'}: {self.sentence}"


def find_problems(data: Any, lines: Mapping[Path, int]) -> list[Problem]:
    """Every problem of a declaration, in the order of its lines; the later rules run when the schema is met."""
    found = list(schema_problems(data)) or [*_rule_problems(data)]
    problems = {Problem(".".join(map(str, path)), _line(path, lines), sentence) for path, sentence in found}
    return sorted(problems, key=lambda problem: (problem.line, problem.path, problem.sentence))


def _line(path: Path, lines: Mapping[Path, int]) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 0)


def _rule_problems(data: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    yield from misplaced_options(data, schema(), (), data["protocol"])
    yield from _sections(data)
    yield from _auth(data.get("auth"))
    yield from _usage(data.get("limits", {}).get("usage"))
    yield from _streams(data)
    yield from _paths(data, ())
    yield from _names(data)
    yield from _time_zones(data)


def _sections(data: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    section = _SECTION_OF_PROTOCOL[data["protocol"]]
    if section not in data:
        yield (), f"`{section}` is missing: a declaration for {data['protocol']} needs it."
    stream = data.get("check", {}).get("stream")
    if stream and stream not in data["streams"]:
        yield ("check", "stream"), f"There is no stream {stream!r}.{suggest(stream, list(data['streams']))}"
    if "who" in data.get("check", {}) and not ({"path", "call", "operation"} & set(data["check"])):
        yield (
            ("check",),
            "`who` needs a request to look into: give `path` (rest), `call` (jsonrpc) or `operation` (soap).",
        )


def _auth(auth: dict[str, Any] | None, path: Path = ("auth",)) -> Iterator[tuple[Path, str]]:
    if auth is None:
        return
    for name, way in auth.get("ways", {}).items() if auth["type"] == "choice" else ():
        if way["type"] == "choice":
            yield (*path, "ways", name), "A way of a choice is no choice itself."
        else:
            yield from _auth(way, (*path, "ways", name))
    for needed in _AUTH_NEEDS.get(auth["type"], ()):
        if needed not in auth:
            yield path, f"`{needed}` is missing: sign-in of the kind {auth['type']} needs it."
    if auth["type"] == "session" and not {"token_path", "token_header", "token_cookie"} & set(auth):
        yield path, "Say where the login answer holds the token: `token_path`, `token_header` or `token_cookie`."
    if auth["type"] == "oauth2":
        yield from _oauth(auth, path)


def _oauth(auth: dict[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    grant = auth.get("grant", "client_credentials")
    needs = {
        "authorization_code": ("authorize_url", "client_id", "refresh_token"),
        "refresh_token": ("refresh_token",),
        "password": ("username", "password"),
        "jwt_bearer": ("assertion",),
    }
    for needed in needs.get(grant, ()):
        if needed not in auth:
            yield path, f"`{needed}` is missing: the grant {grant} needs it."
    if "client_secret" in auth and "client_id" not in auth:
        yield path, "`client_secret` needs a `client_id`."
    if grant == "authorization_code" and not _SECRET.fullmatch(auth.get("refresh_token", "")):
        text = "The sign-in must know where to keep the token: write one secret, such as `${secret.refresh_token}`."
        yield (*path, "refresh_token"), text


def _usage(usage: dict[str, Any] | None) -> Iterator[tuple[Path, str]]:
    """The pattern of `limits.usage` names what it finds."""
    if not usage or "pattern" not in usage:
        return
    try:
        groups = set(re.compile(usage["pattern"]).groupindex)
    except re.error as error:
        yield ("limits", "usage", "pattern"), f"The pattern cannot be read: {error}."
        return
    if "remaining" not in groups and not {"used", "limit"} <= groups:
        text = "The pattern needs the groups `used` and `limit`, or `remaining`: (?P<remaining>\\d+)."
        yield ("limits", "usage", "pattern"), text


def _streams(data: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    default_paging = data.get("defaults", {}).get("paging")
    if default_paging:
        yield from _paging(("defaults", "paging"), default_paging)
    for name, stream in data["streams"].items():
        path: Path = ("streams", name)
        yield from _source(path, stream, data["protocol"])
        yield from _paging((*path, "paging"), stream.get("paging"))
        yield from _operations(path, stream, data["protocol"])
        yield from _parents(path, name, data["streams"])
        yield from canonical_problems((*path, "canonical"), stream.get("canonical"))
        yield from _csv((*path, "csv"), stream.get("csv", data.get("defaults", {}).get("csv", {})))


def _source(path: Path, stream: dict[str, Any], protocol: str) -> Iterator[tuple[Path, str]]:
    sources = _SOURCE_OF_PROTOCOL[protocol]
    if sources and not any(source in stream for source in sources) and "write" not in stream:
        yield path, f"The stream can be neither read nor written: give `{'` or `'.join(sources)}`, or `write`."


def _paging(path: Path, paging: dict[str, Any] | None) -> Iterator[tuple[Path, str]]:
    if not paging:
        return
    kind = paging["type"]
    if kind in ("cursor", "next_url") and not {"next_path", "next_header"} & set(paging):
        yield (
            path,
            f"Paging of the kind {kind} needs `next_path` or `next_header`: where the answer tells what is next.",
        )
    if kind == "keyset" and "key" not in paging:
        yield path, "Paging of the kind keyset needs `key`: the field that the next page starts after."


def _operations(path: Path, stream: dict[str, Any], protocol: str) -> Iterator[tuple[Path, str]]:
    target = {"rest": "path", "jsonrpc": "call", "soap": "operation"}.get(protocol)
    for name, operation in stream.get("write", {}).items():
        here = (*path, "write", name)
        batch = operation.get("batch", {})
        if target and target not in operation and target not in batch:
            yield here, f"`{target}` is missing."
        if operation.get("safety") == "A" and protocol in ("rest", "odata") and not _sends_idempotency_key(operation):
            yield here, "Write safety A needs `idempotency_header` (or `${idempotency_key}` in a header)."
        if operation.get("safety") == "A" and batch and not _has_idempotency_key(batch.get("item")):
            yield (
                (*here, "batch"),
                "A batch of write safety A needs `${idempotency_key}` in its `item`: a record that is sent again"
                " rarely travels with the same others.",
            )
        yield from _job((*here, "job"), operation)
        if batch.get("match") in ("key", "index") and "key" not in batch:
            yield (*here, "batch"), "`match` by key or index needs `key`: where a result names its item."
    find = stream.get("find")
    if find is not None and target and target not in find and not find.get("scan"):
        yield (*path, "find"), f"`{target}` is missing."


def _job(path: Path, operation: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    job = operation.get("job")
    if job is None:
        return
    if not {"handle", "handle_header"} & set(job):
        yield path, "Say where the answer names the job: `handle` or `handle_header`."
    if "batch" in operation:
        yield path, "An operation has either `job` or `batch`: the records of one job are `${items}`."
    if job.get("max", 1) > 1 and operation.get("safety") == "A":
        yield (
            path,
            "A job of write safety A holds one record: one that is sent again rarely travels with the same others.",
        )


def _csv(path: Path, section: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    if section.get("header") is False and "columns" not in section:
        yield path, "Without a header, `columns` must name the columns."


def _sends_idempotency_key(operation: dict[str, Any]) -> bool:
    return "idempotency_header" in operation or _has_idempotency_key(operation)


def _has_idempotency_key(section: Any) -> bool:
    return any("${idempotency_key" in text for _, text in texts(section))


def _parents(path: Path, name: str, streams: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    seen, parent = {name}, streams[name].get("for_each", {}).get("stream")
    while parent:
        if parent not in streams:
            yield (*path, "for_each", "stream"), f"There is no stream {parent!r}.{suggest(parent, list(streams))}"
            return
        if parent in seen:
            yield (*path, "for_each", "stream"), "The streams are each other's parents."
            return
        seen.add(parent)
        parent = streams[parent].get("for_each", {}).get("stream")


_PATH_OPTIONS = frozenset(
    {
        *("token_path", "expires_path", "base_url_path", "who", "code", "message", "field", "records", "records_order"),
        *("pages_path", "next_page_path", "total_path", "has_more_path", "next_path", "key", "cursor", "item"),
        *("results", "status", "ref", "delta_link", "field_names", "deleted", "total_path"),
        *("handle", "state", "at", "answer_cursor"),
    }
)


def _paths(data: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Paths into answers that cannot be read."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        if key in _PATH_OPTIONS and path[-1:] != ("fields",):
            for text in [value] if isinstance(value, str) else value if isinstance(value, list) else []:
                try:
                    split_path(text if text != "$" and isinstance(text, str) else "")
                except HubError as error:
                    yield (*path, key), str(error)
        yield from _paths(value, (*path, key))


def _names(data: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    for path, text in texts(data):
        if path[0] in ("config", "description", "docs", "label"):
            continue
        try:
            template = compile_template(text)
        except HubError as error:
            yield path, str(error)
            continue
        for reference in template.references:
            sentence = _name_problem(reference.root, reference.path, allowed_roots(path), data)
            if sentence:
                yield path, f"{sentence} (`${{{reference.name}}}`)"


def allowed_roots(path: Path) -> frozenset[str]:
    """The first names that a template at this path may use."""
    if path[0] in ("values",):
        return _ANY
    if path[0] == "auth":
        own = path[3:] if path[1] == "ways" else path[1:]
        return _ALWAYS | {"token"} if own and own[0] in ("headers", "query") else _ALWAYS
    if path[0] == "soap":
        return _ALWAYS | {"service"}
    if path[0] not in ("streams", "defaults"):
        return _ALWAYS
    inner = path[2:] if path[0] == "streams" else path[1:]
    places = {"write": _WRITE, "find": _FIND, "file_name": _FILES}
    return places.get(str(inner[0]), _READ) if inner else _READ


def _name_problem(root: str, rest: str, allowed: frozenset[str], data: dict[str, Any]) -> str:
    config = data.get("config", {})
    secrets = {name for name, field in config.items() if is_secret(field)}
    if root not in allowed:
        return f"{root!r} has no meaning here.{suggest(root, sorted(allowed), everything=True)}"
    if root == "config" and rest in secrets:
        return f"{rest!r} is a secret: write `${{secret.{rest}}}`."
    declared = {"config": set(config) - secrets, "secret": secrets, "values": set(data.get("values", {}))}.get(root)
    if declared is not None and rest not in declared:
        section = "values" if root == "values" else "config"
        return f"{rest!r} is not declared under `{section}`.{suggest(rest, sorted(declared))}"
    return ""


def is_secret(field: Mapping[str, Any]) -> bool:
    return bool(field.get("secret")) or field.get("type") == "secret"


def _time_zones(data: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    zones: list[tuple[Path, Any]] = [(("time_zone",), data["time_zone"])]
    zones += [
        (("streams", name, "incremental", "time_zone"), stream.get("incremental", {}).get("time_zone"))
        for name, stream in data["streams"].items()
    ]
    for path, zone in zones:
        if zone and "${" not in zone and not is_time_zone(zone):
            yield path, f"{zone!r} is not a time zone.{suggest(zone, sorted(available_timezones()))}"


def is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
