"""Is the process alive (/healthz), and can it do its work (/readyz)? 503 names the check that fails."""

from __future__ import annotations

from collections.abc import Callable

import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from hub.common.permissions import public


def check_database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    return "ok"


def check_broker() -> str:
    """It answers, evicts nothing, and has room for another message."""
    client = redis.Redis.from_url(settings.REDIS_URL.replace("redis+socket://", "unix://"), socket_timeout=2)
    try:
        policy = client.config_get("maxmemory-policy").get("maxmemory-policy", "noeviction")
        client.set("syncline.ready", "1", ex=60)
    finally:
        client.close()
    if policy != "noeviction":
        raise RuntimeError(f"the broker may evict messages (maxmemory-policy {policy}); set it to noeviction")
    return "ok"


def check_migrations() -> str:
    executor = MigrationExecutor(connection)
    if plan := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise RuntimeError(f"{len(plan)} migrations are not applied; run manage.py migrate")
    return "ok"


def _report(checks: dict[str, Callable[[], str]]) -> JsonResponse:
    found: dict[str, str] = {}
    for name, check in checks.items():
        try:
            found[name] = check()
        except Exception as error:
            found[name] = f"failed: {type(error).__name__}: {error}"
    failed = [name for name, result in found.items() if result != "ok"]
    body = {"status": "failing" if failed else "ok", "failing": failed, "checks": found}
    return JsonResponse(body, status=503 if failed else 200)


@public
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers and reaches its database."""
    return _report({"database": check_database})


@public
def readyz(request: HttpRequest) -> JsonResponse:
    return _report({"database": check_database, "migrations": check_migrations, "broker": check_broker})
