"""Changing the glossary by form; a term can be measured as it stands in the form, before it is saved."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from governance.models import Term
from governance.terms import services
from governance.terms.queries import find_term
from governance.terms.services import EDIT
from governance.views import me
from hub.accounts.models import Domain
from hub.common.errors import ConfigError
from hub.common.htmx import redirect_to, render_page
from hub.common.permissions import requires
from hub.common.registry import Document
from monitoring.glossary import measuring
from monitoring.glossary.forms import LoadForm, TermForm, probe_rows
from monitoring.glossary.showing import shown, system_rows

PREVIEW = "glossary/_look.html"


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def term_new(request: HttpRequest) -> HttpResponse:
    return _form_page(request, None)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def term_edit(request: HttpRequest, slug: str) -> HttpResponse:
    return _form_page(request, find_term(me(request), slug, EDIT))


def _form_page(request: HttpRequest, term: Term | None) -> HttpResponse:
    form = TermForm(me(request), term, request.POST or None)
    rows = probe_rows(me(request), term, request.POST or None)
    context: dict[str, Any] = {"form": form, "rows": rows, "term": term}
    if request.method != "POST":
        return render_page(request, "glossary/term_form.html", context)
    is_preview = "measure" in request.POST
    if form.is_valid() and rows.is_valid():
        document = form.as_document([each.probe for each in rows if each.probe])
        try:
            if is_preview:
                context |= _look(document, request)
                return render_page(request, "glossary/term_form.html", context, partial=PREVIEW)
            return _save(request, document)
        except ConfigError as error:
            form.add_error(None, str(error))
    return render_page(request, "glossary/term_form.html", context, partial=PREVIEW if is_preview else "", status=422)


def _save(request: HttpRequest, document: Document) -> HttpResponse:
    done = services.save_term(document, by=me(request))
    messages.success(request, done.said if done.url else f"{document['name']} is saved.")
    return redirect_to(request, done.url or reverse("monitoring:term", args=[document["slug"]]))


def _look(document: Document, request: HttpRequest) -> dict[str, Any]:
    """What the term would measure now; nothing of it is kept."""
    services.refuse_rights(document, me(request))
    given = {name: value for name, value in document.items() if name not in ("kind", "domain")}
    term = Term(**given | {"domain": Domain.objects.get(slug=document["domain"])})
    term.clean_fields(exclude=["slug"])
    services.refuse_misfit(term)
    found = measuring.look(term)
    readings = [each.as_data() for each in found.readings]
    return {
        "look": found,
        "look_hub": shown(found.hub, term),
        "look_systems": system_rows(readings, term),
    }


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def term_remove(request: HttpRequest, slug: str) -> HttpResponse:
    """Asks first: what was measured goes with the term."""
    term = find_term(me(request), slug, EDIT)
    if request.method == "POST":
        try:
            services.remove_term(term, by=me(request))
        except ConfigError as error:
            messages.error(request, str(error))
            return redirect_to(request, reverse("monitoring:term", args=[slug]))
        messages.success(request, f"{term} is taken out of the glossary.")
        return redirect_to(request, reverse("monitoring:term_list"))
    context = {"term": term, "measurements": term.measurements.count()}
    return render_page(request, "glossary/term_remove.html", context)


@requires(EDIT)
@require_POST
def load_shipped(request: HttpRequest) -> HttpResponse:
    form = LoadForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Write the currency as three letters such as EUR.")
        return redirect_to(request, reverse("monitoring:term_list"))
    try:
        made = services.load_shipped_terms(currency=form.cleaned_data["currency"], by=me(request))
    except ConfigError as error:
        messages.error(request, str(error))
    else:
        messages.success(
            request, f"{made} shipped terms are loaded." if made else "Every shipped term is here already."
        )
    return redirect_to(request, reverse("monitoring:term_list"))
