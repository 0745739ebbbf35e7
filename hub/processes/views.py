"""Pages of processes: the list, one with its picture, its form and its steps, what runs, and one time that it ran."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from governance.histories import events_of
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to, render_page
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.common.registry import Document, kind
from hub.processes import dependencies, picture, queries, services
from hub.processes.definition import KINDS, order, steps_of
from hub.processes.forms import AnswerForm, ProcessForm, StepForm
from hub.processes.models import Process, ProcessInstance, State, StepRun, StepState
from hub.processes.queries import EDIT, RUN, SEE
from hub.sync.views.common import me

COLUMNS = [
    Column("slug", "Short name"),
    Column("name", "Process"),
    Column("owner", "Owner"),
    Column("domain", "Domain", "domain.slug"),
    Column("live", "Running"),
    Column("stopped", "Stopped"),
    Column("done", "Done"),
]
RUN_COLUMNS = [
    Column("id", "Number", "pk"),
    Column("process", "Process", "process.slug"),
    Column("version", "Version", "version.number"),
    Column("key", "About"),
    Column("state", "State"),
    Column("trigger", "Started by"),
    Column("started_at", "Started (UTC)"),
    Column("finished_at", "Ended (UTC)"),
]
SHOWN = 12


# Processes -------------------------------------------------------------------------------------------------
@requires(SEE)
@require_safe
def process_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    bar = FilterBar(request, keys={}, hint="Name")
    rows = queries.with_counts(queries.processes_for(me(request)))
    for word in bar.text.split():
        rows = rows.filter(name__icontains=word)
    if fmt:
        return export_response(list(rows), COLUMNS, fmt, name="processes")
    page = paginate(rows, request, order=("name", "pk"))
    can_edit = me(request).has_hub_perm(EDIT)
    return render_page(request, "processes/process_list.html", {"bar": bar, "page": page, "can_edit": can_edit})


@requires(SEE)
@require_safe
def process(request: HttpRequest, slug: str) -> HttpResponse:
    found = _find(request, slug)
    version = found.newest
    steps = steps_of(version.definition)
    context = {
        "process": found,
        "version": version,
        "steps": [steps[name] for name in order(steps)],
        "picture": picture.draw(steps),
        "kinds": [(name, about) for name, (_, _, about) in KINDS.items()],
        "readers": queries.readers_of(version.definition),
        "changed": dependencies.changed_by(version.definition),
        "triggers": version.definition.get("triggers") or [],
        "runs": queries.instances_for(me(request)).filter(process=found)[:SHOWN],
        "history": events_of(found, "Process")[:8],
        "can_edit": queries.may(me(request), found, EDIT),
        "can_run": queries.may(me(request), found, RUN),
    }
    return render_page(request, "processes/process.html", context)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def process_new(request: HttpRequest) -> HttpResponse:
    return _head_page(request, None)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def process_edit(request: HttpRequest, slug: str) -> HttpResponse:
    return _head_page(request, _find(request, slug, EDIT))


def _head_page(request: HttpRequest, found: Process | None) -> HttpResponse:
    form = ProcessForm(request.POST or None, user=me(request), process=found)
    if request.method == "POST" and form.is_valid() and (answer := _save(request, form, form.document())):
        return answer
    context = {"form": form, "process": found}
    return render_page(request, "processes/process_form.html", context, status=422 if form.errors else 200)


def _save(request: HttpRequest, form: Any, document: Document) -> HttpResponse | None:
    """Through the kind's checks and the door of governed edits; None with the form's errors filled in."""
    problems = kind(services.KIND).validate({"kind": services.KIND, **document})
    for problem in problems:
        name = problem.path.rpartition(".")[2]
        form.add_error(name if name in form.fields else None, problem.sentence)
    if problems:
        return None
    try:
        done = services.save_process(document, by=me(request))
    except HubError as error:
        form.add_error(None, str(error))
        return None
    messages.success(request, done.said)
    here = reverse("processes:process", args=[document["slug"]])
    return redirect_to(request, here if done.is_applied else done.url or reverse("processes:process_list"))


@requires(EDIT)
@require_POST
def process_delete(request: HttpRequest, slug: str) -> HttpResponse:
    found = _find(request, slug, EDIT)
    try:
        services.delete_process(found, by=me(request))
    except HubError as error:
        messages.error(request, str(error))
        return redirect_to(request, found.get_absolute_url())
    messages.success(request, f"{found} is deleted.")
    return redirect_to(request, reverse("processes:process_list"))


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def step_new(request: HttpRequest, slug: str, kind_name: str) -> HttpResponse:
    if kind_name not in KINDS:
        raise Http404
    return _step_page(request, _find(request, slug, EDIT), kind_name, None)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def step_edit(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    found = _find(request, slug, EDIT)
    given = next((one for one in _steps(found) if one["name"] == name), None)
    if given is None:
        raise Http404
    return _step_page(request, found, given["kind"], given)


@requires(EDIT)
@require_POST
def step_delete(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """What came after it comes after what it came after."""
    found = _find(request, slug, EDIT)
    gone = next((one for one in _steps(found) if one["name"] == name), None)
    document = _document(found)
    if gone is None or len(document["steps"]) == 1:
        messages.error(request, "A process needs at least one step.")
        return redirect_to(request, found.get_absolute_url())
    rest = [one for one in _steps(found) if one["name"] != name]
    for one in rest:
        one["after"] = list(dict.fromkeys(n for a in one["after"] for n in (gone["after"] if a == name else [a])))
    document["steps"] = rest
    try:
        done = services.save_process(document, by=me(request))
        messages.success(request, done.said)
    except HubError as error:
        messages.error(request, str(error))
    return redirect_to(request, found.get_absolute_url())


def _step_page(request: HttpRequest, found: Process, kind_name: str, given: dict[str, Any] | None) -> HttpResponse:
    steps = _steps(found)
    others = [one["name"] for one in steps if given is None or one["name"] != given["name"]]
    form = StepForm(request.POST or None, kind=kind_name, others=others, found=given)
    if request.method == "POST" and form.is_valid():
        made = form.given()
        document = _document(found)
        document["steps"] = [made if one is given else one for one in steps] if given else [*steps, made]
        if answer := _save(request, form, document):
            return answer
    context = {"form": form, "process": found, "kind": kind_name, "about": KINDS[kind_name][2], "step": given}
    return render_page(request, "processes/step_form.html", context, status=422 if form.errors else 200)


def _steps(found: Process) -> list[dict[str, Any]]:
    """The steps as they are written, each with what it comes after."""
    definition = found.newest.definition
    parsed = steps_of(definition)
    return [{**given, "after": list(parsed[given["name"]].after)} for given in definition["steps"]]


def _document(found: Process) -> Document:
    dumped = kind(services.KIND).dump(found.slug) or {}
    return {name: value for name, value in dumped.items() if name != "kind"}


@requires(SEE)
@require_safe
def process_rehearsal(request: HttpRequest, slug: str) -> HttpResponse:
    """What the newest records would meet, without any write."""
    found = _find(request, slug)
    context = {"process": found, "found": queries.rehearse(found, found.newest.definition)}
    return render_page(request, "processes/rehearsal.html", context)


# What runs -------------------------------------------------------------------------------------------------
@requires(SEE)
@require_safe
def run_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    known = list(queries.processes_for(me(request)).values_list("slug", "name"))
    states = [(str(value), label) for value, label in State.choices]
    bar = FilterBar(
        request, keys={"state": "State", "process": "Process"},
        selects=[Select("state", "State", states), Select("process", "Process", known)], hint="The beginning of a key",
    )  # fmt: skip
    rows = queries.instances_for(me(request))
    if bar.get("state") in State.values:
        rows = rows.filter(state=bar.get("state"))
    if bar.get("process"):
        rows = rows.filter(process__slug=bar.get("process"))
    if bar.text:
        rows = rows.filter(key__startswith=bar.text)
    if fmt:
        return export_response(rows.iterator(), RUN_COLUMNS, fmt, name="process-runs")
    page = paginate(rows, request)
    return render_page(request, "processes/run_list.html", {"bar": bar, "page": page})


@requires(RUN)
@require_POST
def start(request: HttpRequest, slug: str) -> HttpResponse:
    found = _find(request, slug, RUN)
    try:
        made = services.start(
            found, request.POST.get("key", "").strip(), by=me(request), cause=request.POST.get("token", "")
        )
    except HubError as error:
        messages.error(request, str(error))
        return redirect_to(request, found.get_absolute_url())
    return redirect_to(request, made.get_absolute_url())


@requires(SEE)
@require_safe
def instance(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One time that it ran: each step with what became of it, what a person can do, and all that happened."""
    found = _instance(request, slug, pk)
    rows = queries.rows_of(found)
    user = me(request)
    asked = [
        (row, AnswerForm(row.step))
        for row in rows
        if row.step.kind == "ask" and row.run is not None and row.run.state == StepState.WAITING
        and queries.may_answer(user, row.step, found.process)
    ]  # fmt: skip
    context = {
        "instance": found,
        "process": found.process,
        "rows": rows,
        "picture": picture.draw(
            {row.step.name: row.step for row in rows}, {row.step.name: (row.state, row.word.lower()) for row in rows}
        ),
        "asked": asked if found.state != State.UNDOING else [],
        "undo_asked": [row for row in rows if found.state == State.UNDOING and row.run and row.run.result.get("undo_asked")
                       and row.run.state == StepState.DONE],
        "told": [each for each in found.messages.filter(seen_at=None) if queries.may_see(me(request), each)],
        "unsure_undo": [row for row in rows if found.state == State.UNDOING and row.run and row.run.is_undo
                        and row.run.state == StepState.UNSURE],
        "notes": [
            {"state": _note_state(each.what), "title": f"{each.step} {each.what}".strip(),
             "detail": " · ".join(filter(None, [each.detail, f"by {each.by}" if each.by else ""])), "at": each.at}
            for each in found.notes.select_related("by").order_by("-pk")[:100]
        ],
        "can_run": queries.may(user, found.process, RUN),
    }  # fmt: skip
    return render_page(request, "processes/instance.html", context)


