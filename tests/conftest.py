"""Named people: Ada edits, Grace approves, Finn is in finance, Olga operates, Mallory holds no role."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

# How fast a busy machine makes examples says nothing about the rule that they prove.
hypothesis_settings.register_profile("hub", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("hub")

PASSWORD = "correct horse battery staple"

MakePerson = Callable[..., Any]


@pytest.fixture
def domains(db: Any) -> dict[str, Any]:
    """The shipped domains by slug; put back where a test with a real server has emptied the tables."""
    from hub.accounts.models import Domain

    shipped = importlib.import_module("hub.accounts.migrations.0002_domains").DOMAINS
    for order, (slug, name, description) in enumerate(shipped, start=1):
        Domain.objects.get_or_create(slug=slug, defaults={"name": name, "description": description, "order": order})
    return {domain.slug: domain for domain in Domain.objects.all()}


@pytest.fixture
def make_person(domains: dict[str, Any]) -> MakePerson:
    """make_person("Ada", "integration_admin", ("approver", "billing-gl")): a role alone is for all domains."""
    from hub.accounts.models import RoleAssignment, User

    def make(name: str, *grants: str | tuple[str, str], **fields: Any) -> User:
        user = User.objects.create_user(f"{name.lower()}@example.com", PASSWORD, name=name, **fields)
        for grant in grants:
            role, domain = (grant, None) if isinstance(grant, str) else (grant[0], domains[grant[1]])
            RoleAssignment.objects.create(user=user, role=role, domain=domain)
        return user

    return make


@pytest.fixture
def ada(make_person: MakePerson) -> Any:
    return make_person("Ada", "integration_admin")


@pytest.fixture
def grace(make_person: MakePerson) -> Any:
    return make_person("Grace", "approver")


@pytest.fixture
def finn(make_person: MakePerson) -> Any:
    return make_person("Finn", "finance")


@pytest.fixture
def olga(make_person: MakePerson) -> Any:
    return make_person("Olga", "operator")


@pytest.fixture
def mallory(make_person: MakePerson) -> Any:
    return make_person("Mallory")


@pytest.fixture
def browse() -> Callable[[Any], Client]:
    """browse(ada): a client that is signed in as that person."""

    def sign_in(user: Any) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


@pytest.fixture(scope="session")
def django_db_modify_db_settings_xdist_suffix() -> None:
    """Workers share no server, so each calls its database as it came with the cluster (tests.cluster)."""


@pytest.fixture(autouse=True, scope="session")
def static_root() -> None:
    """Pages come without `collectstatic`: the folder that it would fill has to exist all the same."""
    Path(settings.STATIC_ROOT).mkdir(exist_ok=True)


@pytest.fixture(autouse=True, scope="session")
def quick_passwords() -> Iterator[None]:
    """Hashing a password is slow on purpose; no test is about that."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(autouse=True)
def business_clock_runs() -> Iterator[None]:
    """No test leaves the business clock stopped for the next one."""
    yield
    from hub.common.times import set_business_clock

    set_business_clock(None)
