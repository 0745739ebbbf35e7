"""Pages of cut-overs: the matrix, one with its gate, its differences and its switches, and its form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.htmx import redirect_to, render_page
from hub.common.permissions import requires
from hub.common.registry import kind
from hub.cutover import queries, services
from hub.cutover.forms import CutoverForm
from hub.cutover.kind import KIND
from hub.cutover.models import REST, Cutover
from hub.cutover.queries import EDIT, SEE, SWITCH
from hub.sync.views.common import me

COLUMNS = [
    Column("cutover", "Cut-over", "route.cutover.slug"),
    Column("domain", "Domain", "route.cutover.domain.slug"),
    Column("entity", "Entity", "route.cutover.entity.slug"),
    Column("legal_entity", "Legal entity", "route.legal_entity"),
    Column("state", "State", "route.state"),
    Column("since", "Since (UTC)", "route.since"),
    Column("clean", "Clean days", "verdict.clean"),
    Column("unexplained", "Unexplained", "unexplained"),
]


@requires(SEE)
@require_safe
def cutover_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    found = [(cutover, queries.lines_of(cutover)) for cutover in queries.cutovers_for(me(request)).order_by("name")]
    if fmt:
        return export_response([line for _, lines in found for line in lines], COLUMNS, fmt, name="cutovers")
    names = sorted({line.route.legal_entity for _, lines in found for line in lines if line.route.legal_entity != REST})
    rows = [
        (cutover, _cells(lines, [*names, REST]), sum(line.unexplained for line in lines)) for cutover, lines in found
    ]
    context = {"rows": rows, "names": names, "can_edit": me(request).has_hub_perm(EDIT)}
    return render_page(request, "cutover/cutover_list.html", context)


def _cells(lines: list[queries.Line], names: list[str]) -> list[queries.Line | None]:
    by_name = {line.route.legal_entity: line for line in lines}
    return [by_name.get(name) for name in names]


@requires(SEE)
@require_safe
def cutover(request: HttpRequest, slug: str) -> HttpResponse:
    found = _find(request, slug)
    left_out, problem = queries.left_out_of(found)
    context = {
        "cutover": found,
        "lines": queries.lines_of(found, days=max(found.days_needed + 4, queries.STRIP_DAYS), forecast=True),
        "causes": queries.causes_of(found),
        "explained": queries.explained_of(found),
        "history": queries.history_of(found),
        "left_out": left_out,
        "problem": problem,
        "is_fresh": not found.moves.exists(),
        "can_edit": queries.may(me(request), found, EDIT),
        "can_switch": queries.may(me(request), found, SWITCH),
    }
    return render_page(request, "cutover/cutover.html", context)


# The form --------------------------------------------------------------------------------------------------
@requires(EDIT)
@require_http_methods(["GET", "POST"])
def cutover_new(request: HttpRequest) -> HttpResponse:
    return _form_page(request, None)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def cutover_edit(request: HttpRequest, slug: str) -> HttpResponse:
    return _form_page(request, _find(request, slug, EDIT))


def _form_page(request: HttpRequest, found: Cutover | None) -> HttpResponse:
    form = CutoverForm(request.POST or None, user=me(request), cutover=found)
    if request.method == "POST" and form.is_valid() and (answer := _save(request, form)):
        return answer
    context = {"form": form, "cutover": found}
    return render_page(request, "cutover/cutover_form.html", context, status=422 if form.errors else 200)


def _save(request: HttpRequest, form: CutoverForm) -> HttpResponse | None:
    """Through the kind's checks and the door of governed edits; None with the form's errors filled in."""
    document = form.document()
    problems = kind(KIND).validate({"kind": KIND, **document})
    for problem in problems:
        name = problem.path.partition(".")[0]
        form.add_error(name if name in form.fields else None, problem.sentence)
    if problems:
        return None
    try:
        done = services.save_cutover(document, by=me(request))
    except HubError as error:
        form.add_error(None, str(error))
        return None
    messages.success(request, done.said)
    here = reverse("cutover:cutover", args=[document["slug"]])
    return redirect_to(request, here if done.is_applied else done.url or reverse("cutover:cutover_list"))


@requires(EDIT)
@require_POST
def cutover_delete(request: HttpRequest, slug: str) -> HttpResponse:
    found = _find(request, slug, EDIT)
    try:
        services.delete_cutover(found, by=me(request))
    except HubError as error:
        messages.error(request, str(error))
        return redirect_to(request, found.get_absolute_url())
    messages.success(request, f"{found} is deleted.")
    return redirect_to(request, reverse("cutover:cutover_list"))


# Acts ------------------------------------------------------------------------------------------------------
@requires(SWITCH)
@require_POST
def advance(request: HttpRequest, slug: str) -> HttpResponse:
    found, given = _find(request, slug, SWITCH), request.POST
    return _act(
        request,
        found,
        lambda: services.advance(found, given.get("legal_entity", ""), reason=given.get("reason", ""), by=me(request)),
        "Switched forward.",
    )


@requires(SWITCH)
@require_POST
def rollback(request: HttpRequest, slug: str) -> HttpResponse:
    found, given = _find(request, slug, SWITCH), request.POST
    return _act(
        request,
        found,
        lambda: services.roll_back(
            found, given.get("legal_entity", ""), given.get("to", ""), reason=given.get("reason", ""), by=me(request)
        ),
        "Switched back.",
    )


@requires(EDIT)
@require_POST
def explain(request: HttpRequest, slug: str) -> HttpResponse:
    """One difference (`diff`), or all of a cause."""
    found, given = _find(request, slug, EDIT), request.POST
    diff = given.get("diff", "")
    cause = None if diff else (given.get("legal_entity", ""), given.get("field", ""), given.get("pattern", ""))
    number = int(diff) if diff.isdecimal() and len(diff) < 19 else None
    return _act(
        request,
        found,
        lambda: services.explain(found, reason=given.get("reason", ""), by=me(request), diff=number, cause=cause),
        "Explained.",
    )


def _act(request: HttpRequest, found: Cutover, act: Callable[[], Any], said: str) -> HttpResponse:
    try:
        act()
        messages.success(request, said)
    except HubError as error:
        messages.error(request, str(error))
    return redirect_to(request, found.get_absolute_url())


def _find(request: HttpRequest, slug: str, permission: str = SEE) -> Cutover:
    return get_object_or_404(queries.cutovers_for(me(request), permission), slug=slug)
