"""A file of another system as a new version of a contract, or as a new entity: shown first, then put through the one door."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction

from governance.compatibility.verdict import Mode, Verdict, judge
from governance.exchange import reading
from governance.exchange.exporting import key_fields
from governance.exchange.json_schema import from_json_schema
from governance.exchange.odcs import Agreement, from_odcs, to_slug
from governance.models import Contract, ContractVersion, Entity
from governance.rulesets.judging import Finding, findings, refusal
from governance.schemas import Schema, markers_of, schema_problems
from governance.services import FIELD_NAME
from hub.accounts.models import Domain
from hub.common import governed
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.json_schemas import schema_error
from hub.common.registry import Document, kind

FORMATS = ("odcs", "jsonschema")
SLUG = re.compile(r"[a-z][a-z0-9_-]{0,59}")
# Words of the addresses.
RESERVED = ("new", "import")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a file would make of the hub. `contract` is None for a new entity, whose domain is `domain`."""

    slug: str
    schema: Schema
    documents: tuple[Document, ...]
    contract: Contract | None
    active: ContractVersion | None
    domain: Domain
    verdict: Verdict | None = None
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def is_new(self) -> bool:
        return self.contract is None

    @property
    def is_breaking(self) -> bool:
        return self.verdict is not None and self.verdict.is_breaking

    @property
    def is_same(self) -> bool:
        return self.active is not None and self.active.schema == self.schema

    def as_data(self) -> dict[str, Any]:
        judged = self.verdict.as_data() if self.verdict else _FIRST
        number = self.active.number if self.active else None
        rules = [finding.as_data() for finding in self.findings]
        named = {"contract": self.slug, "is_new": self.is_new, "active_version": number}
        return named | judged | {"rulesets": rules, "notes": list(self.notes)}


_FIRST = {
    "changes": [], "severity": "none", "mode": "", "verdict": "FULL", "breaking": False,
    "sentence": "This is a new entity with its first version.", "suggested_version": "1.0.0",
}  # fmt: skip


def propose(data: bytes, *, format_: str, where: str, name: str = "", domain: str = "") -> Proposal:
    """Read a file and compare it with the contract that it is about. Writes nothing; raises ConfigError."""
    given = _agreement(reading.read(data, where=where), format_, name)
    slug = name or _slug(given)
    contract = Contract.objects.select_related("entity__domain").filter(slug=slug).first()
    active = contract.versions.filter(status=ContractVersion.Status.ACTIVE).first() if contract else None
    notes = list(_notes(given, contract))
    given = _with_key(given, active, notes)
    _refuse_unsound(given, slug, active)
    if contract is None:
        return _new(given, slug, domain, tuple(notes))
    document = (kind("Contract").dump(slug) or {}) | {"schema": given.schema}
    verdict = None
    if active:
        mode = Mode(contract.compatibility)
        verdict = judge(active.schema, given.schema, mode=mode, version=f"{active.number}.0.0")
    home = contract.entity.domain
    proposal = Proposal(slug, given.schema, (document,), contract, active, home, verdict, tuple(notes))
    return proposal if proposal.is_same else _judged(proposal)


def _judged(proposal: Proposal) -> Proposal:
    found = findings(proposal.schema, domain=proposal.domain.slug, entity=proposal.slug)
    return replace(proposal, findings=tuple(found))


@transaction.atomic
def accept(
    proposal: Proposal, *, by: Any, seen: int | None = None, is_breaking_accepted: bool = False, where: str = ""
) -> governed.Put:
    """Make the version, or hand it to the reviewers. Raises ConfigError where it may not be made."""
    active = proposal.active.number if proposal.active else 0
    if seen is not None and seen != active:
        raise ConfigError(
            f"Version {active} of the contract is active now; the comparison was made with version {seen}.",
            where=proposal.slug,
            fix="Look at the comparison again.",
            code="CHANGED_MEANWHILE",
        )
    if proposal.is_breaking and not is_breaking_accepted and proposal.verdict:
        raise ConfigError(
            proposal.verdict.sentence,
            where=proposal.slug,
            fix="Change the file, or say that it may break.",
            code="BREAKING",
        )
    if sentence := refusal(proposal.findings):
        raise ConfigError(sentence, where=proposal.slug, fix="Change the file, or the rulesets.", code="RULESET")
    if proposal.is_same:
        return governed.Put(is_applied=True, said="The contract says this already; there is no new version.")
    documents = [_with_break(document, where) if proposal.is_breaking else document for document in proposal.documents]
    put = governed.put(documents, by=by, reason=f"Imported from {where or 'a file'}.")
    details = {"file": where, "is_applied": put.is_applied}
    tell(
        Act(
            "contract.imported",
            "Contract",
            proposal.slug,
            by=by,
            after=proposal.schema,
            details=details,
            domain=proposal.domain,
        )
    )
    return put


def _with_break(document: Document, where: str) -> Document:
    """Whoever imports has said that it may break; a contract keeps why."""
    said = {"accepted_break": f"Accepted when {where or 'a file'} was imported."}
    return document | said if document["kind"] == "Contract" else document


