"""The addresses that other programs call. Each request: who, what, may they, how often; then the layer's own work."""

from __future__ import annotations

import time
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from hub.common.permissions import PUBLIC
from hub.gateway import experience, known, limits, once, processes, reading, traffic, writing
from hub.gateway.known import Caller, Served
from hub.gateway.models import Layer
from hub.gateway.refusals import Refused


class GatewayView(APIView):
    """A consumer's token opens it, not a person's session."""

    required_permission = PUBLIC
    authentication_classes: Any = ()
    permission_classes: Any = ()
    schema = None  # the gateway describes itself, see hub.gateway.openapi
    layer: Layer
    caller: Caller | None = None
    served: Served | None = None
    left, resets = -1, 0

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.began = time.perf_counter()
        self.caller = _caller(request)
        self.served = _served(self.layer, kwargs["path"], kwargs["version"])
        self._count(self.caller)
        _check_grant(self.caller, self.served, self.operation(request))

    def operation(self, request: Request) -> str:
        return "read"

    def _count(self, caller: Caller) -> None:
        self.left, self.resets = limits.take(caller.pk, caller.per_minute)
        if self.left < 0:
            raise Refused(
                429, f"{caller.slug} may call {caller.per_minute} times a minute.", code="RATE_LIMIT", wait=self.resets
            )

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        if self.caller is not None:
            answer["RateLimit-Limit"] = str(self.caller.per_minute)
            answer["RateLimit-Remaining"], answer["RateLimit-Reset"] = str(max(self.left, 0)), str(self.resets)
        if self.caller is not None and self.served is not None:
            for name, value in self.served.headers.items():
                answer[name] = value
            seconds = time.perf_counter() - self.began
            traffic.note(self.caller.pk, self.served.pk, status=answer.status_code, seconds=seconds)
        return answer

    @property
    def parts(self) -> tuple[Served, Caller]:
        assert self.served
        assert self.caller
        return self.served, self.caller

    def once(self, act: Any) -> Response:
        return once.carry_out(self.request, self.parts[1], act)


def _caller(request: Request) -> Caller:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    found = known.caller(token.strip()) if scheme.lower() == "bearer" and token else None
    if found is None:
        raise Refused(401, "Send `Authorization: Bearer` with the token of a consumer.", code="NOT_SIGNED_IN")
    return found


def _served(layer: str, path: str, version: int) -> Served:
    found = known.find(layer, path, version)
    if found is None:
        raise Refused(404, "There is no such API, or not in this version.", code="NOT_FOUND")
    if not found.api.is_served:
        following = known.following_of(found.api)
        more = f" Use {following.address}." if following else ""
        raise Refused(410, f"Version {version} of {path} is not served any more.{more}", code="RETIRED")
    return found


def _check_grant(caller: Caller, served: Served, operation: str) -> None:
    if operation not in served.operations:
        raise Refused(405, f"This API does not offer to {operation}.", code="NOT_OFFERED")
    if operation not in caller.grants.get(served.api.grant, ()):
        raise Refused(403, f"{caller.slug} may not {operation} at {served.api.grant}.", code="NOT_GRANTED")


def _unless_known(request: Request, answer: Any, etag: str) -> Response:
    """304 where the caller holds it already."""
    held = [each.strip().removeprefix("W/") for each in request.headers.get("If-None-Match", "").split(",")]
    if etag in held:
        return Response(status=304, headers={"ETag": etag})
    return Response(answer, headers={"ETag": etag})


