"""`manage.py bench pages`: every list and every page of tiles, asked for as people do, over a firm of months.

Pages are found, not listed: whatever is registered under a name that ends in `_list`, and whatever stands in the navigation.
Requests go through the whole of Django (middleware, permissions, templates) as the role of the web process; the network and
gunicorn are left out. Each page is asked for by an admin and by somebody with a role in one domain.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import psycopg
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import override_settings
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from hub.accounts.models import Domain, RoleAssignment, User
from hub.common import nav
from hub.common.permissions import SIGNED_IN, declaration_of, is_allowed, needed_for
from monitoring.bench import promises  # noqa: F401 - registers its seeds
from monitoring.bench.firm import LARGE, Firm, build

REPEATS = 20
LIMIT_MS = 300.0
DOMAIN = "time-expense"
# A scratch hub has collected no files; the addresses of style sheets are not what is measured.
UNHASHED = "django.contrib.staticfiles.storage.StaticFilesStorage"


@dataclass
class Page:
    """One address with what it took; `queries` is the most that one request sent."""

    url: str
    person: str
    times: list[float] = field(default_factory=list)
    queries: int = 0
    problem: str = ""

    def as_data(self) -> dict[str, Any]:
        # One sample is its own quantile, which the library does not say.
        cuts = statistics.quantiles(self.times * 2, n=100, method="inclusive") if self.times else [0.0] * 99
        found: dict[str, Any] = {"url": self.url, "person": self.person}
        found |= {"p50_ms": round(cuts[49], 1), "p95_ms": round(cuts[94], 1)}
        # The least disturbed request: what the page takes where nothing else runs on the machine.
        found["min_ms"] = round(min(self.times, default=0.0), 1)
        return {**found, "queries": self.queries, **({"problem": self.problem} if self.problem else {})}

    @property
    def passed(self) -> bool:
        return not self.problem and self.as_data()["p95_ms"] < LIMIT_MS


def bench_pages(
    transactions: int, exceptions: int, *, say: Callable[[str], None], only: str = "", repeats: int = REPEATS
) -> dict[str, Any]:
    """`passed` when every page answered each time and its 95th percentile is below LIMIT_MS."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as db:
        firm = build(db, transactions=transactions, exceptions=exceptions, say=say)
    people = {"admin": _person("admin", None), DOMAIN: _person("finance", Domain.objects.get(slug=DOMAIN))}
    pages = []
    with _as_web(), override_settings(STORAGES=settings.STORAGES | {"staticfiles": {"BACKEND": UNHASHED}}):
        for name, person in people.items():
            client = Client(SERVER_NAME="localhost")
            client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
            for url in addresses(person, firm):
                if only in url:
                    pages.append(_measured(Page(url, name), client, repeats))
                    say(f"{pages[-1].as_data()}")
    slow = [page.as_data() for page in pages if not page.passed]
    return {
        "transactions": transactions, "exceptions": exceptions, "repeats": repeats, "limit_ms": LIMIT_MS,
        "pages": [page.as_data() for page in pages], "slow": slow, "passed": bool(pages) and not slow,
    }  # fmt: skip


# Who asks ------------------------------------------------------------------------------------------------------
def _person(role: str, domain: Domain | None) -> User:
    made = User.objects.create_user(f"bench-{role}@example.com", None, name=f"Bench {role}")
    for held in ("integration_admin", "approver") if role == "admin" else (role,):
        RoleAssignment.objects.create(user=made, role=held, domain=domain)
    return User.objects.get(pk=made.pk)


@contextmanager
def _as_web() -> Iterator[None]:
    """The rights of the web process, so that a page which may not read what it reads is found out here."""
    with connection.cursor() as cursor:
        cursor.execute("select current_user")
        (before,) = cursor.fetchone()
        cursor.execute("set role syncline_web")
        # The engine's connections are told to go by key; those of the web process are not.
        cursor.execute("set enable_seqscan to on")
        try:
            yield
        finally:
            cursor.execute(f'set role "{before}"')


