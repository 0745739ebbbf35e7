"""The life of a contract version: draft → in review → approved → active → deprecated → retired.

Every step is locked, checked and told to the audit here; the database refuses the steps that STEPS does not know, whoever asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from governance.compatibility.verdict import Mode, Verdict, judge, judge_history
from governance.diff import summary
from governance.models import Contract, ContractVersion
from governance.schemas import Schema, markers_of, schema_problems
from hub.common import facts
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.reasons import needed, tidy
from hub.common.times import business_now

Status = ContractVersion.Status
STEPS: Mapping[str, frozenset[str]] = {
    Status.DRAFT: frozenset({Status.IN_REVIEW, Status.RETIRED}),
    Status.IN_REVIEW: frozenset({Status.DRAFT, Status.APPROVED}),
    Status.APPROVED: frozenset({Status.DRAFT, Status.ACTIVE}),
    Status.ACTIVE: frozenset({Status.DEPRECATED}),
    Status.DEPRECATED: frozenset({Status.RETIRED}),
    Status.RETIRED: frozenset(),
}
# Versions by which records may still be read or written.
IN_USE = (Status.ACTIVE, Status.DEPRECATED)
FIRST = "1.0.0"


# Reading ----------------------------------------------------------------------------------------------------


def verdict_of(contract: Contract, schema: Schema) -> Verdict | None:
    """What `schema` breaks of the version in force, in a transitive mode of all versions in use; None without any."""
    before = list(contract.versions.filter(status__in=IN_USE).order_by("number"))
    before.sort(key=lambda version: version.status == Status.ACTIVE)
    if not before:
        return None
    history = [(version.semver, version.schema) for version in before]
    return judge_history(history, schema, mode=Mode(contract.compatibility))


def compared(old: ContractVersion, new: ContractVersion, *, mode: Mode | None = None) -> Verdict:
    """Two versions of one contract against each other."""
    return judge(old.schema, new.schema, mode=mode or Mode(new.contract.compatibility), version=old.semver)


def successor_of(version: ContractVersion) -> ContractVersion | None:
    """The version that is in force in place of this one."""
    return version.contract.versions.filter(status=Status.ACTIVE).exclude(pk=version.pk).first()


def refuse_retired(version: ContractVersion) -> None:
    """Raises ConfigError for a version that may not be used any more; the sentence names what to use instead."""
    if version.status == Status.RETIRED:
        following = successor_of(version)
        fix = f"Use version {following.number} ({following.semver})." if following else "No version is in force."
        raise ConfigError(
            f"Version {version.number} of the contract is retired.", where=version.ref, fix=fix, code="CONTRACT_RETIRED"
        )


# Writing ----------------------------------------------------------------------------------------------------


@transaction.atomic
def propose(*, contract: Contract, schema: Schema, by: Any, note: str = "") -> ContractVersion:
    """A draft with the version number that its difference from the version in force asks for."""
    if problems := schema_problems(schema):
        path, sentence = problems[0]
        raise ConfigError(sentence, where=f"{contract.slug}: {path}".rstrip(": "))
    _locked(contract)
    active = contract.versions.filter(status=Status.ACTIVE).first()
    if active:
        _keep_key_order(contract, active.schema, schema)
    newest = contract.versions.order_by("-number").first()
    said = summary(active.schema, schema) if active else "First version."
    return contract.versions.create(
        number=newest.number + 1 if newest else 1,
        semver=_semver(contract, schema),
        schema=schema,
        note=note or said,
        created_by=by,
    )


@transaction.atomic
def submit(version: ContractVersion, *, by: Any, reason: str = "") -> ContractVersion:
    """Hand a draft to the reviewers."""
    return step(version, Status.IN_REVIEW, "contract.version_submitted", by=by, reason=reason)


@transaction.atomic
def send_back(version: ContractVersion, *, by: Any, reason: str) -> ContractVersion:
    """Make a version that is in review, or approved and not in force yet, a draft again."""
    why = needed(reason, "Say what has to change.", where=version.ref)
    return step(version, Status.DRAFT, "contract.version_sent_back", by=by, reason=why)


@transaction.atomic
def abandon(version: ContractVersion, *, by: Any, reason: str) -> ContractVersion:
    """Give a draft up."""
    if version.status != Status.DRAFT:
        raise ConfigError("Only a draft can be given up.", where=version.ref, fix="Send it back first.")
    why = needed(reason, "Say why the draft is given up.", where=version.ref)
    return step(version, Status.RETIRED, "contract.version_abandoned", by=by, reason=why, retired_at=business_now())


@transaction.atomic
def approve(version: ContractVersion, *, by: Any, reason: str = "") -> ContractVersion:
    """Agree to a version that is in review. Nobody approves what they proposed."""
    if by is not None and version.created_by_id == by.pk:
        raise ConfigError("Nobody approves their own version.", where=version.ref, fix="Ask somebody else.")
    return step(version, Status.APPROVED, "contract.version_approved", by=by, reason=reason)


@transaction.atomic
def activate(
    version: ContractVersion,
    *,
    by: Any,
    accepted_break: str = "",
    is_promised: bool = True,
) -> ContractVersion:
    """Put an approved version in force; the one before is deprecated.

    Raises ConfigError (BREAKING) when it breaks what the contract promises and nobody says why that is accepted.
    Without `is_promised` nothing was promised to anybody yet.
    """
    _locked(version.contract)
    why = tidy(accepted_break)
    if is_promised:
        _keep_promise(version, why)
    version.semver = _semver(version.contract, version.schema)
    for before in version.contract.versions.filter(status=Status.ACTIVE):
        put(before, status=Status.DEPRECATED, deprecated_at=business_now())
    version.accepted_break = why
    _move(version, Status.ACTIVE, activated_at=business_now(), accepted_break=why, semver=version.semver)
    if by is not None:
        told("contract.activated", version, by=by, reason=version.note, accepted_break=why)
    facts.publish("contract_activated", version=version)
    return version


def walk(version: ContractVersion, *, by: Any, accepted_break: str = "", is_promised: bool = True) -> ContractVersion:
    """All steps at once, for a change that nobody has to review."""
    with transaction.atomic():
        _move(version, Status.IN_REVIEW)
        _move(version, Status.APPROVED)
        return activate(version, by=by, accepted_break=accepted_break, is_promised=is_promised)


# Parts ------------------------------------------------------------------------------------------------------


def _locked(contract: Contract) -> Contract:
    return Contract.objects.select_for_update().get(pk=contract.pk)


def _semver(contract: Contract, schema: Schema) -> str:
    verdict = verdict_of(contract, schema)
    return verdict.suggested_version if verdict else FIRST


def _keep_promise(version: ContractVersion, accepted_break: str) -> None:
    verdict = verdict_of(version.contract, version.schema)
    if verdict and verdict.is_breaking and not accepted_break:
        raise ConfigError(
            verdict.sentence,
            where=version.ref,
            fix="Take the safe way that the comparison names for each change, or say why the break is accepted.",
            code="BREAKING",
        )


def _keep_key_order(contract: Contract, before: Schema, after: Schema) -> None:
    """The parts of a key are joined in order: turned around, no stored record would be found again."""
    old, new = markers_of(before).key, markers_of(after).key
    if old != new and sorted(old) == sorted(new):
        raise ConfigError(
            f"The parts of the key would change places, from {', '.join(old)} to {', '.join(new)}.",
            where=contract.slug,
            fix="Put them back in their order.",
        )


# Steps, for this module and governance.deprecation ----------------------------------------------------------


def step(version: ContractVersion, to: str, act: str, *, by: Any, reason: str, **values: Any) -> ContractVersion:
    _move(version, to, **values)
    told(act, version, by=by, reason=tidy(reason))
    return version


def _move(version: ContractVersion, to: str, **values: Any) -> None:
    """Lock the row and take the step from where it stands now. Raises ConfigError for one that there is not."""
    now = ContractVersion.objects.select_for_update().get(pk=version.pk).status
    if to not in STEPS[now]:
        word = {value: label.lower() for value, label in Status.choices}
        raise ConfigError(
            f"A version that is {word[now]} does not become {word[to]}.",
            where=version.ref,
            fix=f"From here it becomes {' or '.join(sorted(word[s] for s in STEPS[now])) or 'nothing else'}.",
            code="STEP",
        )
    put(version, status=to, **values)


def put(version: ContractVersion, **values: Any) -> None:
    for name, value in values.items():
        setattr(version, name, value)
    version.save(update_fields=list(values))


def told(act: str, version: ContractVersion, *, by: Any, reason: str, **details: Any) -> None:
    told = {name: value for name, value in details.items() if value}
    tell(
        Act(
            act,
            "Contract",
            version.contract.slug,
            by=by,
            reason=reason,
            after=version.schema,
            details={"version": version.number, **told},
            domain=version.contract.entity.domain,
        )
    )
