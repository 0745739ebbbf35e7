"""Faults of sources: rows that move while they are read, times that lie, and answers that leave something out."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hub.sync import engine, runs, services
from hub.sync.chaos.fault import Options
from hub.sync.chaos.scenarios import Scenario, Told
from hub.sync.chaos.source_world import Row, SourceWorld, opened, row
from hub.sync.models import Run, SyncState
from hub.sync.states import RunStatus

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
# The tie of F14 is read in this many pages, and left in each of them.
TIE_PAGES = 10
OVERLAP_SECONDS = 600
LATE_SECONDS, TOO_LATE_SECONDS = 300, 3600
SHARE_LATE = 0.05


def _stamp(seconds: float) -> str:
    """A time of change, so many seconds from noon."""
    return (NOON + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _load(there: SourceWorld, options: Options, **more: str) -> list[Row]:
    rows = [row(number, options.seed, **more) for number in range(options.records)]
    there.tell("put", rows)
    return rows


# F13 -------------------------------------------------------------------------------------------------------------
def changes_shift(options: Options, told: Told) -> None:
    """The next page starts behind the last row of this one: whatever moves is read there, or in the next run."""
    _shift(options, told, way="changes", mode="incremental")


def pages_shift(options: Options, told: Told) -> None:
    """Pages are counted, so that rows slip through between two; everything is read again by the next run."""
    _shift(options, told, way="pages", mode="full")


def _shift(options: Options, told: Told, *, way: str, mode: str) -> None:
    size = max(5, options.records // 50)
    with opened(options.seed, way=way, mode=mode, page_size=size) as there:
        _load(there, options)
        there.tell("shift", {"left": options.records // size})
        there.read()
        told.figures["missed by the first run"] = len(there.missing())
        there.tell("shift", {"left": 0})
        there.read()
        told.count(there.fired())
        told.expect("missed", len(there.missing()))
        told.expect("duplicated", there.judge().duplicated)


# F14 -------------------------------------------------------------------------------------------------------------
def ties(options: Options, told: Told) -> None:
    """All rows share one time of change, and reading is given up inside the tie, once behind every page of it."""
    size = max(1, options.records // TIE_PAGES)
    with opened(options.seed, page_size=size, incremental={"ordered": True}) as there:
        _load(there, options, changed=_stamp(0))
        for pages in range(1, TIE_PAGES):
            told.fired["stopped inside the tie"] += _stop_behind(there, pages)
        there.read()
        told.expect("missed", len(there.missing()))
        later = [row(options.records + n, options.seed, changed=_stamp(0)) for n in range(size)]
        there.tell("put", later)
        there.read()
        told.expect("missed of those that joined the tie later", len(there.missing(later)))
        told.expect("duplicated", there.judge().duplicated)


def _stop_behind(there: SourceWorld, pages: int) -> bool:
    """Read so many pages with a run, then give it up for good; whether the cursor stands inside the tie."""
    run, _ = runs.create(sync=there.inbound, trigger=Run.Trigger.MANUAL)
    for _ in range(pages):
        engine.execute(run.pk, slice_seconds=0)
    return services.cancel_run(run=run, by="chaos") and SyncState.objects.get(sync=there.inbound).cursor == _stamp(0)


# F15 -------------------------------------------------------------------------------------------------------------
def late_commits(options: Options, told: Told) -> None:
    """Rows that appear under an earlier time, and a clock that is ahead: within the overlap nothing is missed.

    What is dated back beyond the overlap is found when everything is read again.
    """
    pick = random.Random(options.seed)
    late = max(1, int(options.records * SHARE_LATE))
    with opened(options.seed, page_size=max(10, options.records // 20), incremental=_overlap()) as there:
        numbers = iter(range(options.records, options.records + 3 * late))
        there.tell("put", [row(n, options.seed, changed=_stamp(-n)) for n in range(options.records)])
        there.tell("put", [row(next(numbers), options.seed, changed=_stamp(OVERLAP_SECONDS - 1))])
        told.fired["clock ahead"] += 1
        there.read()
        told.expect("missed before", len(there.missing()))
        _dated_back(there, options, told, numbers, late, pick.randrange(1, LATE_SECONDS))
        told.expect("missed within the overlap", len(there.missing()))
        _dated_back(there, options, told, numbers, late, TOO_LATE_SECONDS)
        told.figures["missed beyond the overlap"] = len(there.missing())
        services.reset_cursor(sync=there.inbound, by=None)
        there.read()
        told.expect("missed after reading everything", len(there.missing()))


def _overlap() -> Row:
    # the clock that is ahead uses up nearly all of the overlap, so that lateness gets as much again
    return {"overlap_seconds": 2 * OVERLAP_SECONDS}


def _dated_back(there: SourceWorld, options: Options, told: Told, numbers: object, late: int, seconds: int) -> None:
    rows = [row(next(numbers), options.seed, changed=_stamp(-seconds)) for _ in range(late)]  # type: ignore[call-overload]
    there.tell("put", rows)
    told.fired["dated back"] += len(rows)
    there.read()


# F18, at the source ------------------------------------------------------------------------------------------------
def repeated_and_mixed(options: Options, told: Told) -> None:
    """Pages repeat their rows in any order, and say what they said before."""
    with opened(options.seed, way="pages", mode="full", page_size=max(10, options.records // 10)) as there:
        _load(there, options)
        there.tell("answer", {"lies": ["shuffle"] * 10})
        there.read()
        there.read()
        told.count(there.fired())
        verdict = there.judge()
        told.expect("missed", len(there.missing()))
        told.expect("duplicated", verdict.duplicated)
        told.expect("broken", verdict.broken, [])


# F34 -------------------------------------------------------------------------------------------------------------
def answers_that_lack(options: Options, told: Told) -> None:
    """No rows, half an answer, a column that is gone: the target keeps what it has, and what is wrong is told."""
    with opened(options.seed, way="pages", mode="full", page_size=options.records) as there:
        _load(there, options)
        there.read()
        before = there.target_rows()
        told.expect("missed", len(there.missing()))
        for lie, column, wanted in (
            ("empty", "", RunStatus.SUSPECT),
            ("truncated", "", RunStatus.FAILED),
            ("gone", "amount", RunStatus.SUSPECT),
            ("gone", "id", RunStatus.SUSPECT),
        ):
            there.tell("answer", {"lies": [lie], "column": column})
            told.expect(f"run after {' '.join(filter(None, (lie, column)))}", str(there.read().status), str(wanted))
        told.count(there.fired())
        told.expect("rows changed at the target", sum(one != other for one, other in _pairs(before, there)))
        there.read()
        told.expect("missed afterwards", len(there.missing()))


def _pairs(before: list[Row], there: SourceWorld) -> list[tuple[Row | None, Row | None]]:
    old, new = ({one["number"]: one for one in rows} for rows in (before, there.target_rows()))
    return [(old.get(number), new.get(number)) for number in old.keys() | new.keys()]


SHIFTS = ("shift_change", "shift_make", "shift_delete")
SCENARIOS = (
    Scenario("F13", "Rows move, come and go while they are read", changes_shift, SHIFTS),
    Scenario("F13-pages", "Counted pages shift while everything is read", pages_shift, SHIFTS),
    Scenario("F14", "All rows share one time of change, and reading stops inside the tie", ties),
    Scenario("F15", "Clocks are ahead, rows are committed late or dated back", late_commits),
    Scenario("F18-source", "Pages repeat rows and mix their order", repeated_and_mixed, ("shuffle",)),
    Scenario("F34", "An answer lacks rows, its end, or a column", answers_that_lack, ("empty", "truncated", "gone")),
)
