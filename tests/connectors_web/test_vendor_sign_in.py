"""Signing in at a system with a browser: the state, the code, what is kept, and what is said when it goes wrong."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.urls import reverse

from connectors import circuits, services, vendor_sign_in
from connectors.models import AccessToken, Connection, System
from connectors.simulators import crm
from hub.sync import probing
from tests.simulators import conftest as simulated

landscape, systems = simulated.landscape, simulated.systems
pytestmark = pytest.mark.django_db(transaction=True)

DECLARATION = """\
name: crm_by_person
label: Cloud CRM
category: crm
protocol: rest
time_zone: UTC
config:
  url: {title: Address, format: uri}
  client_id: {title: Client id}
  client_secret: {title: Client secret, type: secret}
  refresh_token: {title: Refresh token, type: secret, required: false}
base_url: ${config.url}
auth:
  type: oauth2
  grant: authorization_code
  authorize_url: /services/oauth2/authorize
  token_url: /services/oauth2/token
  client_id: ${config.client_id}
  client_secret: ${secret.client_secret}
  refresh_token: ${secret.refresh_token}
  scope: api refresh_token
check: {path: /services/oauth2/userinfo, who: email, stream: Account}
streams:
  Account:
    path: /services/data/v62.0/query
    query: {q: "SELECT Id, Name FROM Account"}
    records: records
    key: Id
    paging: {type: next_url, next_path: nextRecordsUrl}
