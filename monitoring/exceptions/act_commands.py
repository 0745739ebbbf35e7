"""`manage.py exceptions plan|retry`: what a fix and a retry would do, and doing it here, for programs and for the console.

Exit 0 only when everything would pass, or has passed.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Mapping
from functools import partial
from typing import Any

from hub.common.errors import ConfigError
from hub.common.governed import Held
from hub.sync import engine, sweeper
from hub.sync.models import Run
from hub.sync.states import RunStatus
from monitoring.exceptions import applying, choosing, fixes, jobs, plans, work
from monitoring.exceptions.choosing import Choice
from monitoring.models import ExceptionJob, ExceptionJobItem

ACTIONS = ("plan", "retry")
POLL_SECONDS = 0.2
Status = ExceptionJobItem.Status


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--filter", default="", help=f"key=value words: {', '.join(choosing.KEYS)}. None is all.")
    parser.add_argument("--fix", default="retry", help="retry, value_map, edit or period.")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="What the fix asks for, such as value_0=active.",
    )
    parser.add_argument("--mark", default="", help="Go only if the plan of this mark still stands.")
    parser.add_argument("--token", default="", help="The same token twice is one job.")
    parser.add_argument("--wait", type=float, default=60.0, metavar="SECONDS", help="How long results are waited for.")


def add(subparsers: Any) -> None:
    """Add the subcommands. Each sets `run`: a function of the options that answers (document, words, exit code)."""
    helps = {
        "plan": "What a fix and a retry would do. Writes nothing.",
        "retry": "Fix and retry, and what became of it.",
    }
    for action in ACTIONS:
        found = subparsers.add_parser(action, help=helps[action])
        add_arguments(found)
        found.set_defaults(run=partial(_told, action))


def _told(action: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], str, int]:
    try:
        return run(action, options)
    except Held as held:
        return {"held": True, "said": held.put.said, "url": held.put.url}, held.put.said, 1


def run(action: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], str, int]:
    """(data, words, exit code). Raises HubError for what cannot be meant or done."""
    choice = choosing.parse(options["filter"])
    fix, given = _given(choice, options)
    if action == "plan":
        return _plan(plans.make(choice, fix, given, by=None))
    return _retry(choice, fix, given, options)


def _given(choice: Choice, options: Mapping[str, Any]) -> tuple[fixes.Fix, dict[str, Any]]:
    pairs = [word.partition("=") for word in options["set"]]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise ConfigError(f"{wrong[0]!r} is not name=value.", where="--set", fix="Write --set value_0=active.")
    fix, items = fixes.find(options["fix"]), plans.looked_at(choice, by=None)
    return fix, fix.cleaned(items, {name: value for name, _, value in pairs}, by=None) if items else {}


def _plan(plan: plans.Plan) -> tuple[dict[str, Any], str, int]:
    data = plan.as_data()
    words = [f"{data[name]:,} {name}" for name in ("create", "update", "skip", "duplicate", "failing")]
    amounts = ", ".join(f"{step} {amount}" for step, amount in data["amounts"].items())
    said = "\n".join(
        [f"{plan.number:,} exceptions: {', '.join(words)}", *([f"amounts: {amounts}"] if amounts else []), *plan.notes]
    )
    return data, said, 0 if not data["duplicate"] and not data["failing"] and not plan.untried else 1


def _retry(
    choice: Choice, fix: fixes.Fix, given: dict[str, Any], options: Mapping[str, Any]
) -> tuple[dict[str, Any], str, int]:
    mark = options["mark"] or plans.mark_of(choice, fix, given, by=None)
    job, made = applying.go(choice, fix.slug, given, by=None, mark=mark, token=options["token"])
    if job is None:
        return {"job": None, "planned": 0, "results": []}, "Nothing is left to retry.", 0
    _carry_out(job, options["wait"])
    data = {"made": made, **jobs.as_data(job), "results": _results(job)}
    counts = data["counts"]
    words = ", ".join(f"{number:,} {name}" for name, number in counts.items() if number)
    has_passed = job.state == ExceptionJob.State.DONE and counts["done"] == job.planned
    lines = [f"{job} is {job.get_state_display().lower()}: {words}."]
    lines += [f"  {row['status']}: {row['title']}: {row['note']}" for row in data["results"] if row["status"] != "done"]
    return data, "\n".join(lines), 0 if has_passed else 1


def _carry_out(job: ExceptionJob, seconds: float) -> None:
    """Here, as a worker would: put, read or deliver what was put, look what became of it."""
    deadline = time.monotonic() + seconds
    while True:
        work.execute(job.pk)
        job.refresh_from_db()
        if not job.is_open or time.monotonic() >= deadline:
            return
        sweeper.start_due_deliveries()
        for run_id in _runs(job):
            engine.execute(run_id)
        time.sleep(POLL_SECONDS)


def _runs(job: ExceptionJob) -> list[int]:
    syncs = job.items.filter(status=Status.UNDER_WAY).order_by().values("item__sync_id").distinct()
    rows = Run.objects.filter(status=RunStatus.QUEUED, sync__in=syncs)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def _results(job: ExceptionJob) -> list[dict[str, Any]]:
    rows = job.items.select_related("item").order_by("pk")
    return [
        {
            "exception": row.item_id,
            "title": row.item.title,
            "status": Status(row.status).name.lower(),
            "note": row.note,
            "transaction": row.transaction_id,
        }
        for row in rows.iterator(chunk_size=2_000)
    ]