# What is asked for ------------------------------------------------------------------------------------------------
def addresses(person: User, firm: Firm) -> list[str]:
    """Lists without arguments, all of the navigation, and the deep pages that this product promises to be fast."""
    found = ["/", *_registered(person), *(url for _, url in nav.pages_for(person)), *_deep(person, firm)]
    return list(dict.fromkeys(found))


def _registered(person: User) -> Iterator[str]:
    for name, pattern in named_patterns(get_resolver()):
        view = pattern.callback
        if not name.endswith("_list") or pattern.pattern.converters:
            continue
        needed = needed_for(declaration_of(view), "GET")
        if needed == SIGNED_IN or is_allowed(person, needed):
            yield reverse(name)


def named_patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """(full name, pattern) of everything that is registered below."""
    for one in resolver.url_patterns:
        if isinstance(one, URLResolver):
            inner = f"{prefix}{one.namespace}:" if one.namespace else prefix
            if not one.namespace or not one.namespace.startswith("api"):
                yield from named_patterns(one, inner)
        elif one.name:
            yield f"{prefix}{one.name}", one


def _deep(person: User, firm: Firm) -> Sequence[str]:
    """Filters, the middle of a list, one project's thread, searches by any id."""
    if not person.has_hub_perm("ledger.view"):
        return []
    ledger, middle = reverse("sync:transaction_list"), firm.transactions // 2
    entry = "TE-" + f"{firm.entries // 2:08d}"
    asked = [
        "?outcome=trouble", "?outcome=dead", "?sync=time-to-erp", "?entity=time_entry", "?entity=project", "?since=24h",
        "?since=30d&until=2026-01-01", f"?after={middle}", f"?sync=psa-time&after={middle}", f"?key={entry}", f"?q={entry}",
        f"?q=psa-te-{firm.entries // 3}", "?system=erp", "?system=psa&outcome=passed", "?domain=time-expense",
        "?amount=900", "?amount=%3E%3D1000", "?error=PERIOD_CLOSED", "?q=period", "?system=erp&error=PERIOD_CLOSED",
    ]  # fmt: skip
    number = middle // 20 * 20 + 9
    return [
        *(f"{ledger}{query}" for query in asked),
        reverse("sync:transaction_detail", args=[number]),
        reverse("records:record_list", args=["time_entry"]),
        f"{reverse('records:record_list', args=['time_entry'])}?project={LARGE}",
        f"/thread/project/{LARGE}/", "/thread/project/P-00777/", f"/thread/project/{LARGE}/legs/time-erp/?state=missing",
        f"/search/?q={entry}", f"/search/?q=psa-te-{firm.entries // 3}", "/search/?q=nothing-is-called-so",
    ]  # fmt: skip


# Asking -----------------------------------------------------------------------------------------------------------
def _measured(page: Page, client: Client, repeats: int = REPEATS) -> Page:
    """Times in ms; the first request, which fills caches of the process, is not counted."""
    for repeat in range(repeats + 1):
        started = time.perf_counter()
        with _counting() as counted:
            answer = client.get(page.url, secure=True)
            body = answer.getvalue()
        took = (time.perf_counter() - started) * 1000
        if answer.status_code not in (200, 302):
            page.problem = f"answered {answer.status_code}"
            return page
        if b"could not be read" in body:
            page.problem = "a part of the page could not be read"
        if repeat:
            page.times.append(took)
            page.queries = max(page.queries, counted.number)
    return page


@contextmanager
def _counting() -> Iterator[_Counter]:
    """Counts the statements of a request: those of the ORM and those of plain cursors, which Django does not see."""
    counter, execute = _Counter(), psycopg.Cursor.execute

    def counted(cursor: Any, *args: Any, **kwargs: Any) -> Any:
        counter.number += 1
        return execute(cursor, *args, **kwargs)

    with mock.patch.object(psycopg.Cursor, "execute", counted):
        yield counter


@dataclass
class _Counter:
    number: int = 0
