"""The shipped `salesforce` declaration against a simulated org, over real HTTP."""

from __future__ import annotations

import pytest

from connectors import catalog
from hub.common.errors import AuthError, ConfigError, TransientError
from hub.common.records import StreamSpec, WriteItem

from .tools import Org, read_all, upsert

STREAMS = tuple(catalog.load_file(catalog.SHIPPED / "salesforce.yaml").streams)
WRITABLE = {
    "Account": {"Name": "Kestrel Freight"},
    "Contact": {"LastName": "Marsh"},
    "Opportunity": {"Name": "Depot", "StageName": "Proposal", "CloseDate": "2026-12-01"},
    "Product2": {"Name": "Advice"},
}


@pytest.mark.parametrize("way", ["client_credentials", "jwt_bearer", "authorization_code", "refresh_token"])
def test_every_way_to_sign_in_ends_at_the_address_that_the_org_names(salesforce: Org, way: str) -> None:
    with salesforce.open(sign_in=way) as connector:
        steps = list(connector.check())
        assert [step.name for step in steps if step.ok] == ["resolve", "connect", "authenticate", "read"]
        assert connector.api.base_url == salesforce.url
    assert "Integration user" in steps[2].detail


def test_a_key_that_the_org_does_not_know_is_refused(salesforce: Org) -> None:
    from connectors.simulators.clock import Clock
    from connectors.simulators.salesforce.grants import Grants

    strange = Grants(Clock()).private_key
    with (
        salesforce.open(sign_in="jwt_bearer", secrets={"private_key": strange}) as connector,
        pytest.raises(AuthError, match="invalid assertion"),
    ):
        read_all(connector, "Account")


def test_a_refresh_token_that_is_replaced_is_handed_over_and_the_old_one_is_dead(salesforce: Org) -> None:
    salesforce.control.settings(rotates=1)
    before = salesforce.simulator.credentials()["refresh_token"]
    kept: dict[str, str] = {}
    with salesforce.open(sign_in="refresh_token") as connector:
        connector.on_secret_changed = kept.__setitem__
        assert read_all(connector, "Account")
    assert kept["refresh_token"] not in ("", before)
    with (
        salesforce.open(sign_in="refresh_token", secrets={"refresh_token": before}) as connector,
        pytest.raises(AuthError),
    ):
        read_all(connector, "Account")


@pytest.mark.parametrize("stream", STREAMS)
def test_every_object_is_read_whole_in_pages_and_again_from_the_cursor(salesforce: Org, stream: str) -> None:
    name = "Opportunity" if stream == "WonOpportunity" else stream
    expected = {row["Id"] for row in salesforce.rows(name) if stream != "WonOpportunity" or row["IsWon"]}
    salesforce.control.settings(page_limit=2)
    with salesforce.open() as connector:
        pages = list(connector.read(StreamSpec(stream), cursor=None))
        records = [record for page in pages for record in page.records]
        assert [record["Id"] for record in records] == list(dict.fromkeys(record["Id"] for record in records))
        assert {record["Id"] for record in records} == expected
        assert all(set(connector.declaration.streams[stream]["fields"]) <= set(record) for record in records)
        newest = pages[-1].cursor
        assert newest == max(record["SystemModstamp"] for record in records)
        again = {record["Id"] for record in read_all(connector, stream, newest)}
    assert {record["Id"] for record in records if record["SystemModstamp"] == newest} <= again


def test_records_of_the_same_instant_are_neither_lost_nor_left_behind(salesforce: Org) -> None:
    """Two changes share one stamp; the second is made after the first was read."""
    salesforce.control.freeze()
    with salesforce.open() as connector:
        upsert(connector, "Account", {"TIE-1": {"Name": "One"}})
        cursor = list(connector.read(StreamSpec("Account"), cursor=None))[-1].cursor
        upsert(connector, "Account", {"TIE-2": {"Name": "Two"}})
        found = {record["Hub_External_Id__c"] for record in read_all(connector, "Account", cursor)}
    assert {"TIE-1", "TIE-2"} <= found


