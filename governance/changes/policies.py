"""Taking a policy out of use."""

from __future__ import annotations

from typing import Any

from governance import saving
from governance.models import ReviewPolicy


def delete_policy(policy: ReviewPolicy, *, by: Any) -> None:
    """Nobody has to agree by this policy any more. Held where policies themselves are reviewed."""
    saving.remove("ReviewPolicy", policy.slug, act="review_policy.deleted", by=by)
