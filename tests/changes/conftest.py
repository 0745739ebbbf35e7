"""Ada writes, Grace reviews for the PMO, Finn for finance; a contract whose fields they watch over."""

from __future__ import annotations

import pytest

from governance import services as contracts
from governance.models import Contract, ReviewGroup, ReviewPolicy
from hub.common.registry import kind
from hub.common.times import business_today

DECIMAL = {"type": "string", "format": "decimal"}


@pytest.fixture
def finn(make_person):
    return make_person("Finn", "approver")


@pytest.fixture
def pmo(grace):
    return ReviewGroup.objects.create(slug="pmo", name="PMO", members=[grace.email])


@pytest.fixture
def finance(finn):
    return ReviewGroup.objects.create(slug="finance", name="Finance", members=[finn.email])


@pytest.fixture
def contract(domains, ada) -> Contract:
    entity = contracts.create_entity(name="Order", slug="order", domain=domains["billing-gl"], by=ada)
    contracts.save_field(contract=entity.contract, name="rate", spec=DECIMAL, required=False, by=ada)
    contracts.save_field(contract=entity.contract, name="buyer", spec={"type": "string"}, required=False, by=ada)
    return entity.contract


@pytest.fixture
def watched(contract, pmo, finance):
    """Rates are finance's, everything of a contract is the PMO's."""
    ReviewPolicy.objects.create(slug="all", name="Contracts", kind="Contract", group=pmo)
    ReviewPolicy.objects.create(slug="rates", name="Rates", kind="Contract", path="**.rate", group=finance)
    return contract


@pytest.fixture
def edited(contract):
    """edited(buyer={…}, rate={…}): the contract's document with these fields."""

    def edit(**fields):
        document = kind("Contract").dump("order")
        properties = {**document["schema"]["properties"], **fields}
        properties = {name: spec for name, spec in properties.items() if spec is not None}
        return document | {"schema": document["schema"] | {"properties": properties}}

    return edit


@pytest.fixture
def today():
    return business_today()
