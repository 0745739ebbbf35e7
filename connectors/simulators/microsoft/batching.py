"""`$batch` as the services answer it: JSON and multipart, groups that are undone as a whole, the stop at an error."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from connectors.simulators.base import Simulator
from connectors.simulators.messages import Refusal, Reply, Request, encode

CONTINUE = "odata.continue-on-error"
_UNDONE = 424


@dataclass(slots=True)
class Inner:
    """One request of a batch; `group` names the group that it is undone with, empty when it stands alone."""

    id: str
    request: Request
    group: str = ""
    reply: Reply = field(default_factory=Reply)


def answer_batch(simulator: Simulator, request: Request, root: str, *, most: int) -> Reply:
    """Carry out a batch; `root` is the path that relative addresses start from."""
    kind = request.headers.get("content-type", "")
    is_json = kind.startswith("application/json")
    inner = _json_requests(request, root) if is_json else _multipart_requests(request, root, kind)
    if len(inner) > most:
        raise Refusal("malformed", f"The batch holds {len(inner)} requests; at most {most} are allowed.")
    if request.headers.get("isolation") == "snapshot":
        for each in inner:
            each.group = "snapshot"
    done = list(_carried_out(simulator, inner, goes_on=CONTINUE in request.headers.get("prefer", "")))
    if is_json:
        return Reply(200, {"responses": [_json_answer(each) for each in done]})
    return _multipart_answer(done)


def _carried_out(simulator: Simulator, inner: list[Inner], *, goes_on: bool) -> Iterator[Inner]:
    """Group by group, in order; the first failure ends the batch unless the caller wants it to go on."""
    groups: list[list[Inner]] = []
    for each in inner:
        if each.group and groups and groups[-1][0].group == each.group:
            groups[-1].append(each)
        else:
            groups.append([each])
    for group in groups:
        _carry_out(simulator, group)
        yield from group
        if not goes_on and any(each.reply.status >= 400 for each in group):
            return


def _carry_out(simulator: Simulator, group: list[Inner]) -> None:
    if not group[0].group:
        group[0].reply = simulator._dispatch(group[0].request)
        return
    with _undoing(simulator) as undo:
        for each in group:
            each.reply = simulator._dispatch(each.request)
            if each.reply.status >= 400:
                undo()
                _mark_undone(group, each)
                return


def _mark_undone(group: list[Inner], failed: Inner) -> None:
    for other in group:
        if other is not failed:
            other.reply = Reply(_UNDONE, {"error": {"code": "FailedDependency", "message": "Undone with its group."}})


@contextmanager
def _undoing(simulator: Simulator) -> Iterator[Any]:
    """A function that puts the tables back; what is to be remembered is only told when nothing was undone."""
    before = copy.deepcopy(simulator.tables)
    told: list[tuple[Any, ...]] = []
    remember, simulator.remember = simulator.remember, lambda *write: told.append(write)

    def undo() -> None:
        simulator.tables = before
        told.clear()

    try:
        yield undo
    finally:
        simulator.remember = remember
        for write in told:
            remember(*write)


# --- JSON ----------------------------------------------------------------------------------------------------------


def _json_requests(request: Request, root: str) -> list[Inner]:
    listed = request.json().get("requests", [])
    return [
        Inner(
            str(each["id"]),
            _inner(request, root, each["method"], each["url"], each.get("headers", {}), _text(each.get("body"))),
            str(each.get("atomicityGroup", "")),
        )
        for each in listed
    ]


def _text(body: Any) -> bytes:
    return b"" if body is None else encode(body)


def _inner(request: Request, root: str, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Request:
    target = url if url.startswith("/") else f"{root}/{url}"
    carried = {name: request.headers[name] for name in ("authorization", "host") if name in request.headers}
    return Request(method, target, {**carried, **{name.lower(): value for name, value in headers.items()}}, body)


def _json_answer(each: Inner) -> dict[str, Any]:
    body = each.reply.payload()
    headers = {"content-type": "application/json", **each.reply.headers}
    answer: dict[str, Any] = {"id": each.id, "status": each.reply.status, "headers": headers}
    return {**answer, "body": json.loads(body)} if body else answer


# --- multipart -----------------------------------------------------------------------------------------------------


def _multipart_requests(request: Request, root: str, kind: str) -> list[Inner]:
    inner = []
    for n, (head, content) in enumerate(_parts(request.body, kind)):
        if head.get("content-type", "").startswith("multipart/mixed"):
            members = _parts(content, head["content-type"])
            inner += [_http(request, root, part, text, f"set-{n}") for part, text in members]
        else:
            inner.append(_http(request, root, head, content, ""))
    return inner


def _parts(body: bytes, kind: str) -> list[tuple[dict[str, str], bytes]]:
    boundary = kind.partition("boundary=")[2].strip('"').encode()
    if not boundary or b"--" + boundary + b"--" not in body:
        raise Refusal("malformed", "The multipart body has no boundary, or does not end.")
    pieces = re.split(rb"(?:^|\r\n)--" + re.escape(boundary) + rb"(?:--)?(?=\r\n|$)", body)
    return [_head_and_rest(piece.removeprefix(b"\r\n")) for piece in pieces[1:] if piece.strip()]


def _head_and_rest(text: bytes) -> tuple[dict[str, str], bytes]:
    head, _, rest = text.partition(b"\r\n\r\n")
    lines = [line.partition(":") for line in head.decode().split("\r\n")]
    return {name.strip().lower(): value.strip() for name, _, value in lines}, rest


def _http(request: Request, root: str, part: Mapping[str, str], text: bytes, group: str) -> Inner:
    line, _, rest = text.partition(b"\r\n")
    method, url, _ = line.decode().split(" ", 2)
    headers, body = _head_and_rest(rest)
    return Inner(part.get("content-id", ""), _inner(request, root, method, url, headers, body.strip()), group)


def _multipart_answer(done: list[Inner]) -> Reply:
    """One part for each request that stands alone and for each group; a group that failed shows its failure alone."""
    pieces: list[bytes] = []
    groups: dict[str, list[Inner]] = {}
    for n, each in enumerate(done):
        groups.setdefault(each.group or f"alone-{n}", []).append(each)
    for name, members in groups.items():
        failed = next((each for each in members if each.reply.status >= 400 and each.reply.status != _UNDONE), None)
        if name.startswith("alone-") or failed:
            pieces.append(b"--batch_answer\r\n" + _http_answer(failed or members[0]))
        else:
            inner = b"".join(b"--changes_" + name.encode() + b"\r\n" + _http_answer(each) for each in members)
            head = f"--batch_answer\r\nContent-Type: multipart/mixed; boundary=changes_{name}\r\n\r\n".encode()
            pieces.append(head + inner + f"--changes_{name}--\r\n".encode())
    body = b"".join(pieces) + b"--batch_answer--\r\n"
    return Reply(200, body, {"Content-Type": "multipart/mixed; boundary=batch_answer"})


def _http_answer(each: Inner) -> bytes:
    body = each.reply.payload()
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    lines += [f"Content-ID: {each.id}"] if each.id else []
    lines += ["", f"HTTP/1.1 {each.reply.status} Answer", "Content-Type: application/json; charset=utf-8"]
    lines += [f"{name}: {value}" for name, value in each.reply.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body + b"\r\n"
