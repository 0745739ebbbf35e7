"""Simulated vendors in this process, seeded with the tiny firm before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.simulators.clock import Clock
from connectors.simulators.salesforce.org import SalesforceSimulator
from connectors.simulators.salesforce.psa import CertiniaSimulator

from .tools import Org, serving


@pytest.fixture(scope="session")
def _salesforce() -> Iterator[Org]:
    with serving(SalesforceSimulator(Clock())) as org:
        yield org


@pytest.fixture(scope="session")
def _certinia() -> Iterator[Org]:
    with serving(CertiniaSimulator(Clock())) as org:
        yield org


@pytest.fixture
def salesforce(_salesforce: Org) -> Org:
    _salesforce.control.reset()
    return _salesforce


@pytest.fixture
def certinia(_certinia: Org) -> Org:
    _certinia.control.reset()
    return _certinia
