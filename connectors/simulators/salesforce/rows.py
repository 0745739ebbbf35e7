"""The demo firm as a Salesforce org knows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from connectors.simulators import crm_data
from connectors.simulators.crm_data import stamped
from connectors.simulators.firm import Firm, quiet_moment
from connectors.simulators.ids import crm_id
from connectors.simulators.planted import Row, Stamped
from connectors.simulators.tables import ObjectType

_FORECAST = {"Closed Won": "Closed", "Closed Lost": "Omitted", "Negotiation": "Commit"}


def rows(firm: Firm) -> dict[str, Iterable[Stamped]]:
    return {
        **crm_data.rows(firm),
        "Contact": _contacts(firm),
        "Product2": _products(firm),
        "PricebookEntry": _prices(firm),
        "OpportunityLineItem": _lines(firm),
        "Order": _orders(firm),
    }


def whole(kind: ObjectType, row: Row) -> Row:
    """A row with every field of its object."""
    return {field.name: None for field in kind.fields} | row


def forecast(stage: str) -> str:
    return _FORECAST.get(stage, "Pipeline")


def roles(firm: Firm) -> list[str]:
    """What the firm sells: the roles of its rate cards."""
    return list(dict.fromkeys(line.role for card in firm.rate_cards for line in card.lines))


def _contacts(firm: Firm) -> Iterator[Stamped]:
    """The person who pays, at each client."""
    for client in firm.clients:
        row: Row = {
            "Id": crm_id("Contact", client.n),
            "AccountId": crm_id("Account", client.n),
            "FirstName": "Accounts",
            "LastName": f"Payable {client.code}",
            "Email": f"payable@{client.code.lower()}.example",
            "Title": "Accounts payable",
        }
        yield stamped(row, quiet_moment(firm, client.n))


def _products(firm: Firm) -> Iterator[Stamped]:
    for n, role in enumerate(roles(firm), 1):
        row: Row = {"Id": crm_id("Product2", n), "Name": role, "ProductCode": role.upper()[:20], "Family": "Services"}
        yield stamped(row | {"IsActive": True}, quiet_moment(firm, n))


def _prices(firm: Firm) -> Iterator[Stamped]:
    products = {role: crm_id("Product2", n) for n, role in enumerate(roles(firm), 1)}
    lines = [(card, line) for card in firm.rate_cards for line in card.lines]
    for n, (card, line) in enumerate(lines, 1):
        row: Row = {
            "Id": crm_id("PricebookEntry", n),
            "Product2Id": products[line.role],
            "UnitPrice": Decimal(line.bill_rate),
            "CurrencyIsoCode": card.currency,
            "IsActive": True,
        }
        yield stamped(row, quiet_moment(firm, n))


def _lines(firm: Firm) -> Iterator[Stamped]:
    """One line for the whole of each deal."""
    for deal in firm.deals:
        row: Row = {
            "Id": crm_id("OpportunityLineItem", deal.n),
            "OpportunityId": crm_id("Opportunity", deal.n),
            "Product2Id": crm_id("Product2", 1),
            "PricebookEntryId": crm_id("PricebookEntry", 1),
            "Quantity": Decimal(1),
            "UnitPrice": Decimal(deal.amount),
            "TotalPrice": Decimal(deal.amount),
            "ServiceDate": deal.close_date.isoformat(),
        }
        yield stamped(row, quiet_moment(firm, deal.n))


def _orders(firm: Firm) -> Iterator[Stamped]:
    clients = {client.code: client.n for client in firm.clients}
    for contract in firm.contracts:
        row: Row = {
            "Id": crm_id("Order", contract.n),
            "OrderNumber": f"{contract.n:08d}",
            "AccountId": crm_id("Account", clients[contract.client]),
            "ContractId": crm_id("Contract", contract.n),
            "EffectiveDate": contract.start.isoformat(),
            "Status": "Activated",
            "TotalAmount": Decimal(contract.value),
            "CurrencyIsoCode": contract.currency,
        }
        yield stamped(row, quiet_moment(firm, contract.n))
