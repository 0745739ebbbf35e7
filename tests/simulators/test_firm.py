"""The demo firm: one story, always the same, with exactly the faults that it lists."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.simulators.firm import (
    BLOCKING,
    PROFILES,
    build_firm,
    large,
    posted_entries,
    profile_named,
    sound_entries,
    totals,
)

TODAY = date(2026, 11, 24)
any_day = st.dates(date(2024, 1, 1), date(2032, 12, 31))


@pytest.mark.parametrize("name", ["tiny", "small"])
def test_a_profile_holds_as_much_as_it_says(name: str) -> None:
    firm, profile = build_firm(name, today=TODAY), PROFILES[name]
    counted = (len(firm.clients), len(firm.projects), len(firm.people), len(firm.time_entries), len(firm.faults))
    assert counted == (profile.clients, profile.projects, profile.people, profile.entries, profile.faults)


def test_the_same_arguments_give_the_same_firm() -> None:
    assert build_firm("small", today=TODAY, seed=7) == build_firm("small", today=TODAY, seed=7)


def test_another_seed_gives_another_firm() -> None:
    assert build_firm("small", today=TODAY, seed=7) != build_firm("small", today=TODAY, seed=8)


def test_a_large_firm_grows_with_its_time_entries() -> None:
    firm = build_firm(large(9_000), today=TODAY)
    assert len(firm.time_entries) == 9_000
    assert len(firm.people) > len(build_firm("small", today=TODAY).people)


@pytest.mark.parametrize("name", ["huge", "large:12", "large:many", ""])
def test_an_unknown_profile_is_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(ValueError, match="There is no profile"):
        profile_named(name)


@settings(max_examples=25, deadline=None)
@given(today=any_day, seed=st.integers(1, 1_000), name=st.sampled_from(["tiny", "small"]))
def test_a_firm_of_any_day_and_seed_is_sound(today: date, seed: int, name: str) -> None:
    firm = build_firm(name, today=today, seed=seed)
    codes = {p.code for p in firm.projects}
    tasks = {(t.project, t.wbs) for t in firm.tasks}
    assert len({fault.external_id for fault in firm.faults}) == len(firm.faults)
    for entry in firm.time_entries:
        assert entry.project in codes
        assert (entry.project, entry.task) in tasks
        assert entry.day < today
        assert entry.changed_at.date() < today


def test_nobody_books_more_than_eight_hours_a_day() -> None:
    firm = build_firm("small", today=TODAY)
    doubled = {f.external_id for f in firm.faults if f.expected in ("duplicate", "late")}
    assert doubled
    days: Counter[tuple[str, date]] = Counter()
    for entry in firm.time_entries:
        days[entry.person, entry.day] += entry.minutes
    assert Counter(days.values()).most_common(1)[0][0] == 480
    assert sum(minutes > 480 for minutes in days.values()) <= len(doubled)


def test_references_of_timesheet_lines_repeat_only_where_a_fault_says_so() -> None:
    firm = build_firm("small", today=TODAY)
    references = Counter(entry.reference for entry in firm.time_entries)
    twins = [f for f in firm.faults if f.code == "APPROVED_TWICE"]
    assert [count for count in references.values() if count > 1] == [2] * len(twins)


def test_codes_fit_into_the_erp() -> None:
    firm = build_firm("small", today=TODAY)
    assert all(len(project.code) <= 20 for project in firm.projects)


def test_totals_leave_out_what_never_gets_into_the_hub() -> None:
    firm = build_firm("small", today=TODAY)
    blocked = [f for f in firm.faults if f.object == "time_entries" and f.expected in BLOCKING]
    assert totals(firm)["time_entries"] == 4_000 - len(blocked)
    by_hand = sum(Decimal(e.minutes) / 60 for e in sound_entries(firm) if e.status == "approved")
    assert Decimal(totals(firm)["approved_hours"]) == by_hand


def test_amounts_of_time_never_need_rounding() -> None:
    firm = build_firm("small", today=TODAY)
    for entry in firm.time_entries:
        amount = Decimal(entry.bill_rate) * entry.minutes / 60
        assert amount == amount.quantize(Decimal("0.01"))


def test_finance_has_posted_only_time_of_closed_periods() -> None:
    firm = build_firm("small", today=TODAY)
    posted = list(posted_entries(firm))
    assert posted
    assert all(e.day < firm.posted_until and e.status == "approved" for e in posted)
    erp_projects = {p.code for p in firm.projects if p.in_erp}
    assert {e.project for e in posted} <= erp_projects


def test_time_on_the_closed_project_is_posted_but_for_the_planted_entry() -> None:
    firm = build_firm("small", today=TODAY)
    closed = next(p.code for p in firm.projects if p.status == "closed")
    posted = {e.n for e in posted_entries(firm)}
    assert len([e for e in firm.time_entries if e.project == closed and e.n not in posted]) == 1


def test_invoices_add_up_from_their_lines() -> None:
    for invoice in build_firm("small", today=TODAY).invoices:
        assert sum(Decimal(line.net) for line in invoice.lines) == Decimal(invoice.net)
        assert Decimal(invoice.net) + Decimal(invoice.tax) == Decimal(invoice.gross)


def test_a_fault_never_hits_a_record_that_others_need() -> None:
    """People, projects and deals with faults have no time, no reports and no projects."""
    firm = build_firm("small", today=TODAY)
    spoiled = {f.external_id for f in firm.faults if f.expected in BLOCKING}
    assert {str(100 + p.n) for p in firm.people if p.books_time}.isdisjoint(spoiled)
    managers = {p.manager for p in firm.people}
    assert {str(100 + p.n) for p in firm.people if p.number in managers}.isdisjoint(spoiled)
    used = {e.project for e in firm.time_entries} | {a.project for a in firm.assignments}
    assert {str(40_000 + p.n) for p in firm.projects if p.code in used}.isdisjoint(spoiled)


def test_every_person_and_client_is_told_apart() -> None:
    firm = build_firm(large(40_000), today=TODAY)
    assert len({p.email for p in firm.people}) == len(firm.people)
    assert len({p.number for p in firm.people}) == len(firm.people)
    assert len({c.name for c in firm.clients}) == len(firm.clients)
    assert len({p.code for p in firm.projects}) == len(firm.projects)
    assert firm.time_entries[0].day > TODAY - timedelta(days=110)
