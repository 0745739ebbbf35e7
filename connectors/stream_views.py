"""Objects of a connection: what it offers, choosing one as a stream, and the stream's own page."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connectors import queries, services
from connectors.models import Connection, Stream
from connectors.samples import tabulate
from connectors.stream_forms import SourceSchemaForm, StreamForm, schema_text
from connectors.views import find, frame, me
from hub.common.errors import HubError
from hub.common.htmx import redirect_to, render_page
from hub.common.permissions import requires
from hub.common.records import FieldInfo, StreamInfo, StreamSpec
from hub.common.usage import users_of

# Between the list of objects and the form of one, the system need not be asked twice.
OFFER_SECONDS = 300
MOST_SHOWN = 200


@requires("connections.view")
@never_cache
@require_GET
def connection_objects(request: HttpRequest, slug: str) -> HttpResponse:
    """The streams of a connection; with ?discover=1 also what else it offers, asked now."""
    found = find(request, slug)
    context = {**frame(request, found, "objects"), "streams": found.streams.all()}
    if request.GET.get("discover") and context["can_edit"]:
        context |= _offered(found, request.GET.get("q", "").replace("\x00", ""))
    return render_page(request, "connectors/connection_objects.html", context, partial="connectors/_offered.html")


def _offered(found: Connection, q: str) -> dict[str, Any]:
    """What the system offers, as rows (info, the stream that is kept of it or None), or why it cannot be told."""
    try:
        offered = _discover(found, fresh=True)
    except HubError as error:
        return {"is_asked": True, "error": error}
    kept = {stream.name: stream for stream in found.streams.all()}
    rows = [(info, kept.get(info.name)) for info in offered if q.lower() in f"{info.name} {info.label}".lower()]
    return {"is_asked": True, "q": q, "offered": rows[:MOST_SHOWN], "offered_count": len(rows)}


def _discover(found: Connection, *, fresh: bool = False) -> Sequence[StreamInfo]:
    """The object types on offer; the answer is good for a while, unless the connection is changed."""
    key = f"connectors:offered:{found.pk}:{found.updated_at.timestamp()}"
    known: Sequence[StreamInfo] | None = None if fresh else cache.get(key)
    if known is None:
        known = list(services.discover(found))
        cache.set(key, known, OFFER_SECONDS)
    return known


@requires("connections.edit")
@require_http_methods(["GET", "POST"])
def stream_new(request: HttpRequest, slug: str) -> HttpResponse:
    """Choose an object type (?name=) as a stream."""
    found = find(request, slug, queries.EDIT)
    name = request.GET.get("name", "")
    if kept := found.streams.filter(name=name).first():
        return redirect("connectors:stream_detail", slug=kept.slug)
    info = next((each for each in _discover_or_404(found) if each.name == name), None)
    if info is None:
        raise Http404(f"{found} offers no object {name!r}.")
    stream = Stream(connection=found, name=name)
    form = StreamForm(request.POST or None, info=info, stream=stream)
    if request.method == "POST" and form.is_valid() and (saved := _save(form, found, info, by=request.user)):
        messages.success(request, f"{saved} can now be mapped and synchronised.")
        return redirect_to(request, reverse("connectors:stream_detail", args=[saved.slug]))
    context = {**frame(request, found, "objects"), "form": form, "info": info}
    return render_page(request, "connectors/stream_new.html", context, status=422 if form.is_bound else 200)


def _discover_or_404(found: Connection) -> Sequence[StreamInfo]:
    try:
        return _discover(found)
    except HubError as error:
        raise Http404(str(error)) from error


def _save(form: StreamForm, connection: Connection, info: StreamInfo, *, by: Any) -> Stream | None:
    data = dict(form.cleaned_data)
    slug = data.pop("slug", form.stream.slug)
    try:
        return services.save_stream(connection=connection, info=info, slug=slug, by=by, **data)
    except ValidationError as error:
        form.add_error(None, error.messages)
        return None


@requires("connections.view")
@require_GET
def stream_detail(request: HttpRequest, slug: str) -> HttpResponse:
    stream = find_stream(request, slug)
    return render_page(request, "connectors/stream_detail.html", _stream_frame(request, stream))


@requires("connections.edit")
@require_http_methods(["GET", "POST"])
def stream_edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Key, cursor, page size and label."""
    stream = find_stream(request, slug, queries.EDIT)
    info = _stored_info(stream)
    form = StreamForm(request.POST or None, info=info, stream=stream)
    if request.method == "POST" and form.is_valid():
        services.change_stream(stream, by=request.user, **form.cleaned_data)
        messages.success(request, f"{stream} is saved.")
        return redirect("connectors:stream_detail", slug=slug)
    context = {**_stream_frame(request, stream), "form": form}
    return render_page(request, "connectors/stream_edit.html", context, status=422 if form.is_bound else 200)


