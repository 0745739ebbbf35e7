"""Changing entities and contracts by form. A change of a field is a new contract version, never a migration."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from governance import agreement_forms, queries, services
from governance.agreement_forms import AgreementForm
from governance.forms import EntityForm, FieldForm, SettingsForm
from governance.models import Contract, ContractVersion, Entity
from governance.views import me
from hub.common.errors import ConfigError
from hub.common.htmx import redirect_to, render_page
from hub.common.permissions import requires

EDIT = "contracts.edit"
# What happens to a mapping that still fills a field which its contract no longer knows.
_EFFECTS: dict[str, str] = {
    Contract.Mode.EVOLVE: "Mappings go on filling the field, unchecked, because this contract keeps unknown fields.",
    Contract.Mode.FREEZE: "Syncs whose mapping fills the field stop, because this contract refuses unknown fields.",
    Contract.Mode.DISCARD_ROW: "What mappings put into the field is dropped from now on.",
    Contract.Mode.DISCARD_VALUE: "What mappings put into the field is dropped from now on.",
}


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def entity_new(request: HttpRequest) -> HttpResponse:
    """An entity of the firm's own, with a first contract of its key fields."""
    form = EntityForm(me(request), request.POST or None)
    if request.method == "POST" and form.is_valid():
        entity = services.create_entity(by=me(request), **form.cleaned_data)
        messages.success(request, f"{entity.name} is made. Add the fields that its records hold.")
        return redirect_to(request, _url("contract_fields", entity))
    return render_page(request, "governance/entity_new.html", {"form": form}, status=_status(form))


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def entity_settings(request: HttpRequest, slug: str) -> HttpResponse:
    """Name, domain, unknown fields, load order and waiting time."""
    entity = queries.find_entity(me(request), slug, EDIT)
    contract = queries.contract_of(entity)
    promised = {name: getattr(contract, name) for name in services.OF_CONTRACT} if contract else {}
    initial = {**promised, "max_wait_minutes": entity.max_wait_seconds // 60}
    form = SettingsForm(me(request), request.POST or None, instance=entity, initial=initial)
    if request.method == "POST" and form.is_valid():
        services.change_entity(entity, by=me(request), **form.changes())
        messages.success(request, f"The settings of {entity.name} are saved.")
        return redirect_to(request, _url("contract_fields", entity))
    context = {"form": form, "entity": queries.find_entity(me(request), slug, EDIT)}
    return render_page(request, "governance/entity_settings.html", context, status=_status(form))


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def contract_agreement(request: HttpRequest, slug: str) -> HttpResponse:
    """Owner, tags and service levels: a new version when they change."""
    entity, version = _editable(request, slug)
    form = AgreementForm(
        version.schema, request.POST or None, initial=agreement_forms.initial(version.schema, version.number)
    )
    if request.method == "POST" and form.is_valid():
        try:
            saved = services.save_agreement(contract=version.contract, by=me(request), **form.cleaned_data)
        except ConfigError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Saved. Version {saved.number} of the contract is active.")
            return redirect_to(request, _url("contract_fields", entity))
    context = {"form": form, "entity": entity}
    return render_page(request, "governance/contract_agreement.html", context, status=_status(form))


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def field_new(request: HttpRequest, slug: str) -> HttpResponse:
    return _field_page(request, *_editable(request, slug), "")


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def field_edit(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    return _field_page(request, *_with_field(request, slug, name), name)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def field_remove(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """Asks first; what records already hold stays in them."""
    entity, version = _with_field(request, slug, name)
    effect = _EFFECTS[version.contract.mode]
    context: dict[str, Any] = {"entity": entity, "version": version, "name": name, "effect": effect}
    if request.method == "POST":
        try:
            seen = request.POST.get("seen", "")
            services.remove_field(
                contract=version.contract,
                name=name,
                by=me(request),
                seen=int(seen) if seen.isdecimal() else None,
                accepted_break=request.POST.get("accepted_break", ""),
            )
        except ConfigError as error:
            return render_page(request, "governance/field_remove.html", context | {"problem": error}, status=422)
        messages.success(request, f"The field {name} is no longer part of the contract.")
        return redirect_to(request, _url("contract_fields", entity))
    return render_page(request, "governance/field_remove.html", context)


def _field_page(request: HttpRequest, entity: Entity, version: ContractVersion, name: str) -> HttpResponse:
    form = FieldForm(version, name, request.POST or None)
    if request.method == "POST" and form.is_valid() and (saved := _save_field(request, form, version.contract, name)):
        unchanged = saved.number == version.number
        said = "Nothing changed." if unchanged else f"Saved. Version {saved.number} of the contract is active."
        messages.success(request, said)
        return redirect_to(request, _url("contract_fields", entity))
    context = {"form": form, "entity": entity, "version": version, "name": name}
    return render_page(request, "governance/field_form.html", context, status=_status(form))


def _save_field(request: HttpRequest, form: FieldForm, contract: Contract, name: str) -> ContractVersion | None:
    try:
        return services.save_field(
            contract=contract,
            name=name or form.cleaned_data["name"],
            spec=form.spec,
            required=form.cleaned_data["required"],
            by=me(request),
            seen=form.cleaned_data["seen"],
            accepted_break=form.cleaned_data["accepted_break"],
        )
    except ConfigError as error:
        form.is_break = error.code == "BREAKING"
        form.add_error(None, str(error))
        return None


def _editable(request: HttpRequest, slug: str) -> tuple[Entity, ContractVersion]:
    """The entity and the version in force, or 404 where this person may not change it."""
    entity = queries.find_entity(me(request), slug, EDIT)
    version = queries.active_version(queries.contract_of(entity))
    if version is None:
        raise Http404
    return entity, version


def _with_field(request: HttpRequest, slug: str, name: str) -> tuple[Entity, ContractVersion]:
    entity, version = _editable(request, slug)
    if name not in version.schema["properties"]:
        raise Http404
    return entity, version


def _url(name: str, entity: Entity) -> str:
    return reverse(f"governance:{name}", args=[entity.slug])


def _status(form: Any) -> int:
    return 422 if form.errors else 200
