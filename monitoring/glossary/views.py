"""The glossary on screen: the list, one term with what it measured, and the drifts."""

from __future__ import annotations

import string
from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from governance.models import Term
from governance.terms.parsing import parse
from governance.terms.queries import contract_fields, find_term, search_terms, terms_for
from governance.terms.services import EDIT
from governance.terms.syntax import TermError
from governance.terms.words import in_words
from governance.views import me
from hub.accounts.models import User
from hub.accounts.queries import domains_for
from hub.common import search
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to, render_page
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.common.search import Hit
from monitoring.glossary import measuring, queries
from monitoring.glossary.forms import LoadForm
from monitoring.glossary.measuring import text_of
from monitoring.glossary.showing import course_of, shown, system_rows, tolerance_of
from monitoring.models import SemanticDrift, TermMeasurement

SEE = "contracts.view"
HISTORY = 30
STATES = TermMeasurement.State.choices
DRIFT_STATES = [("open", "Open"), ("closed", "Closed")]
COLUMNS = [
    Column("slug", "Short name"),
    Column("name", "Name"),
    Column("domain", "Domain", "domain.slug"),
    Column("definition", "Definition"),
    Column("owner", "Owner"),
    Column("synonyms", "Synonyms", lambda term: ", ".join(term.synonyms)),
    Column("unit", "Unit"),
    Column("currency", "Currency"),
    Column("per", "Said of"),
    Column("period", "Taken over"),
    Column("expression", "Expression"),
    Column("state", "State"),
    Column("measured_at", "Measured (UTC)"),
]
DRIFT_COLUMNS = [
    Column("term", "Term", "term.slug"),
    Column("name", "Name", "term.name"),
    Column("domain", "Domain", "term.domain.slug"),
    Column("opened_at", "Open since (UTC)"),
    Column("closed_at", "Closed (UTC)"),
    Column("difference", "Difference", lambda drift: text_of(drift.difference)),
    Column("unit", "Unit", "term.unit"),
    Column("amount", "Amount", lambda drift: text_of(drift.amount)),
    Column("currency", "Currency"),
    Column("systems", "Systems", lambda drift: ", ".join(each["name"] for each in drift.systems)),
    Column("measurements", "Measurements"),
    Column("last_measured_at", "Last measured (UTC)"),
]