def _note_state(what: str) -> str:
    return {"failed": "failed", "unsure": "unsure", "cancelled": "cancelled", "cancelling": "cancelled"}.get(what, "ok")


@requires(SEE)
@require_POST
def answer(request: HttpRequest, slug: str, pk: int, step: str) -> HttpResponse:
    """People of the role that is asked may answer, whatever else they may."""
    found = _instance(request, slug, pk)
    run = get_object_or_404(StepRun, instance=found, step=step)
    asked = steps_of(found.version.definition).get(step)
    if asked is None or not queries.may_answer(me(request), asked, found.process):
        raise Http404
    return _act(request, found, lambda: services.answer(run, request.POST.dict(), by=me(request)), "Answered.")


@requires(RUN)
@require_POST
def retry(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    found = _instance(request, slug, pk, RUN)
    step = request.POST.get("step", "")
    return _act(request, found, lambda: services.retry(found, step=step, by=me(request)), "It is tried again.")


@requires(RUN)
@require_POST
def settle(request: HttpRequest, slug: str, pk: int, step: str) -> HttpResponse:
    found = _instance(request, slug, pk, RUN)
    run = get_object_or_404(StepRun, instance=found, step=step)
    reason, ref = request.POST.get("reason", ""), request.POST.get("ref", "").strip()
    return _act(
        request, found, lambda: services.settle(run, reason=reason, ref=ref, by=me(request)), "Noted. It goes on."
    )


@requires(SEE)
@require_POST
def seen(request: HttpRequest, slug: str, pk: int, message: int) -> HttpResponse:
    """People of the role that is told, and those who may run it."""
    found = _instance(request, slug, pk)
    told = get_object_or_404(found.messages.select_related("instance__process"), pk=message)
    if not queries.may_see(me(request), told):
        raise Http404
    return _act(request, found, lambda: services.see(told, by=me(request)), "Noted.")


@requires(RUN)
@require_POST
def cancel(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    found = _instance(request, slug, pk, RUN)
    reason = request.POST.get("reason", "")
    return _act(request, found, lambda: services.cancel(found, reason=reason, by=me(request)), "It is taken back.")


@requires(RUN)
@require_POST
def undone(request: HttpRequest, slug: str, pk: int, step: str) -> HttpResponse:
    found = _instance(request, slug, pk, RUN)
    run = get_object_or_404(StepRun, instance=found, step=step)
    return _act(request, found, lambda: services.confirm_undone(run, by=me(request)), "Noted.")


def _act(request: HttpRequest, found: ProcessInstance, act: Any, said: str) -> HttpResponse:
    try:
        act()
        messages.success(request, said)
    except HubError as error:
        messages.error(request, str(error))
    return redirect_to(request, found.get_absolute_url())


def _find(request: HttpRequest, slug: str, permission: str = SEE) -> Process:
    return get_object_or_404(queries.processes_for(me(request), permission), slug=slug)


def _instance(request: HttpRequest, slug: str, pk: int, permission: str = SEE) -> ProcessInstance:
    return get_object_or_404(queries.instances_for(me(request), permission), process__slug=slug, pk=pk)
