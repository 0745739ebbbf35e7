"""Loading what a page is about, with the permission it needs: what a person may not see does not exist for them."""

from __future__ import annotations

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from hub.accounts.models import User
from mappings.models import Mapping, ValueMap
from mappings.queries import mappings_for, value_maps_for


def me(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def find_mapping(request: HttpRequest, slug: str, permission: str = "mappings.view") -> Mapping:
    return get_object_or_404(mappings_for(request.user, permission), slug=slug)


def may_edit(request: HttpRequest, mapping: Mapping) -> bool:
    return me(request).has_hub_perm("mappings.edit", mapping.entity.domain)


def find_value_map(request: HttpRequest, slug: str, permission: str = "valuemaps.view") -> ValueMap:
    return get_object_or_404(value_maps_for(request.user, permission), slug=slug)


def may_edit_values(request: HttpRequest, value_map: ValueMap) -> bool:
    ids = me(request).domain_ids_for("valuemaps.edit")
    return ids is None or value_map.domain_id in ids