@requires(SEE)
@require_GET
def term_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Every term with its owner and how the systems stood when it was last measured."""
    bar = FilterBar(
        request,
        keys={"domain": "Domain", "state": "State", "letter": "Letter", "owner": "Owner"},
        selects=[_domains(request), Select("state", "State", STATES)],
    )
    rows = _filtered(queries.with_latest(terms_for(me(request))), bar)
    if fmt:
        return export_response(list(rows.order_by("name", "pk")), COLUMNS, fmt, name="glossary")
    page = paginate(rows, request, order=("name",))
    context = {
        "page": page,
        "rows": _rows(list(page)),
        "bar": bar,
        "letters": _letters(terms_for(me(request)), bar.get("letter").upper()),
        "load": LoadForm(),
        "open_drifts": queries.drifts_for(me(request)).filter(closed_at__isnull=True).count(),
    }
    return render_page(request, "glossary/term_list.html", context)


def _domains(request: HttpRequest) -> Select:
    return Select("domain", "Domain", [(each.slug, each.name) for each in domains_for(me(request), SEE)])


def _filtered(rows: QuerySet[Term], bar: FilterBar) -> QuerySet[Term]:
    rows = search_terms(rows, bar.text)
    if domain := bar.get("domain"):
        rows = rows.filter(domain__slug=domain)
    if letter := bar.get("letter"):
        rows = rows.filter(name__istartswith=letter[:1])
    if owner := bar.get("owner"):
        rows = rows.filter(owner__icontains=owner)
    if state := bar.get("state"):
        rows = rows.filter(Q(state=state))
    return rows


def _rows(terms: list[Term]) -> list[dict[str, Any]]:
    latest = queries.latest_of(terms)
    return [{"term": term, "latest": latest.get(term.pk), "hub": _hub(term, latest.get(term.pk))} for term in terms]


def _hub(term: Term, measurement: TermMeasurement | None) -> str:
    return shown(measurement.hub, term) if measurement else ""


def _letters(rows: QuerySet[Term], chosen: str) -> list[tuple[str, bool, bool]]:
    """(letter, has terms, is chosen) of the alphabet."""
    used = {name[:1].upper() for name in rows.values_list("name", flat=True)}
    return [(letter, letter in used, letter == chosen) for letter in [*string.ascii_uppercase]]


@requires(SEE)
@require_GET
def term_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """What it means, how it is computed and asked for, and what came out."""
    term = find_term(me(request), slug)
    before = list(queries.measurements_of(term)[:HISTORY])
    newest = before[0] if before else None
    drift = queries.open_drift_of(term)
    context = {
        "term": term,
        "words": _words(term),
        "newest": newest,
        "hub": shown(newest.hub, term) if newest else "",
        "systems": system_rows(newest.systems, term, before) if newest else [],
        "probes": [(each, _probe_words(each)) for each in term.probes],
        "history": [_past(each, term) for each in before],
        "course": course_of(before),
        "drift": drift,
        "drift_by": shown(drift.difference, term, signed=True) if drift else "",
        "drifts": [(each, shown(each.difference, term, signed=True)) for each in term.drifts.order_by("-id")[:10]],
        "bound": _bound(term),
        "tolerance": tolerance_of(term),
        "can_edit": me(request).has_hub_perm(EDIT, term.domain_id),
    }
    return render_page(request, "glossary/term_detail.html", context)


def _words(term: Term) -> str:
    if not term.expression:
        return ""
    try:
        said = in_words(parse(term.expression))
    except TermError as error:
        return str(error)
    return f"{said[:1].upper()}{said[1:]}."


def _probe_words(probe: dict[str, str]) -> str:
    if probe.get("query"):
        return ""
    try:
        return in_words(parse(probe["expression"], of_stream=True))
    except TermError as error:
        return str(error)


def _past(measurement: TermMeasurement, term: Term) -> dict[str, Any]:
    return {
        "at": measurement.measured_at,
        "hub": shown(measurement.hub, term),
        "state": measurement.state,
        "systems": system_rows(measurement.systems, term),
        "note": measurement.hub_note,
    }


def _bound(term: Term) -> list[tuple[str, str, str]]:
    """(name, title, address of its contract) of the fields that carry the term; without a title where it is gone."""
    found = []
    for name in term.fields:
        entity, _, field = name.partition(".")
        known = (contract_fields(entity) or {}).get(field)
        url = reverse("governance:contract_fields", args=[entity]) if known else ""
        found.append((name, known.title if known else "", url))
    return found


@requires(EDIT)
@require_POST
def term_measure(request: HttpRequest, slug: str) -> HttpResponse:
    """Measure it now, and keep what comes out."""
    term = find_term(me(request), slug, EDIT)
    made = measuring.measure(term)
    said = {
        TermMeasurement.State.EQUAL: "Measured: every system agrees with the hub.",
        TermMeasurement.State.APART: f"Measured: {_parted(made)} from the hub by more than the tolerance.",
    }.get(made.state, "Measured: not everything gave a number. The page says why.")  # type: ignore[call-overload]
    (messages.success if made.state == TermMeasurement.State.EQUAL else messages.warning)(request, said)
    return redirect_to(request, term.get_absolute_url())


def _parted(made: TermMeasurement) -> str:
    names = [each["name"] for each in made.apart]
    return f"{', '.join(names)} {'differs' if len(names) == 1 else 'differ'}"


@requires(SEE)
@require_GET
def drift_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Where numbers part or parted, the newest first."""
    bar = FilterBar(
        request,
        keys={"state": "State", "domain": "Domain", "term": "Term", "system": "System"},
        selects=[Select("state", "State", DRIFT_STATES), _domains(request)],
    )
    rows = _drifts(queries.drifts_for(me(request)), bar)
    if fmt:
        return export_response(list(rows.order_by("-id")), DRIFT_COLUMNS, fmt, name="semantic-drift")
    page = paginate(rows, request)
    shown_rows = [(each, shown(each.difference, each.term, signed=True)) for each in page]
    return render(request, "glossary/drift_list.html", {"page": page, "rows": shown_rows, "bar": bar})


def _drifts(rows: QuerySet[SemanticDrift], bar: FilterBar) -> QuerySet[SemanticDrift]:
    if state := bar.get("state"):
        rows = rows.filter(closed_at__isnull=state == "open")
    if domain := bar.get("domain"):
        rows = rows.filter(term__domain__slug=domain)
    if term := bar.get("term"):
        rows = rows.filter(term__slug=term)
    if system := bar.get("system"):
        rows = rows.filter(systems__contains=[{"system": system}])
    return rows.filter(term__name__icontains=bar.text) if bar.text else rows


@search.provider(order=25)
def find_terms(q: str, user: User) -> list[Hit]:
    if not user.has_hub_perm(SEE):
        return []
    found = search_terms(terms_for(user), q)[:8]
    return [Hit(term.name, term.get_absolute_url(), "Glossary", term.definition[:120], icon="bulb") for term in found]
