"""The firm as the CRM knows it: accounts, opportunities, contracts and users."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal

from connectors.simulators.firm import Firm, quiet_moment
from connectors.simulators.firm.shapes import Client, Contract, Deal, Person
from connectors.simulators.ids import crm_id
from connectors.simulators.planted import Row, Stamped
from connectors.simulators.tables import Field, ObjectType

STAGES = ("Qualification", "Proposal", "Negotiation", "Closed Won", "Closed Lost")
_PROBABILITY = {"Qualification": 20, "Proposal": 50, "Negotiation": 75, "Closed Won": 100, "Closed Lost": 0}
_COUNTRIES = {"GB": "United Kingdom", "DE": "Germany", "US": "United States"}

SYSTEM_FIELDS = (
    Field("Id", "id", read_only=True),
    Field("IsDeleted", "boolean", read_only=True),
    Field("CreatedDate", "date-time", read_only=True),
    Field("LastModifiedDate", "date-time", read_only=True),
    Field("SystemModstamp", "date-time", read_only=True),
)
EXTERNAL_ID = Field("Hub_External_Id__c", max_length=80, unique=True, external_id=True)
CURRENCY = Field("CurrencyIsoCode", max_length=3, options=("GBP", "EUR", "USD"))

ACCOUNT = ObjectType(
    "Account",
    (
        *SYSTEM_FIELDS,
        Field("Name", required=True, max_length=255),
        Field("AccountNumber", max_length=40, external_id=True),
        Field("Type"),
        Field("Industry"),
        Field("BillingStreet", max_length=255),
        Field("BillingCity", max_length=40),
        Field("BillingPostalCode", max_length=20),
        Field("BillingCountry", max_length=80),
        Field("BillingCountryCode", max_length=2),
        Field("Tax_Id__c", max_length=20),
        CURRENCY,
        Field("OwnerId", "id", references="User"),
        EXTERNAL_ID,
    ),
    key="Id",
    modified="SystemModstamp",
)
OPPORTUNITY = ObjectType(
    "Opportunity",
    (
        *SYSTEM_FIELDS,
        Field("Name", required=True, max_length=120),
        Field("AccountId", "id", references="Account"),
        Field("StageName", required=True, options=STAGES),
        Field("IsClosed", "boolean", read_only=True),
        Field("IsWon", "boolean", read_only=True),
        Field("Amount", "decimal"),
        CURRENCY,
        Field("CloseDate", "date", required=True),
        Field("Probability", "decimal"),
        Field("Type"),
        Field("OwnerId", "id", references="User"),
        Field("Deal_Number__c", max_length=20, unique=True, external_id=True),
        Field("Legal_Entity__c", max_length=10),
        Field("Billing_Type__c", options=("tm", "fixed")),
        Field("Project_Code__c", max_length=20),
        EXTERNAL_ID,
    ),
    key="Id",
    modified="SystemModstamp",
)
CONTRACT = ObjectType(
    "Contract",
    (
        *SYSTEM_FIELDS,
        Field("ContractNumber", read_only=True),
        Field("AccountId", "id", required=True, references="Account"),
        Field("Opportunity__c", "id", references="Opportunity"),
        Field("Status", options=("Draft", "Activated", "Expired")),
        Field("StartDate", "date"),
        Field("EndDate", "date"),
        Field("Value__c", "decimal"),
        CURRENCY,
        Field("PO_Number__c", max_length=40),
        EXTERNAL_ID,
    ),
    key="Id",
    modified="SystemModstamp",
)
USER = ObjectType(
    "User",
    (
        *SYSTEM_FIELDS,
        Field("Username", required=True, unique=True, max_length=80),
        Field("Name", read_only=True),
        Field("Email", required=True),
        Field("EmployeeNumber", max_length=20),
        Field("IsActive", "boolean"),
    ),
    key="Id",
    modified="SystemModstamp",
)
KINDS: tuple[ObjectType, ...] = (ACCOUNT, OPPORTUNITY, CONTRACT, USER)


def rows(firm: Firm) -> dict[str, Iterable[Stamped]]:
    accounts = {client.code: crm_id("Account", client.n) for client in firm.clients}
    deals = {deal.number: crm_id("Opportunity", deal.n) for deal in firm.deals}
    owner = crm_id("User", 1)
    return {
        "Account": [stamped(_account(c, owner), quiet_moment(firm, c.n)) for c in firm.clients],
        "Opportunity": [stamped(_opportunity(d, accounts, owner), quiet_moment(firm, d.n)) for d in firm.deals],
        "Contract": [stamped(_contract(c, accounts, deals), quiet_moment(firm, c.n)) for c in firm.contracts],
        "User": list(_users(firm)),
    }


def won(stage: str) -> Row:
    """The fields that follow from the stage."""
    return {"IsClosed": stage.startswith("Closed"), "IsWon": stage == "Closed Won"}


def stamp(instant: datetime) -> str:
    """Milliseconds and an offset without colon: "2026-11-20T09:05:00.000+0000"."""
    return f"{instant:%Y-%m-%dT%H:%M:%S}.000+0000"


def stamped(row: Row, changed_at: datetime) -> Stamped:
    text = stamp(changed_at)
    common: Row = {"IsDeleted": False, "CreatedDate": text, "LastModifiedDate": text, "SystemModstamp": text}
    return Stamped(row["Id"], row | common, changed_at)


def _account(client: Client, owner: str) -> Row:
    return {
        "Id": crm_id("Account", client.n),
        "Name": client.name,
        "AccountNumber": client.code,
        "Type": "Customer",
        "Industry": client.industry,
        "BillingStreet": client.street,
        "BillingCity": client.city,
        "BillingPostalCode": client.postcode,
        "BillingCountry": _COUNTRIES[client.country],
        "BillingCountryCode": client.country,
        "Tax_Id__c": client.tax_id,
        "CurrencyIsoCode": client.currency,
        "OwnerId": owner,
        "Hub_External_Id__c": None,
    }


def _opportunity(deal: Deal, accounts: dict[str, str], owner: str) -> Row:
    return {
        "Id": crm_id("Opportunity", deal.n),
        "Name": deal.name,
        "AccountId": accounts[deal.client],
        "StageName": deal.stage,
        **won(deal.stage),
        "Amount": Decimal(deal.amount),
        "CurrencyIsoCode": deal.currency,
        "CloseDate": deal.close_date.isoformat(),
        "Probability": Decimal(_PROBABILITY[deal.stage]),
        "Type": "New business",
        "OwnerId": owner,
        "Deal_Number__c": deal.number,
        "Legal_Entity__c": deal.legal_entity,
        "Billing_Type__c": deal.billing_type,
        "Project_Code__c": deal.project or None,
        "Hub_External_Id__c": None,
    }


def _contract(contract: Contract, accounts: dict[str, str], deals: dict[str, str]) -> Row:
    return {
        "Id": crm_id("Contract", contract.n),
        "ContractNumber": contract.number,
        "AccountId": accounts[contract.client],
        "Opportunity__c": deals[contract.deal],
        "Status": "Activated",
        "StartDate": contract.start.isoformat(),
        "EndDate": contract.end.isoformat(),
        "Value__c": Decimal(contract.value),
        "CurrencyIsoCode": contract.currency,
        "PO_Number__c": contract.purchase_order,
        "Hub_External_Id__c": None,
    }


def _users(firm: Firm) -> Iterator[Stamped]:
    """Who works in the CRM: management and the people who lead projects."""
    for person in firm.people:
        if person.n == 1 or person.role in ("Partner", "Principal"):
            yield stamped(_user(person), quiet_moment(firm, person.n))


def _user(person: Person) -> Row:
    return {
        "Id": crm_id("User", person.n),
        "Username": person.email,
        "Name": person.name,
        "Email": person.email,
        "EmployeeNumber": person.number,
        "IsActive": True,
    }
