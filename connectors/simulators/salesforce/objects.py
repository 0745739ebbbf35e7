"""The standard objects of a Salesforce org, with the external id that an integration adds to each."""

from __future__ import annotations

from dataclasses import replace

from connectors.simulators import crm_data
from connectors.simulators.crm_data import CURRENCY, EXTERNAL_ID, SYSTEM_FIELDS
from connectors.simulators.tables import Field, ObjectType


def sobject(name: str, *fields: Field) -> ObjectType:
    """An object with the fields that every one has."""
    return ObjectType(name, (*SYSTEM_FIELDS, *fields, EXTERNAL_ID), key="Id", modified="SystemModstamp")


def reference(name: str, target: str, *, required: bool = False) -> Field:
    return Field(name, "id", references=target, required=required)


ACCOUNT = replace(
    crm_data.ACCOUNT,
    fields=(
        *crm_data.ACCOUNT.fields,
        reference("ParentId", "Account"),
        Field("BillingState", max_length=80),
        Field("Phone", max_length=40),
        Field("Website", max_length=255),
    ),
)
CONTACT = sobject(
    "Contact",
    reference("AccountId", "Account"),
    Field("FirstName", max_length=40),
    Field("LastName", required=True, max_length=80),
    Field("Email", max_length=80),
    Field("Phone", max_length=40),
    Field("Title", max_length=128),
    Field("MailingCountry", max_length=80),
)
OPPORTUNITY = replace(
    crm_data.OPPORTUNITY,
    fields=(*crm_data.OPPORTUNITY.fields, Field("ForecastCategoryName", read_only=True), Field("ContractId", "id")),
)
LINE_ITEM = sobject(
    "OpportunityLineItem",
    reference("OpportunityId", "Opportunity", required=True),
    reference("Product2Id", "Product2"),
    reference("PricebookEntryId", "PricebookEntry"),
    Field("Quantity", "decimal", required=True),
    Field("UnitPrice", "decimal"),
    Field("TotalPrice", "decimal", read_only=True),
    Field("ServiceDate", "date"),
)
PRODUCT = sobject(
    "Product2",
    Field("Name", required=True, max_length=255),
    Field("ProductCode", max_length=255),
    Field("Family", max_length=80),
    Field("IsActive", "boolean"),
)
PRICE = sobject(
    "PricebookEntry",
    reference("Product2Id", "Product2", required=True),
    Field("UnitPrice", "decimal", required=True),
    CURRENCY,
    Field("IsActive", "boolean"),
)
CONTRACT = replace(
    crm_data.CONTRACT,
    fields=(*crm_data.CONTRACT.fields, Field("ContractTerm", "integer"), Field("CustomerSignedDate", "date")),
)
ORDER = sobject(
    "Order",
    Field("OrderNumber", read_only=True),
    reference("AccountId", "Account", required=True),
    reference("ContractId", "Contract"),
    Field("EffectiveDate", "date", required=True),
    Field("Status", options=("Draft", "Activated")),
    Field("TotalAmount", "decimal", read_only=True),
    CURRENCY,
)
USER = replace(
    crm_data.USER,
    fields=(
        *crm_data.USER.fields,
        Field("FederationIdentifier", max_length=512),
        reference("ManagerId", "User"),
        EXTERNAL_ID,
    ),
)
KINDS: tuple[ObjectType, ...] = (ACCOUNT, CONTACT, USER, PRODUCT, PRICE, OPPORTUNITY, LINE_ITEM, CONTRACT, ORDER)
