"""What a run would do, without doing it: real records, the real path, and not one write here or at the target.

`dry_run` tries a sync, `dry_run_mapping` the rules of a mapping that may have no sync and no active version yet.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

from hub.common.errors import ConfigError
from hub.sync import dry_inbound, dry_outbound
from hub.sync.doubles import name_field
from hub.sync.dry_result import DryRun
from hub.sync.models import Run, Sync
from hub.sync.payloads import classified, masked_names
from hub.sync.plan import SyncPlan, load_plan
from mappings.models import Mapping, MappingVersion
from mappings.rules import dump_rules, parse_rules

SAMPLE = 50
MAX_SAMPLE = 500


def dry_run(
    sync: Sync,
    *,
    sample: int = SAMPLE,
    rules: list[dict[str, Any]] | None = None,
    external_ids: Collection[str] | None = None,
) -> DryRun:
    """What would become of `sample` records (or of those with these ids; keys when the sync delivers).

    `rules` tries out others than the active ones. Writes nothing. Raises HubError when the source cannot be read or the
    rules cannot be compiled.
    """
    if not 1 <= sample <= MAX_SAMPLE:
        raise ConfigError(f"A sample has 1 to {MAX_SAMPLE} records, not {sample}.", where="sample", code="SAMPLE")
    started = time.perf_counter()
    plan = _plan(sync, rules)
    versions = _versions(plan, is_draft=rules is not None)
    result = DryRun(sync.direction, versions, name_field(plan.contract.markers))
    work = dry_inbound.run if plan.is_inbound else dry_outbound.run
    work(plan, result, sample=sample, external_ids=external_ids)
    result.sort()
    result.secret = secret_of(plan, result)
    result.seconds = time.perf_counter() - started
    return result


def dry_run_mapping(
    mapping: Mapping,
    *,
    rules: list[dict[str, Any]],
    sample: int = SAMPLE,
    external_ids: Collection[str] | None = None,
) -> DryRun:
    """The same for a mapping's draft, through its first sync or, when it has none, as if it had one."""
    sync = mapping.syncs.order_by("pk").first() or Sync(slug=mapping.slug, name=mapping.name, mapping=mapping)
    return dry_run(sync, sample=sample, rules=rules, external_ids=external_ids)


def _plan(sync: Sync, rules: list[dict[str, Any]] | None) -> SyncPlan:
    """Rules to be tried are a version that is never saved, so that a mapping without an active one can be tried too."""
    if rules is None:
        return load_plan(sync)
    normal = dump_rules(parse_rules(rules))
    return load_plan(
        sync, run=Run(sync=sync, mapping_version=MappingVersion(mapping=sync.mapping, number=0, rules=normal))
    )


def _versions(plan: SyncPlan, *, is_draft: bool) -> str:
    mapping = "the draft of the mapping" if is_draft else f"mapping v{plan.mapping_version.number}"
    return f"{mapping}, contract v{plan.contract_version.number}"


def secret_of(plan: SyncPlan, result: DryRun) -> frozenset[str]:
    """Fields whose values are not for everybody: the contract's own names, and the target's names for them."""
    secret = classified(plan.contract.schema)
    found = secret | masked_names({change.field for row in result.rows for change in row.changes}, plan.contract.schema)
    if not plan.is_inbound:
        found |= {rule.target for rule in plan.rules if rule.source.split(".", 1)[0] in secret}
    return frozenset(found)
