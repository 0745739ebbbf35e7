"""Certification: promises that are kept pass, promises that are not kept fail, and nothing passes that was not tried."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import orjson
import pytest
from django.core.management import CommandError, call_command

from connectors import catalog, registry
from connectors.catalog import Declaration
from connectors.certification import certify, describing
from connectors.certification.proofs import Certificate, Proof
from connectors.certification.rehearsal import simulator_of

REHEARSED = [name for name in registry.catalogue() if simulator_of(name)]
DEMO = [name for name in REHEARSED if name.startswith("sim_")]


def declared(name: str, **streams: Any) -> Declaration:
    """A shipped declaration cut down to the named streams, each changed as its function says."""
    body = deepcopy(dict(registry.catalogue()[name].body))
    body["streams"] = {stream: change(body["streams"][stream]) for stream, change in streams.items()}
    body["check"].pop("stream", None)
    return catalog.parse(body, source=registry.catalogue()[name].source)


def with_write(**operations: Any) -> Any:
    """Replace parts of the write operations of a stream; None removes one."""

    def change(section: dict[str, Any]) -> dict[str, Any]:
        write = {name: {**section["write"].get(name, {}), **(new or {})} for name, new in operations.items()}
        kept = {name: value for name, value in {**section["write"], **write}.items() if operations.get(name, 1)}
        return {**section, "write": kept}

    return change


def states(certificate: Certificate, subject: str) -> dict[str, str]:
    return {proof.rule: proof.state for proof in certificate.proofs if proof.subject == subject}


def why(certificate: Certificate, subject: str, rule: str) -> str:
    return next(p.detail for p in certificate.proofs if (p.subject, p.rule) == (subject, rule))


@pytest.mark.parametrize("name", DEMO)
def test_a_shipped_connector_keeps_what_it_promises_against_its_simulator(name: str) -> None:
    certificate = certify(registry.catalogue()[name], bad_answers=False)
    broken = [proof for proof in certificate.proofs if proof.state == "failed"]
    assert not broken, broken
    declared_operations = {
        f"{stream}.{op}" for stream, s in registry.catalogue()[name].streams.items() for op in s.get("write", {})
    }
    proven = {proof.subject for proof in certificate.proofs if proof.write_safety and proof.state == "passed"}
    assert proven == declared_operations


# It keeps to its five requests a second, which takes minutes: `manage.py connector certify kantata`.
SLOW = {"kantata"}


@pytest.mark.parametrize("name", [name for name in REHEARSED if name not in DEMO and name not in SLOW])
def test_every_vendor_with_a_simulator_signs_in_and_is_tried_to_the_end(name: str) -> None:
    proofs = certify(registry.catalogue()[name], bad_answers=False).proofs
    assert (proofs[0].rule, proofs[0].state) == ("signs in", "passed"), proofs[0].detail
    assert {proof.subject.partition(".")[0] for proof in proofs} >= set(registry.catalogue()[name].streams)


def test_a_create_that_leaves_two_objects_is_not_of_class_b() -> None:
    found = certify(declared("sim_erp", projectTasks=with_write(create={"safety": "B"})), bad_answers=False)
    rule = "a repeat is one object with the same content"
    assert states(found, "projectTasks.create")[rule] == "failed"
    assert "projectTasks" in why(found, "projectTasks.create", rule)
    assert not found.passed


def test_a_find_that_looks_elsewhere_does_not_make_class_c() -> None:
    def elsewhere(section: dict[str, Any]) -> dict[str, Any]:
        find = {**section["find"], "query": {"$filter": "number eq 'nobody ${key|odata}'"}}
        return {**section, "find": find}

    found = certify(declared("sim_erp", customers=elsewhere), bad_answers=False)
    assert states(found, "customers.create")["what was written is found by its key"] == "failed"
    assert "does not see" in why(found, "customers.create", "what was written is found by its key")


def test_an_object_that_cannot_be_written_without_a_sample_says_so_and_passes_nothing() -> None:
    source = catalog.parse({**registry.catalogue()["sim_psa"].body}, source="inline")
    body = {**source.body, "streams": {"users": source.body["streams"]["users"]}, "check": {"path": "/me.json"}}
    found = certify(catalog.parse({**body, "check": source.body["check"] | {"stream": "users"}}), bad_answers=False)
    create = [proof for proof in found.proofs if proof.subject == "users.create"]
    assert {proof.state for proof in create} == {"not run"}
    assert "write/users.json" in create[0].detail
    assert not found.passed


def test_a_declaration_that_reads_in_a_loop_or_twice_fails() -> None:
    def ever_the_first_page(section: dict[str, Any]) -> dict[str, Any]:
        return {**section, "path": "/employees", "query": {"$orderby": "number"}, "paging": {"type": "page"}}

    found = certify(declared("sim_erp", employees=ever_the_first_page), bad_answers=False)
    assert "failed" in states(found, "employees").values()


def test_a_connector_without_a_simulator_is_not_run_and_does_not_pass() -> None:
    found = certify(registry.catalogue()["tryton"], bad_answers=False)
    assert {proof.state for proof in found.proofs} == {"not run"}
    assert (found.passed, found.against) == (False, "")


def test_an_empty_certificate_does_not_pass() -> None:
    assert not Certificate("x", "X", "rest", "", "").passed


def test_the_command_prints_one_document_and_ends_as_it_found(capsys: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("connector", "certify", "tryton", "--json")
    document = json.loads(capsys.readouterr().out)
    assert ended.value.code == 1
    assert document["passed"] is False
    assert all(proof["state"].startswith("not run: no simulator") for proof in document["proofs"])


def test_a_name_that_nobody_bears_is_answered_with_the_nearest() -> None:
    with pytest.raises(CommandError, match="Did you mean `tryton`"):
        call_command("connector", "certify", "trytn")


# --- the list ------------------------------------------------------------------------------------------------------


def listed(capsys: Any) -> dict[str, Any]:
    call_command("connector", "list", "--json")
    return {each["name"]: each for each in json.loads(capsys.readouterr().out)}


def test_the_list_names_systems_and_bare_protocols_with_what_they_do(capsys: Any) -> None:
    found = listed(capsys)
    assert set(registry.catalogue()) | set(registry.protocols()) | {"sftp"} <= set(found)
    for each in found.values():
        assert {"name", "vendor", "protocol", "objects", "operations", "proof"} <= set(each)
        assert all(set(op) == {"object", "op", "write_safety", "proof"} for op in each["operations"])
    assert {(o["object"], o["op"], o["write_safety"]) for o in found["sim_crm"]["operations"]} >= {
        ("Account", "upsert", "B"),
        ("Account", "create", "C"),
    }


def test_a_proof_is_on_record_until_the_declaration_changes(monkeypatch: Any, tmp_path: Any) -> None:
    monkeypatch.setattr(describing, "PROVEN", tmp_path / "proven.json")
    declaration = registry.catalogue()["sim_hris"]
    proofs = (Proof("a repeat is one object", "employees.update", "passed", "", "B"),)
    describing.record(declaration, Certificate("sim_hris", "HRIS", "rest", "simulator hris", "abc123", proofs))
    by_op = {op.op: op.proof for op in describing.operations(declaration)}
    assert by_op["update"] == "certified against the simulator hris on abc123; unproved against the vendor"
    assert by_op["create"] == "unproved against the vendor"
    changed = declared("sim_hris", employees=with_write(update={"method": "PUT"}))
    assert {op.proof for op in describing.operations(changed)} == {"unproved against the vendor"}


def test_a_certificate_that_did_not_pass_takes_the_proof_off_the_record(monkeypatch: Any, tmp_path: Any) -> None:
    monkeypatch.setattr(describing, "PROVEN", tmp_path / "proven.json")
    declaration = registry.catalogue()["sim_hris"]
    good = Certificate(
        "sim_hris", "", "rest", "simulator hris", "a", (Proof("x", "employees.update", "passed", "", "B"),)
    )
    describing.record(declaration, good)
    describing.record(
        declaration, Certificate("sim_hris", "", "rest", "simulator hris", "a", (Proof("x", "y", "failed"),))
    )
    assert orjson.loads(describing.PROVEN.read_bytes()) == {}
