"""The four simulators in this process, seeded with the tiny firm before each test."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import date

import httpx
import pytest

from connectors.simulators import crm, erp, hris, psa
from connectors.simulators.client import Controls
from connectors.simulators.server import Landscape

TODAY = date(2026, 11, 24)
# Loopback speaks no TLS; without this every client would load all certificates of the machine.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
SECRETS = {
    "crm": {"client_secret": crm.CLIENT_SECRET},
    "psa": {"token": psa.TOKEN},
    "hris": {"api_key": hris.API_KEY},
    "erp": {"client_secret": erp.CLIENT_SECRET},
}


@pytest.fixture(scope="session")
def landscape() -> Iterator[Landscape]:
    with Landscape() as running:
        yield running


@pytest.fixture
def systems(landscape: Landscape) -> Controls:
    """The control planes, after a fresh start with the tiny firm."""
    return _seeded(landscape, "tiny")


@pytest.fixture
def small(landscape: Landscape) -> Controls:
    """The same with the small firm, all faults included."""
    return _seeded(landscape, "small")


def _seeded(landscape: Landscape, profile: str) -> Controls:
    """A reset is enough where the profile stands already."""
    controls = Controls(landscape.ports())
    if controls.erp.health().get("profile") != profile:
        landscape.seed(profile, today=TODAY)
    controls.reset()
    return controls


def crm_client(controls: Controls) -> httpx.Client:
    """Signed in as the demo connection does it."""
    form = {"grant_type": "client_credentials", "client_id": crm.CLIENT_ID, "client_secret": crm.CLIENT_SECRET}
    token = httpx.post(f"{controls.crm.url}/services/oauth2/token", data=form, verify=NO_TLS).json()
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    return httpx.Client(base_url=f"{token['instance_url']}/services/data/v62.0", headers=headers, verify=NO_TLS)


def psa_client(controls: Controls) -> httpx.Client:
    headers = {"Authorization": f"Bearer {psa.TOKEN}"}
    return httpx.Client(base_url=f"{controls.psa.url}/api/v1", headers=headers, verify=NO_TLS)


def hris_client(controls: Controls) -> httpx.Client:
    base = f"{controls.hris.url}/api/gateway.php/{hris.COMPANY}/v1"
    return httpx.Client(base_url=base, auth=(hris.API_KEY, "x"), verify=NO_TLS)


def erp_client(controls: Controls) -> httpx.Client:
    form = {
        "grant_type": "client_credentials", "client_id": erp.CLIENT_ID, "client_secret": erp.CLIENT_SECRET,
        "scope": erp.SCOPE,
    }  # fmt: skip
    token = httpx.post(f"{controls.erp.url}/{erp.TENANT}/oauth2/v2.0/token", data=form, verify=NO_TLS).json()[
        "access_token"
    ]
    base = f"{controls.erp.url}/v2.0/{erp.TENANT}/{erp.ENVIRONMENT}/api/v2.0/companies({erp.COMPANY_ID})"
    return httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, verify=NO_TLS)
