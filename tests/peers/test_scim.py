"""Identity by SCIM against a server that nobody here wrote: accounts are made, found, changed, closed and deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from connectors import registry
from connectors.base import Connector
from connectors.registry import open_connector
from hub.common.records import Record, StreamSpec, WriteItem, WriteOutcome
from tests.connectors.tools import LOOPBACK
from tests.peers import scim

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not scim.is_installed(), reason="not run: scim2-server is not installed (.ci/install-peers)"),
]
USERS, GROUPS = StreamSpec("Users"), StreamSpec("Groups")


@pytest.fixture
def address(tmp_path: Any) -> Iterator[str]:
    with scim.running_scim(tmp_path) as found:
        yield found


@contextmanager
def connected(
    address: str, name: str = "scim", match_by: str = "externalId", token: str = scim.TOKEN
) -> Iterator[Connector]:
    config = {"url": address, "match_by": match_by, "allowed_networks": LOOPBACK}
    with open_connector(declaration=registry.catalogue()[name], config=config, secrets={"token": token}) as connector:
        yield connector


def person(number: str, **more: Any) -> WriteItem:
    body = {
        "externalId": number,
        "userName": f"p{number}@example.org",
        "name": {"givenName": "Imani", "familyName": f"Number {number}"},
        "displayName": f"Imani {number}",
        "emails": [{"value": f"p{number}@example.org", "type": "work", "primary": True}],
        "active": True,
    }
    return WriteItem(number, "upsert", body | more)


def write(connector: Connector, *items: WriteItem, stream: StreamSpec = USERS) -> list[WriteOutcome]:
    return list(connector.write(stream, items))


def held(connector: Connector, stream: StreamSpec = USERS, size: int = 0, cursor: str | None = None) -> list[Record]:
    spec = StreamSpec(stream.name, page_size=size)
    return [record for page in connector.read(spec, cursor=cursor) for record in page.records]


@pytest.mark.parametrize("name", ["scim", "okta"])
def test_a_person_that_is_written_twice_has_one_account(address: str, name: str) -> None:
    with connected(address, name) as connector:
        (first,) = write(connector, person("000463"))
        (again,) = write(connector, person("000463", displayName="Imani Solberg"))
        accounts = held(connector)
    assert (first.status, again.status, again.ref) == ("created", "updated", first.ref)
    assert [(a["displayName"], a["userName"]) for a in accounts] == [("Imani Solberg", "p000463@example.org")]


def test_an_account_is_closed_and_keeps_everything_else(address: str) -> None:
    with connected(address) as connector:
        (made,) = write(connector, person("1"))
        (closed,) = write(connector, WriteItem("1", "deactivate", {}))
        (account,) = held(connector)
    assert (made.status, closed.status, closed.ref) == ("created", "updated", made.ref)
    assert (account["active"], account["displayName"], account["externalId"]) == (False, "Imani 1", "1")


def test_many_accounts_come_page_by_page(address: str) -> None:
    with connected(address) as connector:
        outcomes = write(connector, *(person(str(n)) for n in range(23)))
        accounts = held(connector, size=5)
    assert {outcome.status for outcome in outcomes} == {"created"}
    assert sorted(account["externalId"] for account in accounts) == sorted(str(n) for n in range(23))


def test_only_what_changed_is_read_again(address: str) -> None:
    with connected(address) as connector:
        write(connector, person("1"))
        cursor = list(connector.read(USERS, cursor=None))[-1].cursor
        write(connector, person("2"))
        assert "2" in {account["externalId"] for account in held(connector, cursor=cursor)}


def test_an_account_that_was_made_by_hand_is_taken_over(address: str) -> None:
    with connected(address, match_by="userName") as connector:
        by_hand = person("7")
        del by_hand.body["externalId"]
        (made,) = write(connector, WriteItem("p7@example.org", "create", by_hand.body))
    with connected(address) as connector:
        (taken,) = write(connector, person("7"))
        (account,) = held(connector)
    assert (taken.status, taken.ref, account["externalId"]) == ("updated", made.ref, "7")


def test_an_account_of_another_person_is_not_taken_over(address: str) -> None:
    with connected(address) as connector:
        write(connector, person("7"))
        (refused,) = write(connector, person("8", userName="p7@example.org"))
        (account,) = held(connector)
    assert (refused.status, refused.error.code if refused.error else "", account["externalId"]) == (
        "failed",
        "DUPLICATE",
        "7",
    )


def test_a_name_with_quotes_is_looked_for_as_it_is(address: str) -> None:
    odd = 'O\'Brien "Bob" \\ 7'
    with connected(address) as connector:
        write(connector, person(odd, userName="bob@example.org", emails=[]))
        assert set(connector.find(USERS, [odd, 'x" or userName pr or userName eq "'])) == {odd}


def test_a_group_gets_its_members(address: str) -> None:
    with connected(address) as connector:
        (made,) = write(connector, person("1"))
        body = {"displayName": "Consultants", "members": [{"value": made.ref}]}
        first, again = (write(connector, WriteItem("Consultants", "upsert", body), stream=GROUPS)[0] for _ in range(2))
        (group,) = held(connector, GROUPS)
    assert (first.status, again.status) == ("created", "updated")
    assert [member["value"] for member in group["members"]] == [made.ref]


def test_deleting_twice_does_no_harm(address: str) -> None:
    with connected(address) as connector:
        (made,) = write(connector, person("1"))
        twice = [write(connector, WriteItem("1", "delete", {}, made.ref))[0] for _ in range(2)]
        assert [outcome.error for outcome in twice] == [None, None]
        assert held(connector) == []


def test_a_wrong_token_is_refused_politely(address: str) -> None:
    with connected(address, token="nonsense") as connector:
        last = list(connector.check())[-1]
    assert (last.ok, bool(last.fix)) == (False, True)
