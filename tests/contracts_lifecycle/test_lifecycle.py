"""A version walks its states in order and in no other, and is put in force only when it keeps what was promised."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from governance import deprecation, lifecycle
from governance.models import AuditEntry, Contract, ContractVersion
from hub.common.errors import ConfigError
from tests.contracts_lifecycle.builders import TEXT, approved, contract_of, in_force, schema

pytestmark = pytest.mark.django_db
STATUSES = ContractVersion.Status.values
STEPS = [(before, after) for before in STATUSES for after in sorted(lifecycle.STEPS[before])]
PATHS = {
    "draft": (),
    "in_review": ("in_review",),
    "approved": ("in_review", "approved"),
    "active": ("in_review", "approved", "active"),
    "deprecated": ("in_review", "approved", "active", "deprecated"),
    "retired": ("retired",),
}
WIDER = schema(name=TEXT, note=TEXT)


@pytest.fixture
def contract(domains: Any) -> Contract:
    return contract_of(domains["resource"], schema(name=TEXT))


@pytest.fixture
def bare(domains: Any) -> Contract:
    """A contract without any version in force, so that every state can be reached."""
    contract = contract_of(domains["resource"], schema(name=TEXT), slug="bare")
    contract.versions.filter(status="active").update(status="deprecated")
    return contract


def standing(contract: Contract, status: str) -> ContractVersion:
    version = lifecycle.propose(contract=contract, schema=WIDER, by=None)
    for step in PATHS[status]:
        ContractVersion.objects.filter(pk=version.pk).update(status=step)
    version.refresh_from_db()
    return version


@pytest.mark.parametrize(("before", "after"), [p for p in product(STATUSES, STATUSES) if p[0] != p[1]])
def test_the_database_takes_the_steps_of_the_table_and_no_others(bare: Contract, before: str, after: str) -> None:
    version = standing(bare, before)
    row = ContractVersion.objects.filter(pk=version.pk)
    if (before, after) in STEPS:
        assert row.update(status=after) == 1
        return
    with pytest.raises(DatabaseError, match="does not become"), transaction.atomic():
        row.update(status=after)


def test_a_version_is_made_as_a_draft_or_not_at_all(contract: Contract) -> None:
    with pytest.raises(DatabaseError, match="begins as a draft"), transaction.atomic():
        contract.versions.create(number=9, status="active", schema=WIDER)


def test_what_has_left_the_draft_never_says_something_else(contract: Contract) -> None:
    version = lifecycle.submit(lifecycle.propose(contract=contract, schema=WIDER, by=None), by=None)
    version.schema = schema(name=TEXT)
    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
        version.save()


def test_a_step_that_there_is_not_is_refused_with_those_that_there_are(contract: Contract) -> None:
    draft = lifecycle.propose(contract=contract, schema=WIDER, by=None)
    with pytest.raises(ConfigError, match=r"draft does not become active.*in review or retired"):
        lifecycle.activate(draft, by=None)
    assert contract.versions.get(status="active").number == 2


def test_all_steps_are_kept_in_the_audit(contract: Contract, ada: Any, grace: Any) -> None:
    version = lifecycle.propose(contract=contract, schema=WIDER, by=ada)
    lifecycle.submit(version, by=ada, reason="Notes from the yard.")
    lifecycle.send_back(version, by=grace, reason="Say what it is for.")
    lifecycle.submit(version, by=ada)
    lifecycle.approve(version, by=grace)
    lifecycle.activate(version, by=ada)
    kept = AuditEntry.objects.filter(name="truck", details__version=3).order_by("pk").values_list("act", "actor")
    assert [act for act, _ in kept] == [
        "contract.version_submitted",
        "contract.version_sent_back",
        "contract.version_submitted",
        "contract.version_approved",
        "contract.activated",
    ]
    assert kept[3][1] == str(grace)


def test_nobody_approves_their_own_version(contract: Contract, ada: Any) -> None:
    version = lifecycle.submit(lifecycle.propose(contract=contract, schema=WIDER, by=ada), by=ada)
    with pytest.raises(ConfigError, match="Nobody approves their own"):
        lifecycle.approve(version, by=ada)


# What may not break -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "breaks"),
    [
        ("BACKWARD", {"required"}),
        ("FORWARD", {"optional"}),
        ("FULL", {"required", "optional"}),
        ("NONE", set()),
    ],
)
def test_a_version_that_breaks_its_contracts_promise_is_not_put_in_force(
    domains: Any, mode: str, breaks: set[str]
) -> None:
    first = schema(("name",), name=TEXT, note=TEXT)
    changes = {
        "required": schema(("name", "note"), name=TEXT, note=TEXT),
        "optional": schema(name=TEXT, note=TEXT),
    }
    for word, changed in changes.items():
        contract = contract_of(domains["resource"], first, slug=f"truck_{word}", compatibility=mode)
        version = approved(contract, changed)
        if word in breaks:
            with pytest.raises(ConfigError, match=f"Breaks {mode}"):
                lifecycle.activate(version, by=None)
        else:
            assert lifecycle.activate(version, by=None).status == "active"


def test_a_transitive_promise_is_kept_to_every_version_in_use(domains: Any) -> None:
    first, without = schema(name=TEXT, size={"type": "string"}), schema(name=TEXT)
    again = schema(name=TEXT, size={"type": "integer"})
    plain = contract_of(domains["resource"], first, compatibility="BACKWARD")
    in_force(plain, without)
    assert in_force(plain, again).status == "active"
    strict = contract_of(domains["resource"], first, slug="strict", compatibility="BACKWARD_TRANSITIVE")
    in_force(strict, without)
    with pytest.raises(ConfigError, match="Breaks BACKWARD_TRANSITIVE: size"):
        in_force(strict, again)


def test_a_retired_version_is_promised_nothing(domains: Any) -> None:
    contract = contract_of(domains["resource"], schema(size=TEXT), compatibility="BACKWARD_TRANSITIVE")
    in_force(contract, schema(name=TEXT))
    for version in contract.versions.filter(status="deprecated"):
        deprecation.retire(version, by=None, reason="Nobody has it.")
    assert in_force(contract, schema(name=TEXT, size={"type": "integer"})).status == "active"


def test_an_accepted_break_is_kept_with_its_reason(contract: Contract, ada: Any) -> None:
    version = approved(contract, schema(("name",), name=TEXT))
    lifecycle.activate(version, by=ada, accepted_break="All trucks have names since May.")
    assert ContractVersion.objects.get(pk=version.pk).accepted_break == "All trucks have names since May."
    assert AuditEntry.objects.latest("pk").details["accepted_break"] == "All trucks have names since May."


def test_the_next_version_number_follows_from_the_difference(contract: Contract) -> None:
    now = contract.versions.get(status="active").semver
    major, minor, _ = map(int, now.split("."))
    assert lifecycle.propose(contract=contract, schema=WIDER, by=None).semver == f"{major}.{minor + 1}.0"
    broken = schema(("name",), name=TEXT)
    assert lifecycle.propose(contract=contract, schema=broken, by=None).semver == f"{major + 1}.0.0"
