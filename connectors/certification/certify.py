"""The whole certification of one connector, and the commit that it is about."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from connectors.catalog import Declaration
from connectors.certification.proofs import Certificate, Proof
from connectors.certification.reading import reading, signing_in
from connectors.certification.rehearsal import NotRehearsed, Rehearsal, rehearse
from connectors.certification.trouble import trouble
from connectors.certification.writing import RULES, operation_safety, writing
from connectors.conformance import run_cases
from connectors.simulators.base import Simulator

ROOT = Path(__file__).resolve().parents[2]


def certify(
    declaration: Declaration, simulator: type[Simulator] | None = None, *, bad_answers: bool = True
) -> Certificate:
    """Start the simulator of a declaration (or the given one) and prove what it promises.

    Never raises for a promise that is broken. `bad_answers` adds the conformance cases, which need no simulator.
    """
    head = (declaration.name, declaration.label, declaration.protocol)
    try:
        with rehearse(declaration, simulator) as rehearsal:
            proofs = list(_rehearsed(rehearsal))
            against = f"simulator {rehearsal.system}"
        return Certificate(*head, against, commit(), (*proofs, *(conformance(declaration) if bad_answers else ())))
    except NotRehearsed as reason:
        return Certificate(*head, "", commit(), tuple(_not_run(declaration, str(reason))))


def _rehearsed(rehearsal: Rehearsal) -> Iterator[Proof]:
    """What can be tried once the account works; without it, one cause is told and not a hundred."""
    sign_in = list(signing_in(rehearsal))
    yield from sign_in
    if any(proof.state != "passed" for proof in sign_in):
        yield from _not_run(rehearsal.declaration, "the account did not sign in.")
        return
    yield from reading(rehearsal)
    yield from trouble(rehearsal)
    yield from writing(rehearsal)


def _not_run(declaration: Declaration, reason: str) -> Iterator[Proof]:
    """One line for each promise that nobody could try."""
    yield Proof("reads every record once", "", "not run", reason)
    for stream, section in declaration.streams.items():
        for operation in section.get("write", {}):
            safety = operation_safety(section, operation)
            yield Proof(RULES[safety], f"{stream}.{operation}", "not run", reason, safety)


def conformance(declaration: Declaration) -> Iterator[Proof]:
    """How the declaration takes the bad answers of a hostile system; cases that its protocol has not are left out."""
    for finding in run_cases(declaration):
        if finding.verdict != "not applicable":
            yield Proof(f"bad answer: {finding.case}", finding.stream, finding.verdict, finding.sentence)


def commit() -> str:
    """The commit of the checkout, empty where there is none (an installed package)."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()
