"""Fix once, retry all: the plan that was seen, the fix, and the job, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.governed import Held
from monitoring.exceptions import fix_elsewhere, fix_payloads, fix_values, fixes, jobs, notes, plans
from monitoring.exceptions.choosing import Choice
from monitoring.models import ExceptionItem, ExceptionJob

Action = ExceptionJob.Action
# The fixes of the hub itself, in the order in which they are offered.
SHIPPED = (fix_values, fix_payloads, fix_elsewhere)


def go(
    choice: Choice, slug: str, given: Mapping[str, Any], *, by: Any, mark: str, token: str = "", reason: str = ""
) -> tuple[ExceptionJob | None, bool]:
    """Apply the fix and make the job that retries; (job, made). The same token again is the same job, and fixes nothing twice.

    (None, True) is a fix after which nothing is put again. Raises ConfigError CHANGED_MEANWHILE when the plan does not stand
    any more, and governed.Held where the fix itself has to be reviewed first: then nothing is retried either.
    """
    if token and (known := ExceptionJob.objects.filter(token=token).first()):
        return known, False
    fix = fixes.find(slug)
    with transaction.atomic():
        plans.check(choice, fix, given, mark, by=by)
        _refuse(choice, fix, given, by)
        items = list(choice.rows(by).select_related("entity").order_by("-rank", "-pk")[: plans.TRIED])
        try:
            said = fix.apply(items, given, by=by, reason=reason)
        except Held as error:  # what its reviewers will see is kept
            held = error
        else:
            if said:
                _note(items, fix, said, by=by)
            if not fix.retries(given):
                return None, True
            return jobs.start(choice, Action.RETRY, by=by, reason=reason or said, token=token, plan={"fix": slug})
    raise held


def _refuse(choice: Choice, fix: fixes.Fix, given: Mapping[str, Any], by: Any) -> None:
    number = choice.rows(by).count() if fix.is_per_item else 0
    if number > plans.TRIED:
        raise ConfigError(f"{fix.title} is for {plans.TRIED:,} at most, not {number:,}.", fix="Choose fewer.")
    if fix.must_pass and fix.retries(given):
        failing = [line for line in plans.make(choice, fix, given, by=by).lines if line.step == "reject"]
        if failing:
            raise ConfigError(
                f"{len(failing):,} would still be rejected: {failing[0].sentence}", fix="Correct it, then try again."
            )


def _note(items: list[ExceptionItem], fix: fixes.Fix, said: str, *, by: Any) -> None:
    notes.note([item.pk for item in items], "fixed", by=by, text=said)
    tell(Act("exception.fixed", "ExceptionFix", fix.slug, by=by, reason=said[:500], details={"number": len(items)}))
