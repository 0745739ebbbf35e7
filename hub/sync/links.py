"""Addresses of pages that other packages own; "" where an installation does not have the page."""

from __future__ import annotations

from django.urls import NoReverseMatch, reverse

PAGES = {
    "connection": "connectors:connection_detail",
    "contract": "governance:contract_fields",
    "mapping": "mappings:editor",
    "record": "records:record",
    "records": "records:record_list",
    "sync": "sync:sync_detail",
}


def page_url(kind: str, *args: object) -> str:
    try:
        return reverse(PAGES[kind], args=args)
    except NoReverseMatch:
        return ""