"""


@pytest.fixture
def account(systems: Any, tmp_path: Any, settings: Any, landscape: Any) -> Connection:
    """A stored connection for which nobody has signed in yet."""
    (tmp_path / "crm_by_person.yaml").write_text(DECLARATION)
    settings.HUB_CATALOG = str(tmp_path)
    system = System.objects.create(slug="crm", name="CRM")
    return Connection.objects.create(
        slug="crm", name="Sales CRM", system=system, catalogue="crm_by_person", protocol="rest",
        config={"url": systems.crm.url, "client_id": crm.CLIENT_ID}, secrets={"client_secret": crm.CLIENT_SECRET},
        allowed_networks=["127.0.0.0/8"],
    )  # fmt: skip


@pytest.fixture
def client(browse: Any, ada: Any) -> Any:
    return browse(ada)


@pytest.fixture
def acts(monkeypatch: Any) -> list[Any]:
    """The acts that are told to the audit."""
    found: list[Any] = []
    tell = vendor_sign_in.tell

    def note(act: Any) -> None:
        found.append(act)
        tell(act)

    monkeypatch.setattr(vendor_sign_in, "tell", note)
    return found


def begin(client: Any) -> dict[str, str]:
    """The parameters with which the page leads to the system."""
    page = client.get(reverse("connectors:connection_sign_in", args=["crm"]))
    assert page.status_code == 200
    query = parse_qs(urlsplit(page.context["departure"].url).query)
    return {name: values[0] for name, values in query.items()}


def consent(account: Connection, asked: dict[str, str], decision: str = "allow") -> dict[str, str]:
    """What the system sends the person back with."""
    url = f"{account.config['url']}/services/oauth2/authorize"
    answer = httpx.post(url, data={**asked, "decision": decision}, verify=simulated.NO_TLS)
    assert answer.status_code == 302, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def come_back(client: Any, answer: dict[str, str]) -> Any:
    return client.get(reverse("connectors:signed_in"), answer, follow=True)


def test_a_person_signs_in_and_the_token_is_kept_sealed_and_told(client, account, ada, acts):
    asked = begin(client)
    page = come_back(client, consent(account, asked))
    stored = Connection.objects.get()
    assert page.redirect_chain[-1][0] == reverse("connectors:connection_detail", args=["crm"])
    assert "You signed in for Sales CRM" in page.content.decode()
    assert (stored.status, stored.status_detail) == ("ok", "Signed in as hub@harrowvale.example.")
    assert stored.secrets["refresh_token"].startswith("5Aep861")
    assert stored.secrets["refresh_token"] not in page.content.decode()
    (act,) = [act for act in acts if act.act == "connection.signed_in"]
    assert (act.name, act.by, act.details) == ("crm", ada, {"secrets": ["refresh_token"]})


def test_the_way_there_proves_itself_with_a_challenge_and_an_exact_address(client, account, settings):
    settings.HUB_URL = "https://hub.example.com/"
    asked = begin(client)
    (entry,) = client.session[vendor_sign_in.SESSION_KEY].values()
    digest = hashlib.sha256(entry["verifier"].encode()).digest()
    assert asked["code_challenge"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
    assert asked["redirect_uri"] == "https://hub.example.com/connections/signed-in/"
    assert (asked["scope"], asked["client_id"]) == ("api refresh_token", crm.CLIENT_ID)
    assert entry["verifier"] not in str(asked)
    assert 43 <= len(entry["verifier"]) <= 128


def test_a_state_is_good_once_and_only_in_the_session_that_it_began_in(client, browse, grace, account, make_person):
    other = browse(make_person("Alan", "integration_admin"))
    answer = consent(account, begin(client))
    assert "did not begin in this browser" in come_back(other, answer).content.decode()
    assert "You signed in" in come_back(client, answer).content.decode()
    before = Connection.objects.get().secrets
    assert "did not begin in this browser" in come_back(client, answer).content.decode()
    assert Connection.objects.get().secrets == before


def test_a_sign_in_that_took_too_long_is_begun_again(client, account, monkeypatch):
    answer = consent(account, begin(client))
    monkeypatch.setattr(vendor_sign_in, "LONGEST_SECONDS", -1)
    assert "more than ten minutes ago" in come_back(client, answer).content.decode()
    assert "refresh_token" not in Connection.objects.get().secrets


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"error": "access_denied", "error_description": "end-user denied"}, "The consent was refused at Cloud CRM."),
        ({"error": "invalid_scope"}, "Cloud CRM does not grant what is asked for."),
        ({"error": "temporarily_unavailable"}, "Cloud CRM is busy or under maintenance."),
        ({"error": "org_on_fire", "error_description": "<b>call</b> us"}, "It says: &lt;b&gt;call&lt;/b&gt; us"),
        ({}, "Cloud CRM refused the sign-in."),
        ({"code": "made-up"}, "The system did not accept the sign-in: expired access/refresh token"),
    ],
)
def test_what_goes_wrong_at_the_system_is_a_sentence(client, account, answer, sentence):
    page = come_back(client, {**answer, "state": begin(client)["state"]})
    assert (page.status_code, sentence in page.content.decode()) == (422, True)
    assert "refresh_token" not in Connection.objects.get().secrets


def test_a_sign_in_without_a_refresh_token_says_what_to_ask_for(client, account, monkeypatch):
    answer = consent(account, begin(client))
    monkeypatch.setattr(vendor_sign_in, "get", lambda data, path: None)
    assert "gave no refresh token" in come_back(client, answer).content.decode()


def test_only_those_who_may_edit_the_connection_sign_in_for_it(browse, make_person, account):
    viewer = browse(make_person("Vera", "viewer"))
    assert viewer.get(reverse("connectors:connection_sign_in", args=["crm"])).status_code == 403


def test_a_connection_of_another_kind_offers_no_sign_in(client, account):
    Connection.objects.update(catalogue="sim_crm")
    assert client.get(reverse("connectors:connection_sign_in", args=["crm"])).status_code == 404
    assert "Sign in at" not in client.get(reverse("connectors:connection_detail", args=["crm"])).content.decode()


def test_before_anybody_signed_in_a_test_says_so(account):
    steps = services.check_connection(account)
    assert (steps[-1].ok, steps[-1].name) == (False, "authenticate")
    assert "Nobody has signed in" in steps[-1].detail


def make_due() -> None:
    AccessToken.objects.update(tried_at="2026-01-01T00:00:00Z")


def test_a_sign_in_that_was_taken_back_is_found_by_the_probe_and_shown(client, account, landscape):
    come_back(client, consent(account, begin(client)))
    assert probing.tokens.due_looks() == []
    make_due()
    assert probing.tokens.due_looks() == [account.pk]
    assert probing.probe(account.pk)
    simulator = landscape.servers["crm"].simulator
    simulator.consent.end()
    simulator.revoke_tokens()
    make_due()
    assert not probing.probe(account.pk)
    assert circuits.look(account.pk).state == "paused_auth"
    for name, args in (("connection_detail", ["crm"]), ("connection_list", [])):
        text = client.get(reverse(f"connectors:{name}", args=args)).content.decode()
        assert ("Needs sign-in" in text, "expired access/refresh token" in text) == (True, True)
    come_back(client, consent(account, begin(client)))
    assert circuits.look(account.pk).state == "closed"


def test_one_worker_looks_at_a_sign_in(client, account):
    come_back(client, consent(account, begin(client)))
    make_due()
    assert [probing.tokens.claim_look(account.pk) for _ in range(2)] == [True, False]


def test_the_form_saves_and_leads_to_the_system(client, account, systems):
    form = {
        "c_url": systems.crm.url, "c_client_id": crm.CLIENT_ID, "c_client_secret": crm.CLIENT_SECRET,
        "time_zone": "UTC", "allowed_networks": "127.0.0.0/8", "name": "Second", "slug": "second",
        "new_system": "Second CRM", "category": "crm", "action": "sign_in",
    }  # fmt: skip
    page = client.post("/connections/new/?kind=catalogue:crm_by_person", form)
    assert (page.status_code, page.headers["location"]) == (302, "/connections/second/sign-in/")
    assert Connection.objects.get(slug="second").status == "untested"
