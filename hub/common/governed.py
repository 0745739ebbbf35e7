"""The one door for changing governed configuration: forms, API and commands put documents through it.

Without a gate a document is applied at once. The gate that change requests install may keep it for review instead: then
nothing is written, and what is live stays live.

    done = governed.put([document], by=ada, reason="…")         # a whole document; `done.is_applied`, `done.url`

    @governed.governs(lambda given: [("Contract", given["contract"].slug)])
    def save_field(*, contract, …, by): …                       # what a service makes of an object; raises Held

    done = governed.remove("ServiceLevel", "time-in-erp", by=ada)   # and all that goes with it

Held is no failure: pages lead to the change request, the API answers 202 with its address.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from django.db import models, transaction

from hub.common.errors import ConfigError
from hub.common.registry import Document, is_removal, kind, removal

P = ParamSpec("P")
T = TypeVar("T")
# Kind and slug of an object.
Name = tuple[str, str]
# Set while something is written that was let through: services within it ask no more.
_is_passing: ContextVar[bool] = ContextVar("is_passing", default=False)


@dataclass(frozen=True, slots=True)
class Put:
    """What became of documents: `said` is a sentence for the person, `url` where a proposal is discussed."""

    is_applied: bool
    said: str = "Saved."
    url: str = ""


class Held(Exception):
    """What was asked for waits for its reviewers; nothing of it is written."""

    def __init__(self, put: Put) -> None:
        self.put = put
        super().__init__(put.said)


# A gate answers None for what nobody has to review.
Gate = Callable[[Sequence[Document], Any, str], Put | None]
# Secrets by the column that holds them: {"secrets": {"token": …}, "headers": {…}}; None removes one.
Secrets = dict[str, dict[str, str | None]]


def _every_kind(name: str) -> bool:
    return True


def _as_it_is(document: Document) -> Document:
    return document


def _forgotten(name: Name, secrets: Secrets) -> None:
    """A gate that keeps no secrets: they are entered once the object is there."""


@dataclass(frozen=True, slots=True)
class _Installed:
    gate: Gate
    watches: Callable[[str], bool]
    joined: Callable[[Document], Document]
    seal: Callable[[Name, Secrets], None]


_gates: list[_Installed] = []


def install(
    gate: Gate,
    *,
    watches: Callable[[str], bool] = _every_kind,
    joined: Callable[[Document], Document] = _as_it_is,
    seal: Callable[[Name, Secrets], None] = _forgotten,
) -> None:
    """`watches` tells kinds that the gate may hold; `joined` puts an edit of what is live onto one that waits already.

    `seal` keeps secrets that were typed with a held edit, unseen, until the edit is brought in.
    """
    _gates[:] = [_Installed(gate, watches, joined, seal)]


@transaction.atomic
def put(documents: Sequence[Document], *, by: Any, reason: str = "") -> Put:
    """Apply the documents, all or none, or hand them to the reviewers. Raises ConfigError for what a kind refuses.

    Whoever puts tells the audit of it, in its own words.
    """
    if held := hold(documents, by=by, reason=reason):
        return held
    with passing(), together():
        for document in documents:
            bring_in(document, by=by)
    return Put(is_applied=True)


@transaction.atomic
def remove(name: str, slug: str, *, by: Any, reason: str = "") -> Put:
    """Remove an object and what goes with it, or hand that to the reviewers.

    Raises ConfigError for what cannot be removed, before anybody is asked. Whoever removes tells the audit of it.
    """
    documents = [removal(*each) for each in going_with(name, slug)]
    if not _is_passing.get() and any(one.watches(each["kind"]) for one in _gates for each in documents):
        with transaction.atomic():
            _remove_all(documents, by=by)
            transaction.set_rollback(True)
        if held := hold(documents, by=by, reason=reason):
            return held
    _remove_all(documents, by=by)
    return Put(is_applied=True, said="Removed.")


def going_with(name: str, slug: str) -> list[Name]:
    """The object and all that goes when it goes, in the order in which they can be removed."""
    return [*(each for below in kind(name).below(slug) for each in going_with(*below)), (name, slug)]


def _remove_all(documents: Sequence[Document], *, by: Any) -> None:
    with passing(), together():
        for document in documents:
            bring_in(document, by=by)


def bring_in(document: Document, *, by: Any) -> None:
    """Make, change or remove the object of one document that has been let through."""
    which = kind(document["kind"])
    if is_removal(document):
        which.remove(document["slug"], by=by)
    else:
        which.apply(document, by=by)


def hold(documents: Sequence[Document], *, by: Any, reason: str = "") -> Put | None:
    """Hand the documents to the reviewers, or answer None: then the caller may write them."""
    for document in documents:
        for problem in [] if is_removal(document) else kind(document["kind"]).validate(document):
            where = f"{document['kind']} {document.get('slug', '')}: {problem.path}".rstrip(": ")
            raise ConfigError(problem.sentence, where=where)
    for installed in _gates:
        if held := installed.gate(documents, by, reason):
            return held
    return None


def edit(
    names: Sequence[Name],
    write: Callable[[], T],
    *,
    by: Any,
    reason: str = "",
    rehearse: Callable[[], Sequence[Name]] | None = None,
    sealed: Secrets | None = None,
) -> T | Put:
    """Do `write`, which changes these objects, or hand what it would make of them to the reviewers.

    Where somebody may have to look, it is done and undone first, to see what comes of it; `rehearse` does that in another
    way and answers the names as they are then. `sealed` are secrets of the first object: they stand in no document, and
    wait beside it.
    """
    if _is_passing.get() or not (found := [one for one in _gates if any(one.watches(name) for name, _ in names)]):
        return write()
    with transaction.atomic():
        documents = _rehearsed(rehearse or (lambda: _after(write, names)))
        if documents and (held := hold([found[0].joined(each) for each in documents], by=by, reason=reason)):
            if sealed := {place: values for place, values in (sealed or {}).items() if values}:
                found[0].seal(names[0], sealed)
            return held
        with passing():
            return write()


def _after(write: Callable[[], Any], names: Sequence[Name]) -> Sequence[Name]:
    write()
    return names


def _rehearsed(rehearse: Callable[[], Sequence[Name]]) -> list[Document]:
    with transaction.atomic(), passing():
        found = [kind(name).dump(slug) for name, slug in rehearse()]
        transaction.set_rollback(True)
    return [document for document in found if document is not None]


@contextmanager
def passing() -> Iterator[None]:
    """Write what has been let through."""
    token = _is_passing.set(True)
    try:
        yield
    finally:
        _is_passing.reset(token)


def governs(
    named: Callable[[Mapping[str, Any]], Sequence[Name]],
    *,
    sealed: Callable[[Mapping[str, Any]], Secrets] | None = None,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A service that changes the objects that `named` reads from its arguments. Give it to the outermost one alone:

    what it raises when reviewers have to agree would undo the change request of a transaction around it. `sealed` reads
    the secrets of the first object that were given with it.
    """

    def decorate(service: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(service)

        @functools.wraps(service)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            given = signature.bind(*args, **kwargs)

            def rehearse() -> Sequence[Name]:
                copied = signature.bind(*map(_copied, args), **{name: _copied(kwargs[name]) for name in kwargs})
                service(*copied.args, **copied.kwargs)
                return named(copied.arguments)

            done = edit(
                named(given.arguments),
                lambda: service(*args, **kwargs),
                by=given.arguments.get("by"),
                reason=given.arguments.get("note") or "",
                rehearse=rehearse,
                sealed=sealed(given.arguments) if sealed else None,
            )
            if isinstance(done, Put):
                raise Held(done)
            return done

        return guarded

    return decorate


def _copied(value: Any) -> Any:
    """Rows are copied, so that the rehearsal leaves no trace on the caller's."""
    return copy.copy(value) if isinstance(value, models.Model) else value


# Checks over several objects --------------------------------------------------------------------------------

_waiting: ContextVar[dict[Hashable, Callable[[], None]] | None] = ContextVar("waiting", default=None)


@contextmanager
def together() -> Iterator[None]:
    """Whoever applies several documents in one transaction does it in here: what must hold for all of them together is
    checked when the last one is applied, not in between."""
    if _waiting.get() is not None:
        yield
        return
    checks: dict[Hashable, Callable[[], None]] = {}
    token = _waiting.set(checks)
    try:
        yield
        for check in checks.values():
            check()
    finally:
        _waiting.reset(token)


def settle(key: Hashable, check: Callable[[], None]) -> None:
    """Run a check that raises ConfigError: once for each key at the end of `together()`, at once outside of it."""
    waiting = _waiting.get()
    if waiting is None:
        check()
    else:
        waiting[key] = check
