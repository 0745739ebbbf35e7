"""Saving or removing one governed object for a person: through the door of governed edits, and told to the audit."""

from __future__ import annotations

import re
from typing import Any

from django.db import transaction

from hub.common import governed
from hub.common.acts import Act, tell
from hub.common.governed import Held, Put
from hub.common.registry import Document, kind


@transaction.atomic
def save(document: Document, *, act: str, by: Any, reason: str = "", domain: Any = None) -> Put:
    """Apply the document, or hand it to its reviewers. Raises ConfigError for what its kind refuses."""
    return save_all([document], act=act, by=by, reason=reason, domain=domain)


@transaction.atomic
def save_all(documents: list[Document], *, act: str, by: Any, reason: str = "", domain: Any = None) -> Put:
    """Several documents, all or none. What stays as it is is told to nobody."""
    names = [(document["kind"], document["slug"]) for document in documents]
    before = [kind(name).dump(slug) for name, slug in names]
    done = governed.put(documents, by=by, reason=reason)
    for (name, slug), was in zip(names, before, strict=True) if done.is_applied else ():
        after = kind(name).dump(slug)
        if after != was:
            tell(Act(act, name, slug, by=by, reason=reason, before=was, after=after, domain=domain))
    return done


def save_or_hold(document: Document, *, act: str, by: Any, reason: str = "", domain: Any = None) -> None:
    """`save` for services whose callers go on with the object: Held is raised, so never call it inside a transaction."""
    done = save(document, act=act, by=by, reason=reason, domain=domain)
    if not done.is_applied:
        raise Held(done)


def remove(name: str, slug: str, *, act: str, by: Any, reason: str = "", domain: Any = None) -> None:
    """Remove the object, with what goes with it. Raises ConfigError for what has to stay.

    Raises Held, with the change request open, where reviewers have to agree: never call it inside a transaction.
    """
    done = _remove(name, slug, act=act, by=by, reason=reason, domain=domain)
    if not done.is_applied:
        raise Held(done)


@transaction.atomic
def _remove(name: str, slug: str, *, act: str, by: Any, reason: str, domain: Any) -> Put:
    before = {each: kind(each[0]).dump(each[1]) for each in governed.going_with(name, slug)}
    done = governed.remove(name, slug, by=by, reason=reason)
    for (which, key), was in before.items() if done.is_applied else ():
        said = act if which == name else _act_of(which, act)
        tell(Act(said, which, key, by=by, reason=reason, before=was, domain=domain))
    return done


def _act_of(name: str, act: str) -> str:
    """What `connection.deleted` is for a Stream that goes with it: `stream.deleted`."""
    noun = re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
    return f"{noun}.{act.partition('.')[2]}"