# Reading -----------------------------------------------------------------------------------------------------
def _agreement(document: dict[str, Any], format_: str, name: str) -> Agreement:
    if format_ == "odcs":
        return from_odcs(document, set(key_fields()), name=name)
    if error := schema_error(document, may_contain_itself=False):
        raise ConfigError(error[1], where=error[0], code="SCHEMA")
    slug, schema = from_json_schema(document)
    return Agreement(slug, str(document.get("title") or ""), schema)


def _slug(given: Agreement) -> str:
    """The short name that a file speaks of: a contract that exists, else one made of its title."""
    for name in (given.slug, given.entity, to_slug(given.name)):
        if name and Contract.objects.filter(slug=name).exists():
            return name
    made = given.entity or (given.slug if SLUG.fullmatch(given.slug) else "") or to_slug(given.name)
    made = made if SLUG.fullmatch(made) else to_slug(made)
    if not made:
        raise ConfigError("The file does not say which contract it is about.", fix="Name it with --as.", code="NAME")
    return made


def _notes(given: Agreement, contract: Contract | None) -> Iterator[str]:
    """What the hub does not take from the file although it stands there."""
    if contract is None:
        return
    yours = {"name": contract.name, "domain": contract.entity.domain.slug, **_settings(contract)}
    theirs = {"name": given.name, "domain": given.domain, **given.settings}
    for word, value in theirs.items():
        if value and value != yours.get(word):
            yield f"The file says {word} {value}; the contract's own, {yours.get(word)}, stays."


def _settings(contract: Contract) -> dict[str, str]:
    return {"mode": contract.mode, "compatibility": contract.compatibility}


def _with_key(given: Agreement, active: ContractVersion | None, notes: list[str]) -> Agreement:
    """A file that marks no key at all is about the same records: the contract's key fields stay the key."""
    properties = given.schema.get("properties")
    if active is None or not isinstance(properties, dict) or any(_is_key(spec) for spec in properties.values()):
        return given
    key = [name for name in markers_of(active.schema).key if isinstance(properties.get(name), dict)]
    marked = {name: spec | {"x-key": True} if name in key else spec for name, spec in properties.items()}
    if key:
        notes.append(f"The file marks no key; {', '.join(key)} stays the key.")
    return replace(given, schema=given.schema | {"properties": marked})


def _is_key(spec: Any) -> bool:
    return isinstance(spec, dict) and bool(spec.get("x-key"))


def _refuse_unsound(given: Agreement, slug: str, active: ContractVersion | None) -> None:
    if problems := schema_problems(given.schema):
        path, sentence = problems[0]
        more = f" ({len(problems) - 1} more.)" if len(problems) > 1 else ""
        raise ConfigError(f"{sentence}{more}", where=f"{slug}: {path}".rstrip(": "), code="SCHEMA")
    known = set(active.schema["properties"]) if active else set()
    if wrong := [name for name in given.schema["properties"] if name not in known and not FIELD_NAME.fullmatch(name)]:
        raise ConfigError(
            f"{wrong[0]!r} cannot be the name of a field.",
            where=slug,
            fix="Use small letters, digits and underscores, beginning with a letter, at most 60.",
            code="SCHEMA",
        )
    if active and markers_of(active.schema).key != markers_of(given.schema).key:
        raise ConfigError(
            f"The key would change from {_listed(active.schema)} to {_listed(given.schema)}, but records are known under it.",
            where=slug,
            fix="Import it as a new entity, under another name.",
            code="KEY",
        )
    entities = set(Entity.objects.values_list("slug", flat=True)) | {slug}
    for field_, ref in markers_of(given.schema).refs:
        if ref not in entities:
            raise ConfigError(f"There is no entity {ref!r} that the field could refer to.", where=f"{slug}: {field_}")


def _listed(schema: Schema) -> str:
    return ", ".join(markers_of(schema).key)


def _domain(name: str) -> Domain:
    found = Domain.objects.filter(slug=name).first() or Domain.objects.filter(name__iexact=name).first()
    if found is None:
        known = ", ".join(Domain.objects.values_list("slug", flat=True))
        raise ConfigError(
            f"There is no domain {name!r} for the new entity." if name else "A new entity needs a domain.",
            fix=f"Name one with --domain: {known}.",
            code="DOMAIN",
        )
    return found


def _new(given: Agreement, slug: str, domain: str, notes: tuple[str, ...]) -> Proposal:
    """A new entity with its contract, or a first contract for an entity that has none."""
    if not SLUG.fullmatch(slug) or slug in RESERVED:
        fix = "Use small letters, digits, hyphens and underscores, beginning with a letter, at most 60."
        raise ConfigError(f"{slug!r} cannot be the short name of a contract.", fix=fix, code="NAME")
    present = Entity.objects.select_related("domain").filter(slug=slug).first()
    home = present.domain if present else _domain(domain or given.domain)
    name = present.name if present else given.name or slug.replace("_", " ").capitalize()
    contract = {
        "kind": "Contract",
        "slug": slug,
        "name": name,
        "entity": slug,
        **given.settings,
        "schema": given.schema,
    }
    entity = {"kind": "Entity", "slug": slug, "name": name, "domain": home.slug, "description": given.description}
    documents = (contract,) if present else (entity, contract)
    return _judged(Proposal(slug, given.schema, documents, None, None, home, notes=notes))
