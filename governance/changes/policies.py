"""Taking a policy out of use: there is no document for what is not there, so it is no change request."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from governance.changes.proposals import is_watched
from governance.models import ReviewPolicy
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.registry import kind


@transaction.atomic
def delete_policy(policy: ReviewPolicy, *, by: Any) -> None:
    """Nobody has to agree by this policy any more. Refused where policies themselves are reviewed."""
    if is_watched("ReviewPolicy"):
        raise ConfigError(
            "Policies are reviewed themselves, so none is deleted past the reviewers.",
            where=policy.slug,
            fix="Give it a path that nothing has, such as nothing: that goes to review.",
            code="REVIEWED",
        )
    before = kind("ReviewPolicy").dump(policy.slug)
    policy.delete()
    tell(Act("review_policy.deleted", "ReviewPolicy", policy.slug, by=by, before=before))