@requires("connections.edit")
@require_http_methods(["GET", "POST"])
def stream_schema(request: HttpRequest, slug: str) -> HttpResponse:
    """What a record must look like before it is mapped."""
    stream = find_stream(request, slug, queries.EDIT)
    form = SourceSchemaForm(request.POST or None, initial={"source_schema": schema_text(stream.source_schema)})
    if request.method == "POST" and form.is_valid():
        services.change_stream(stream, by=request.user, **form.cleaned_data)
        messages.success(request, "The source schema is saved; the next run checks against it.")
        return redirect("connectors:stream_detail", slug=slug)
    context = {**_stream_frame(request, stream), "form": form}
    return render_page(request, "connectors/stream_schema.html", context, status=422 if form.is_bound else 200)


@requires("connections.edit")
@require_POST
def stream_discover(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask the system again which fields the object has; key and cursor stay."""
    stream = find_stream(request, slug, queries.EDIT)
    try:
        fields = services.refresh_fields(stream, by=request.user)
    except HubError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{len(fields)} field{'' if len(fields) == 1 else 's'} found.")
    return redirect("connectors:stream_detail", slug=slug)


@requires("connections.edit")
@require_POST
def stream_delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Forget a stream that nothing uses."""
    stream = find_stream(request, slug, queries.EDIT)
    try:
        services.remove_stream(stream, by=me(request))
    except HubError as error:
        messages.error(request, str(error))
        return redirect("connectors:stream_detail", slug=slug)
    messages.success(request, f"{stream} is no longer an object of {stream.connection}.")
    return redirect("connectors:connection_objects", slug=stream.connection.slug)


@requires("connections.edit")
@never_cache
@require_GET
def stream_samples(request: HttpRequest, slug: str) -> HttpResponse:
    """Five records of a stream, read now."""
    stream = find_stream(request, slug, queries.EDIT)
    context = {**_stream_frame(request, stream), **_read(stream.connection, services.stream_spec(stream))}
    return render_page(request, "connectors/stream_detail.html", context, partial="connectors/_samples.html")


@requires("connections.edit")
@never_cache
@require_GET
def object_samples(request: HttpRequest, slug: str) -> HttpResponse:
    """Five records of an object type (?name=) before it is chosen."""
    found = find(request, slug, queries.EDIT)
    name = request.GET.get("name", "")
    context = {**frame(request, found, "objects"), "name": name, **_read(found, StreamSpec(name))}
    return render_page(request, "connectors/object_samples.html", context, partial="connectors/_samples.html")


def _read(connection: Connection, spec: StreamSpec) -> dict[str, Any]:
    try:
        records = services.read_samples(connection, spec)
    except HubError as error:
        return {"is_read": True, "sample_error": error}
    return {"is_read": True, "samples": tabulate(records, first=[*spec.key, spec.cursor])}


def find_stream(request: HttpRequest, slug: str, permission: str = queries.VIEW) -> Stream:
    """A stream that this person holds the permission for; 404 otherwise."""
    return get_object_or_404(queries.streams_for(me(request), permission), slug=slug)


def _stream_frame(request: HttpRequest, stream: Stream) -> dict[str, Any]:
    return {
        "stream": stream,
        "connection": stream.connection,
        "can_edit": queries.streams_for(me(request), queries.EDIT).filter(pk=stream.pk).exists(),
        "users": users_of(stream),
        "versions": queries.history(stream, limit=20),
        "schema": schema_text(stream.source_schema),
    }


def _stored_info(stream: Stream) -> StreamInfo:
    """The stream as discovery described it when its fields were last read."""
    known = {item.name for item in dataclasses.fields(FieldInfo)}
    fields = [FieldInfo(**{name: each[name] for name in known & each.keys()}) for each in stream.fields]
    return StreamInfo(stream.name, stream.label, fields, stream.key_fields, stream.cursor_field)