def test_what_was_deleted_is_read_as_deleted(salesforce: Org) -> None:
    with salesforce.open() as connector:
        [made] = upsert(connector, "Contact", {"GONE-1": {"LastName": "Gone"}})
        cursor = list(connector.read(StreamSpec("Contact"), cursor=None))[-1].cursor
        salesforce.control.advance(120)
        item = WriteItem("GONE-1", "delete", {}, ref=made.ref)
        assert connector.write(StreamSpec("Contact"), [item])[0].status == "updated"
        changed = {record["Id"]: record["IsDeleted"] for record in read_all(connector, "Contact", cursor)}
    assert changed[made.ref] is True


@pytest.mark.parametrize("stream", sorted(WRITABLE))
def test_an_upsert_that_is_sent_twice_makes_one_object(salesforce: Org, stream: str) -> None:
    """The proof of class B: the answer to the first is lost, the second is the very same request."""
    with salesforce.open() as connector:
        assert connector.safety(StreamSpec(stream)) == "B"
        salesforce.control.add_fault("drop", method="PATCH", path="Hub_External_Id__c", times=1, when="after")
        [lost] = upsert(connector, stream, {"TWICE": WRITABLE[stream]})
        assert lost.status == "failed"
        assert isinstance(lost.error, TransientError)
        [again] = upsert(connector, stream, {"TWICE": WRITABLE[stream]})
    [row] = salesforce.with_external_id(stream, "TWICE")
    assert (again.status, again.ref) == ("updated", row["Id"])


def test_a_collection_touches_only_the_good_records_and_says_why_of_the_others(salesforce: Org) -> None:
    records = {f"P-{n}": {"Name": f"Client {n}"} for n in range(5)} | {"BAD": {"Name": "x" * 300}}
    with salesforce.open() as connector:
        outcomes = {outcome.key: outcome for outcome in upsert(connector, "Account", records)}
        assert {key for key, outcome in outcomes.items() if outcome.status == "created"} == {f"P-{n}" for n in range(5)}
        assert outcomes["BAD"].status == "failed"
        assert "255" in str(outcomes["BAD"].error)
        salesforce.control.clear_journal()
        [mended] = upsert(connector, "Account", {"BAD": {"Name": "Short"}})
    assert mended.status == "created"
    assert len(salesforce.calls("/sobjects/", method="PATCH")) == 1
    assert all(len(salesforce.with_external_id("Account", key)) == 1 for key in records)


def test_collections_hold_at_most_two_hundred_records(salesforce: Org) -> None:
    with salesforce.open() as connector:
        outcomes = upsert(connector, "Contact", {f"C-{n}": {"LastName": f"Name {n}"} for n in range(450)})
    assert {outcome.status for outcome in outcomes} == {"created"}
    assert len(salesforce.calls("composite/sobjects/Contact", method="PATCH")) == 3


def test_a_locked_row_is_tried_again_later(salesforce: Org) -> None:
    salesforce.control.settings(locked_writes=1)
    with salesforce.open() as connector:
        [first] = upsert(connector, "Account", {"L-1": {"Name": "Locked"}})
        assert isinstance(first.error, TransientError)
        assert first.error.code == "LOCKED"
        [second] = upsert(connector, "Account", {"L-1": {"Name": "Locked"}})
    assert second.status == "created"


def test_two_records_under_one_external_id_are_nobodys(salesforce: Org) -> None:
    """An org whose field is not unique; nothing is written, and a person is told."""
    table = salesforce.simulator.tables["Account"]
    twin = next(iter(table.rows.values()))
    for n in (1, 2):
        row = {**twin, "Id": f"{twin['Id'][:-2]}X{n}", "Hub_External_Id__c": "TWIN"}
        table.rows[row["Id"]], table.changed_at[row["Id"]] = row, table.changed_at[twin["Id"]]
    table._unique.clear()
    with salesforce.open() as connector:
        [outcome] = upsert(connector, "Account", {"TWIN": {"Name": "Changed"}})
    assert outcome.error is not None
    assert "Merge them" in outcome.error.fix
    assert {row["Name"] for row in salesforce.with_external_id("Account", "TWIN")} == {twin["Name"]}


def test_the_daily_limit_is_told_and_kept(salesforce: Org) -> None:
    salesforce.control.settings(daily_limit=2)
    with salesforce.open() as connector:
        assert [len(read_all(connector, "Product2")) for _ in range(2)] == [5, 5]
        with pytest.raises(TransientError) as caught:
            read_all(connector, "Product2")
    assert caught.value.code == "QUOTA"
    assert [call["status"] for call in salesforce.calls("/queryAll")] == [200, 200, 403]


