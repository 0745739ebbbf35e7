"""A request with an Idempotency-Key is carried out once; the same again gets the same answer.

A request that fell before it was answered may be made again after a minute: what it does is itself done once for the key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models.functions import Now
from rest_framework.request import Request
from rest_framework.response import Response

from hub.gateway.known import Caller
from hub.gateway.models import KeptAnswer
from hub.gateway.refusals import Refused

HEADER, MOST = "Idempotency-Key", 120
KEPT = timedelta(hours=24)
FALLEN_SECONDS = 60
_CLAIM = """
insert into gateway_keptanswer as k (consumer_id, key, digest) values (%s, %s, %s)
on conflict (consumer_id, key) do update set at = now()
  where k.status is null and k.digest = excluded.digest and k.at < now() - make_interval(secs => %s)
returning id
"""


def key_of(request: Request) -> str:
    key = request.headers.get(HEADER, "").strip()
    if len(key) > MOST:
        raise Refused(400, f"An {HEADER} has at most {MOST} characters.", code="KEY_TOO_LONG")
    return key


def carry_out(request: Request, caller: Caller, act: Callable[[], Response]) -> Response:
    key = key_of(request)
    if not key:
        return act()
    said = f"{request.method} {request.get_full_path()}\n".encode() + request._request.body
    digest = hashlib.sha256(said).digest()
    if not _claim(caller, key, digest):
        return _kept(caller, key, digest)
    rows = KeptAnswer.objects.filter(consumer_id=caller.pk, key=key)
    try:
        answer = act()
    except BaseException:
        rows.filter(status=None).delete()  # refused: it may be corrected and sent again under the same key
        raise
    rows.update(status=answer.status_code, body=answer.data)
    return answer


def _claim(caller: Caller, key: str, digest: bytes) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [caller.pk, key, digest, FALLEN_SECONDS])
        return cursor.fetchone() is not None


def _kept(caller: Caller, key: str, digest: bytes) -> Response:
    found = KeptAnswer.objects.filter(consumer_id=caller.pk, key=key).first()
    if found is not None and bytes(found.digest) != digest:
        raise Refused(422, f"This {HEADER} came with another request already.", code="KEY_REUSED")
    if found is None or found.status is None:
        raise Refused(409, "The same request is at work.", code="IN_FLIGHT", wait=1)
    body: Any = found.body
    return Response(body, status=found.status, headers={"Idempotent-Replayed": "true"})


def forget_old() -> int:
    return KeptAnswer.objects.filter(at__lt=Now() - KEPT).delete()[0]
