"""`$batch`: several requests in one, as JSON or as multipart; answers are taken apart into those of each request."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from hub.common.http import HttpAnswer

_BOUNDARY, _CHANGES = "syncline-batch", "syncline-changes"
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})")
_GROUP = "all"


@dataclass(frozen=True, slots=True)
class Part:
    """One request of a batch. `url` is relative to the service's root and encoded; `body` is JSON or nothing."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


# --- JSON ----------------------------------------------------------------------------------------------------------


def json_body(parts: Sequence[Part], *, atomic: bool) -> bytes:
    """The body of a JSON batch; `atomic` puts all requests into one group that succeeds or fails as a whole."""
    return orjson.dumps({"requests": [_json_request(n, part, atomic) for n, part in enumerate(parts)]})


def _json_request(n: int, part: Part, atomic: bool) -> dict[str, Any]:
    request: dict[str, Any] = {
        "id": str(n), "method": part.method, "url": part.url, "headers": _json_headers(part),
    }  # fmt: skip
    if part.body is not None:
        request["body"] = part.body
    return {**request, "atomicityGroup": _GROUP} if atomic else request


def _json_headers(part: Part) -> dict[str, str]:
    return {**({} if part.body is None else {"Content-Type": "application/json"}), **part.headers}


def json_answers(data: Any, count: int, where: str) -> dict[int, HttpAnswer]:
    """The answers by the number of their request; requests that the answer does not mention are absent."""
    listed = data.get("responses") if isinstance(data, dict) else None
    found = {}
    for entry in listed if isinstance(listed, list) else ():
        n = str(entry.get("id", "")) if isinstance(entry, dict) else ""
        if n.isdecimal() and int(n) < count and str(entry.get("status", "")).isdecimal():
            found[int(n)] = _json_answer(entry, where)
    return found


def _json_answer(entry: Mapping[str, Any], where: str) -> HttpAnswer:
    headers = {str(name).lower(): str(value) for name, value in (entry.get("headers") or {}).items()}
    body = entry.get("body")
    text = b"" if body is None else orjson.dumps(body, default=str)
    return HttpAnswer(int(entry["status"]), {**headers, "content-type": "application/json"}, text, 0.0, where)


# --- multipart -----------------------------------------------------------------------------------------------------


def multipart_type() -> str:
    return f"multipart/mixed;boundary={_BOUNDARY}"


def multipart_body(parts: Sequence[Part], *, atomic: bool) -> bytes:
    """The body of a multipart batch: one change set for all requests when `atomic`, else one for each."""
    sets = [list(enumerate(parts))] if atomic else [[pair] for pair in enumerate(parts)]
    pieces = [piece for n, members in enumerate(sets) for piece in _change_set(n, members)]
    return b"\r\n".join([*pieces, f"--{_BOUNDARY}--".encode(), b""])


def _change_set(n: int, members: Sequence[tuple[int, Part]]) -> list[bytes]:
    if all(part.method == "GET" for _, part in members):
        return [f"--{_BOUNDARY}".encode(), *(line for number, part in members for line in _http(number, part))]
    boundary = f"{_CHANGES}-{n}"
    head = [f"--{_BOUNDARY}", f"Content-Type: multipart/mixed;boundary={boundary}", ""]
    pieces = [line.encode() for line in head]
    for number, part in members:
        pieces += [f"--{boundary}".encode(), *_http(number, part)]
    return [*pieces, f"--{boundary}--".encode()]


def _http(number: int, part: Part) -> list[bytes]:
    head = ["Content-Type: application/http", "Content-Transfer-Encoding: binary", f"Content-ID: {number + 1}", ""]
    body = b"" if part.body is None else orjson.dumps(part.body)
    lines = [f"{part.method} {part.url} HTTP/1.1", *(f"{k}: {v}" for k, v in _json_headers(part).items())]
    length = [f"Content-Length: {len(body)}"] if body else []
    return [*(line.encode() for line in (*head, *lines, *length, "")), body]


def multipart_answers(body: bytes, content_type: str, count: int, where: str, *, atomic: bool) -> dict[int, HttpAnswer]:
    """The answers by the number of their request.

    A change set that failed is answered by one refusal, without naming which of its requests was refused.
    """
    found: dict[int, HttpAnswer] = {}
    for position, (headers, content) in enumerate(_sections(body, content_type)):
        inner = headers.get("content-type", "")
        if inner.startswith("multipart/"):
            for n, (part, text) in enumerate(_sections(content, inner)):
                found[_number(part, n if atomic else position)] = _answer(text, where)
        elif atomic:
            found |= dict.fromkeys(range(count), _answer(content, where))
        else:
            found[_number(headers, position)] = _answer(content, where)
    return {n: answer for n, answer in found.items() if answer.status and n < count}


def _number(headers: Mapping[str, str], position: int) -> int:
    told = headers.get("content-id", "")
    return int(told) - 1 if told.isdecimal() and int(told) else position


def _sections(body: bytes, content_type: str) -> list[tuple[dict[str, str], bytes]]:
    """The parts between the boundaries, each with its headers."""
    boundary = content_type.partition("boundary=")[2].split(";")[0].strip().strip('"').encode()
    if not boundary:
        return []
    pieces = re.split(rb"(?:^|\r?\n)--" + re.escape(boundary) + rb"(?:--)?[ \t]*(?=\r?\n|$)", body)
    return [_split(piece.lstrip(b"\r\n")) for piece in pieces[1:] if piece.strip()]


def _split(text: bytes) -> tuple[dict[str, str], bytes]:
    head, _, rest = text.replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = (line.partition(":") for line in head.decode("utf-8", "replace").split("\n"))
    return {name.strip().lower(): value.strip() for name, _, value in lines}, rest


def _answer(text: bytes, where: str) -> HttpAnswer:
    """The answer that a part holds; status 0 when it holds none."""
    line, _, rest = text.lstrip().replace(b"\r\n", b"\n").partition(b"\n")
    found = _STATUS_LINE.match(line)
    headers, body = _split(rest) if not rest.startswith(b"\n") else ({}, rest)
    return HttpAnswer(int(found[1]) if found else 0, headers, body.strip(), 0.0, where)