# System ----------------------------------------------------------------------------------------------------
class SystemList(GatewayView):
    layer = Layer.SYSTEM

    def operation(self, request: Request) -> str:
        return "write" if request.method == "POST" else "read"

    def get(self, request: Request, **_: Any) -> Response:
        """A page of records; one that breaks its contract is left out and named."""
        served, _caller = self.parts
        rows, cursor = reading.page(served, request.query_params.dict())
        broken = {row.key for row in rows if served.projection.broken(row.body)}
        data = [_record(served, row) for row in rows if row.key not in broken]
        following = f"{served.api.address}?cursor={cursor}" if cursor else None
        return Response({"data": data, "next": following, "left_out": sorted(broken)})

    def post(self, request: Request, **_: Any) -> Response:
        """Take a record in, as the system of the webhook's sync would send it."""
        served, caller = self.parts
        absent = request.headers.get("If-None-Match", "") == "*"
        match, key = request.headers.get("If-Match", ""), once.key_of(request)

        def act() -> Response:
            taken = writing.take(served, caller, request.data, once=key, match=match, absent=absent)
            return Response(taken, status=202, headers={"Location": f"{served.api.address}writes/{taken['id']}/"})

        return self.once(act)


class SystemRecord(GatewayView):
    layer = Layer.SYSTEM

    def get(self, request: Request, key: str, **_: Any) -> Response:
        served, _caller = self.parts
        return _answer(request, served, reading.by_key(served.projection, key))


class SystemLookup(GatewayView):
    layer = Layer.SYSTEM

    def operation(self, request: Request) -> str:
        return "lookup"

    def get(self, request: Request, external_id: str, **_: Any) -> Response:
        """The record that the system knows under its own id."""
        served, _caller = self.parts
        return _answer(request, served, reading.by_external_id(served, external_id))


class SystemWrite(GatewayView):
    layer = Layer.SYSTEM

    def operation(self, request: Request) -> str:
        return "write"

    def get(self, request: Request, message_id: str, **_: Any) -> Response:
        served, caller = self.parts
        found = writing.standing(served, caller, message_id)
        if found is None:
            raise Refused(404, "There is no such write of yours.", code="NOT_FOUND")
        return Response(found)


def _answer(request: Request, served: Served, row: reading.Row | None) -> Response:
    if row is None:
        raise Refused(404, "There is no such record.", code="NOT_FOUND")
    if broken := served.projection.broken(row.body):
        raise Refused(502, f"The record breaks its contract: {broken}", code="CONTRACT")
    return _unless_known(request, _record(served, row), row.etag)


def _record(served: Served, row: reading.Row) -> dict[str, Any]:
    return {"key": row.key, "updated_at": row.updated_at.isoformat(), "record": served.projection.of(row.body)}


# Process ---------------------------------------------------------------------------------------------------
class ProcessStart(GatewayView):
    layer = Layer.PROCESS

    def operation(self, request: Request) -> str:
        return "start"

    def post(self, request: Request, **_: Any) -> Response:
        served, caller = self.parts
        key = once.key_of(request)

        def act() -> Response:
            made = processes.start(served, caller, request.data, once=key)
            return Response(made, status=202, headers={"Location": f"{served.api.address}{made['id']}/"})

        return self.once(act)


class ProcessStatus(GatewayView):
    layer = Layer.PROCESS

    def operation(self, request: Request) -> str:
        return "status"

    def get(self, request: Request, pk: int, **_: Any) -> Response:
        answer = processes.status(self.parts[0], pk)
        return _unless_known(request, answer, experience.etag_of(answer))


class ProcessSignal(GatewayView):
    layer = Layer.PROCESS

    def operation(self, request: Request) -> str:
        return "signal"

    def post(self, request: Request, pk: int, **_: Any) -> Response:
        return self.once(lambda: Response(processes.signal(self.parts[0], pk, request.data), status=202))


# Experience ------------------------------------------------------------------------------------------------
class Experience(GatewayView):
    layer = Layer.EXPERIENCE

    def get(self, request: Request, key: str, **_: Any) -> Response:
        answer = experience.compose(self.parts[0], key)
        if answer is None:
            raise Refused(404, "There is no such record.", code="NOT_FOUND")
        return _unless_known(request, answer, experience.etag_of(answer))
