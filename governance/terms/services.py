"""Every change of the glossary. Forms, API and files put the same documents through `hub.common.governed`."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from connectors import registry
from connectors.models import Connection
from connectors.sql import query_text
from governance.models import Entity, Term
from governance.saving import remove, save
from governance.terms import shipped
from governance.terms.checking import check
from governance.terms.parsing import parse
from governance.terms.probes import PARAMETERS, Probe
from governance.terms.queries import contract_fields
from governance.terms.syntax import TermError, uses_period
from hub.accounts.models import Domain
from hub.accounts.queries import scope_to_domains
from hub.common.errors import ConfigError
from hub.common.governed import Put
from hub.common.registry import Document, kind

RESERVED = frozenset({"new", "drift", "load"})
EDIT = "contracts.edit"


@transaction.atomic
def save_term(document: Document, *, by: Any, reason: str = "") -> Put:
    """Make or change a term, or hand the change to its reviewers.

    Raises ConfigError that says where what is wrong; TermError for an expression. What `by` may not do is refused too.
    """
    refuse_rights(document, by)
    act = "term.changed" if Term.objects.filter(slug=document["slug"]).exists() else "term.made"
    domain = Domain.objects.filter(slug=document.get("domain")).first()
    return save({**document, "kind": "Term"}, act=act, by=by, reason=reason, domain=domain)


def refuse_rights(document: Document, by: Any) -> None:
    """An author asks systems and reads values only as far as their own roles reach."""
    if by is None:
        return
    before = kind("Term").dump(document.get("slug", "")) or {}
    known = [Probe.of(each) for each in before.get("probes") or []]
    for given in document.get("probes") or []:
        if isinstance(given, dict) and given not in [probe.as_data() for probe in known]:
            _refuse_connection(str(given.get("connection", "")), by)
    if document.get("expression") and document["expression"] != before.get("expression"):
        _refuse_unseen(document["expression"], by)


def _refuse_connection(slug: str, by: Any) -> None:
    found = Connection.objects.filter(slug=slug)
    if found.exists() and not scope_to_domains(found, by, "connections.edit").exists():
        raise ConfigError(
            f"A probe asks {found.get()} on the hub's account, and your roles do not let you change that connection.",
            where="probes",
            fix="Ask an integration admin to enter it.",
        )


def _refuse_unseen(text: str, by: Any) -> None:
    """A sum tells about the values that are added up; of masked ones too."""
    for used in check(parse(text), contract_fields):
        needed = "payloads.reveal" if used.field.is_masked else "ledger.view"
        if not scope_to_domains(Entity.objects.filter(slug=used.entity), by, needed).exists():
            raise ConfigError(
                f"Your roles do not let you see the values of {used}.",
                where="expression",
                fix="Leave it out, or ask somebody who may.",
            )


def refuse_misfit(term: Term) -> None:
    """What a term says must be there: entities, fields, and streams of the connection that is asked."""
    if term.expression:
        _check_expression(term)
    for name in term.fields:
        entity, _, field = name.partition(".")
        if field not in (contract_fields(entity) or {}):
            raise ConfigError(f"There is no contract field {name!r}.", where="fields")
    for probe in map(Probe.of, term.probes):
        _check_probe(probe, term)


def _check_expression(term: Term) -> None:
    try:
        node = parse(term.expression)
        check(node, contract_fields)
        if uses_period(node) and term.period == Term.Period.ALL:
            raise TermError("The expression speaks of a period, and the term is taken over all time.")
    except TermError as error:
        error.where = f"expression, {error.where}"
        raise


def _check_probe(probe: Probe, term: Term) -> None:
    connection = Connection.objects.filter(slug=probe.connection).first()
    if connection is None:
        raise ConfigError(f"There is no connection {probe.connection!r}.", where="probes")
    where = f"probe of {probe.connection}"
    if probe.query:
        _check_query(probe.query, connection, term, where)
        return
    if not connection.streams.filter(slug=probe.stream).exists():
        raise ConfigError(f"The connection {probe.connection!r} has no stream {probe.stream!r}.", where=where)
    if uses_period(parse(probe.expression, of_stream=True)) and term.period == Term.Period.ALL:
        raise ConfigError("The expression speaks of a period, and the term is taken over all time.", where=where)


def _check_query(query: str, connection: Connection, term: Term, where: str) -> None:
    if not registry.protocols()[connection.protocol].takes_queries:
        raise ConfigError(f"{connection} takes no queries.", where=where, fix="Read one of its streams instead.")
    if sentence := query_text.problem(query, () if term.period == Term.Period.ALL else PARAMETERS):
        raise ConfigError(sentence, where=where)


def remove_term(term: Term, *, by: Any) -> None:
    """Take a term out of the glossary, with all that was measured of it. Held where reviewers have to agree."""
    remove("Term", term.slug, act="term.removed", by=by, domain=term.domain)


@transaction.atomic
def load_shipped_terms(*, currency: str, by: Any) -> int:
    """Put the shipped terms that this hub lacks, money in `currency`; returns how many. Never touches others.

    A term whose entities this hub does not have is left out.
    """
    present = {*Term.objects.values_list("slug", flat=True)}
    found = [document for document in shipped.documents(currency) if document["slug"] not in present and fits(document)]
    for document in found:
        save_term(document, by=by, reason="The shipped glossary.")
    return len(found)


def fits(document: Document) -> bool:
    """Whether the hub has the entities and fields that a shipped term speaks of."""
    try:
        check(parse(document["expression"]), contract_fields)
    except TermError:
        return False
    return all(name.partition(".")[2] in (contract_fields(name.partition(".")[0]) or {}) for name in document["fields"])