def test_every_answer_tells_how_many_calls_are_used(salesforce: Org) -> None:
    with salesforce.open() as connector:
        used = []
        for _ in range(2):
            reply = connector.api.send("GET", f"{salesforce.url}/services/data/v62.0/limits")
            used.append(int(reply.answer.headers["sforce-limit-info"].partition("=")[2].partition("/")[0]))
    assert used[1] == used[0] + 1


def test_a_session_that_ends_in_the_middle_of_a_reading_is_renewed_once(salesforce: Org) -> None:
    salesforce.control.settings(page_limit=1)
    with salesforce.open() as connector:
        pages = connector.read(StreamSpec("User"), cursor=None)
        seen = [record["Id"] for record in next(pages).records]
        salesforce.simulator.tokens.revoke()
        salesforce.control.clear_journal()
        seen += [record["Id"] for page in pages for record in page.records]
    assert sorted(seen) == sorted(row["Id"] for row in salesforce.rows("User"))
    assert len(salesforce.calls("/oauth2/token")) == 1


def test_a_field_that_the_org_does_not_have_is_named(salesforce: Org) -> None:
    salesforce.control.drift("Account", "Website", "drop")
    with salesforce.open() as connector, pytest.raises(ConfigError, match="Website"):
        read_all(connector, "Account")


def test_an_update_and_a_deletion_that_are_sent_twice_change_nothing_more(salesforce: Org) -> None:
    with salesforce.open() as connector:
        [made] = upsert(connector, "Opportunity", {"O-1": WRITABLE["Opportunity"]})
        won = WriteItem("O-1", "update", {"StageName": "Closed Won"}, ref=made.ref)
        assert [connector.write(StreamSpec("Opportunity"), [won])[0].status for _ in range(2)] == ["updated"] * 2
        [row] = salesforce.with_external_id("Opportunity", "O-1")
        assert (row["IsWon"], row["IsClosed"], row["ForecastCategoryName"]) == (True, True, "Closed")
        gone = WriteItem("O-1", "delete", {}, ref=made.ref)
        assert [connector.write(StreamSpec("Opportunity"), [gone])[0].status for _ in range(2)] == ["updated"] * 2
    assert salesforce.with_external_id("Opportunity", "O-1") == []


# What the simulated org does beside what the declaration needs ---------------------------------------------------


def _post(org: Org, path: str, body: object, method: str = "POST") -> object:
    with org.open() as connector:
        return connector.api.send(method, f"{org.url}/services/data/v62.0/{path}", json=body, good=(400,)).data


def test_all_or_none_undoes_the_good_records_of_a_collection_too(salesforce: Org) -> None:
    records = [
        {"attributes": {"type": "Account"}, "Hub_External_Id__c": "ALL-1", "Name": "Good"},
        {"attributes": {"type": "Account"}, "Hub_External_Id__c": "ALL-2", "Name": "x" * 300},
    ]
    path = "composite/sobjects/Account/Hub_External_Id__c"
    results = _post(salesforce, path, {"allOrNone": True, "records": records}, "PATCH")
    assert isinstance(results, list)
    assert results[0]["errors"][0]["statusCode"] == "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    assert salesforce.with_external_id("Account", "ALL-1") == []


def test_a_composite_passes_on_ids_and_halts_what_depends_on_a_failure(salesforce: Org) -> None:
    base = "/services/data/v62.0/sobjects"
    account = {"method": "POST", "url": f"{base}/Account", "referenceId": "a", "body": {"Name": "Parent"}}
    contact = {
        "method": "POST", "url": f"{base}/Contact", "referenceId": "c", "body": {"LastName": "L", "AccountId": "@{a.id}"},
    }  # fmt: skip
    good = _post(salesforce, "composite", {"compositeRequest": [account, contact]})
    assert isinstance(good, dict)
    statuses = [answer["httpStatusCode"] for answer in good["compositeResponse"]]
    new_id = good["compositeResponse"][0]["body"]["id"]
    assert statuses == [201, 201]
    assert any(row["AccountId"] == new_id for row in salesforce.rows("Contact"))
    bad = _post(salesforce, "composite", {"compositeRequest": [{**account, "body": {}}, contact]})
    assert isinstance(bad, dict)
    assert bad["compositeResponse"][1]["body"][0]["errorCode"] == "PROCESSING_HALTED"
