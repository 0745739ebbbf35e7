"""What belongs together: by rule, by hand, by whom; and who signs for it."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from governance.models import AuditEntry
from hub.accounts.models import User
from hub.common.db import plain_cursor
from hub.common.errors import ConfigError
from monitoring.models import Reconciliation, ReconciliationGap, ReconciliationMatch
from monitoring.reconciliation import acts, choosing, queries, rules
from monitoring.reconciliation.acts import Conflict
from monitoring.reconciliation.choosing import Chosen
from monitoring.reconciliation.definition import MatchRule
from monitoring.reconciliation.raising import open_gaps
from monitoring.reconciliation.work import definition_of

from .builders import World, entry, posted

pytestmark = pytest.mark.django_db
PERIOD = "2026-11"
PER_DAY = {"name": "sum per day", "kind": "many_to_one", "group": ["resource", "date"]}


def gap(key: str) -> ReconciliationGap:
    return ReconciliationGap.objects.get(key=key)


def chosen(side: str, *keys: str) -> Chosen:
    return Chosen(side, frozenset(gap(key).pk for key in keys))


@pytest.fixture
def split(world: World) -> Reconciliation:
    """Two entries of the PSA that the ERP holds as one line, and one of each side that fits nothing."""
    world.psa += [
        entry(0),
        entry(1, hours="4.00", amount="494.40"),
        entry(2, hours="3.00", amount="370.80"),
        entry(3, resource="R-9", amount="100.00"),
    ]
    world.erp += [
        posted(0),
        posted(88, ref="E-88", quantity="7.00", lineAmount="865.20"),
        posted(89, ref="E-89", lineAmount="12.00", employee="R-7"),
    ]
    found = world.reconciliation(rules=[PER_DAY])
    world.compare(found)
    return found


# By rule ---------------------------------------------------------------------------------------------------
def test_a_rule_suggests_lines_whose_sums_are_equal(split: Reconciliation) -> None:
    (match,) = ReconciliationMatch.objects.all()
    assert (match.state, match.rule, match.left_count, match.right_count) == ("suggested", "sum per day", 2, 1)
    assert (match.left_amount, match.right_amount, match.score) == (
        Decimal("865.20"),
        Decimal("865.20"),
        Decimal("0.99"),
    )
    assert {one.key for one in match.gaps.all()} == {"T-1", "T-2", "E-88"}


@pytest.mark.parametrize(
    ("amount", "absolute", "is_found"), [("865.21", "0", False), ("865.21", "0.01", True), ("865.22", "0.01", False)]
)
def test_a_rule_keeps_to_its_tolerance(world: World, amount: str, absolute: str, is_found: bool) -> None:
    world.psa += [entry(0), entry(1, amount="494.40"), entry(2, amount="370.80")]
    world.erp += [posted(0), posted(88, ref="E-88", lineAmount=amount)]
    world.compare(world.reconciliation(rules=[{**PER_DAY, "absolute": absolute}]))
    assert ReconciliationMatch.objects.exists() is is_found


@pytest.mark.parametrize(
    ("kind", "left", "right"),
    [
        ("one_to_one", [10], [10]),
        ("one_to_many", [30], [10, 20]),
        ("many_to_one", [10, 20], [30]),
        ("many_to_many", [5, 25], [10, 20]),
    ],
)
def test_each_kind_of_rule_finds_its_shape_and_no_other(
    world: World, kind: str, left: list[int], right: list[int]
) -> None:
    world.psa += [entry(0), *(entry(n + 1, amount=f"{amount}.00") for n, amount in enumerate(left))]
    world.erp += [posted(0), *(posted(n, ref=f"X-{n}", lineAmount=f"{amount}.00") for n, amount in enumerate(right))]
    every = ("one_to_one", "one_to_many", "many_to_one", "many_to_many")
    found = world.reconciliation(rules=[{"name": one, "kind": one, "group": ["resource", "date"]} for one in every])
    world.compare(found)
    definition = definition_of(found)
    with plain_cursor() as cursor:
        hits = {
            rule.kind for rule in definition.rules if rules.find(cursor, found, definition, rule, "g.state = 'open'")
        }
    assert hits == ({kind} if kind in ("one_to_one", "many_to_many") else {kind, "many_to_many"})


def test_equal_lines_of_one_group_meet_one_by_one(world: World) -> None:
    world.psa += [entry(0), entry(1, amount="10.00"), entry(2, amount="20.00"), entry(3, amount="30.00")]
    world.erp += [posted(0), posted(7, ref="X-7", lineAmount="20.00"), posted(8, ref="X-8", lineAmount="10.00")]
    rule = {"name": "same day", "kind": "one_to_one", "group": ["resource", "date"]}
    world.compare(world.reconciliation(rules=[rule]))
    found = {frozenset(one.key for one in match.gaps.all()) for match in ReconciliationMatch.objects.all()}
    assert found == {frozenset({"T-1", "X-8"}), frozenset({"T-2", "X-7"})}


def test_lines_of_two_currencies_are_never_added_up(world: World) -> None:
    world.psa += [entry(0), entry(1, amount="494.40", currency="EUR"), entry(2, amount="370.80")]
    world.erp += [posted(0), posted(88, ref="E-88", lineAmount="865.20")]
    world.compare(world.reconciliation(rules=[PER_DAY]))
    assert not ReconciliationMatch.objects.exists()


def test_an_automatic_rule_needs_no_person(world: World) -> None:
    world.psa += [entry(0), entry(1, amount="494.40"), entry(2, amount="370.80")]
    world.erp += [posted(0), posted(88, ref="E-88", lineAmount="865.20")]
    run = world.compare(world.reconciliation(rules=[{**PER_DAY, "auto": True}]))
    assert (ReconciliationMatch.objects.get().state, run.unexplained) == ("confirmed", 0)


def test_what_was_discarded_is_not_suggested_again(world: World, split: Reconciliation, finn: User) -> None:
    acts.discard(ReconciliationMatch.objects.get(), by=finn)
    world.compare(split)
    assert set(ReconciliationMatch.objects.values_list("state", flat=True)) == {"discarded"}
    assert queries.tab_counts(split, PERIOD)["unmatched"] == 5


def test_a_rule_shows_new_and_lost_matches_before_it_is_saved(split: Reconciliation) -> None:
    with plain_cursor() as cursor:
        narrow = MatchRule("sum per day", "many_to_one", ("resource", "date", "project"))
        wide = MatchRule("sum per day", "one_to_one", ("date",), absolute=Decimal("100"))
        definition = definition_of(split)
        assert rules.preview(cursor, split, definition, narrow).kept == 1
        shown = rules.preview(cursor, split, definition, wide)
    assert (len(shown.new), len(shown.lost), shown.lines) == (1, 1, 5)
    assert (shown.covered, shown.left_over) == (2, 3)
    assert ReconciliationMatch.objects.count() == 1


# By hand ---------------------------------------------------------------------------------------------------
def test_lines_are_matched_by_hand_with_a_reason_that_is_kept(split: Reconciliation, finn: User) -> None:
    acts.discard(ReconciliationMatch.objects.get(), by=finn)
    match = acts.match(
        split, PERIOD, chosen("left", "T-1", "T-2"), chosen("right", "E-88"), reason="Summed per day", by=finn
    )
    assert (match.variance, match.reason, match.decided_by) == (0, "Summed per day", finn)
    assert {gap(key).state for key in ("T-1", "T-2", "E-88")} == {"matched"}
    assert AuditEntry.objects.filter(act="reconciliation.matched").count() == 1


def test_no_reason_no_match(split: Reconciliation, finn: User) -> None:
    with pytest.raises(ConfigError, match="Say why"):
        acts.match(split, PERIOD, chosen("left", "T-3"), chosen("right", "E-89"), reason=" ", by=finn)


def test_lines_of_one_side_match_only_when_they_cancel_out(world: World, finn: User) -> None:
    world.psa += [entry(0), entry(1, amount="10.00"), entry(2, amount="-10.00"), entry(3, amount="5.00")]
    world.erp.append(posted(0))
    found = world.reconciliation()
    world.compare(found)
    with pytest.raises(ConfigError, match="do not cancel out"):
        acts.match(found, PERIOD, chosen("left", "T-1", "T-3"), chosen("right"), reason="Reversal", by=finn)
    assert (
        acts.match(found, PERIOD, chosen("left", "T-1", "T-2"), chosen("right"), reason="Reversal", by=finn).left_amount
        == 0
    )


def test_all_that_a_filter_shows_is_chosen_at_the_server_but_what_was_unticked(split: Reconciliation) -> None:
    definition = definition_of(split)
    ReconciliationMatch.objects.all().delete()
    every = Chosen("left", is_all=True, left_out=frozenset({gap("T-3").pk}))
    found = choosing.balance(split, PERIOD, definition, every, chosen("right", "E-88"))
    assert (found.left_count, found.left, found.variance, found.is_in_tolerance) == (2, Decimal("865.20"), 0, True)
    by_text = Chosen("left", is_all=True, text="T-1")
    assert choosing.balance(split, PERIOD, definition, by_text, Chosen("right")).left == Decimal("494.40")


def test_the_second_of_two_people_is_told_what_the_first_has_done(split: Reconciliation, finn: User, ada: User) -> None:
    left, right = chosen("left", "T-3"), chosen("right", "E-89")
    acts.match(split, PERIOD, left, right, reason="Typed by hand", by=finn)
    with pytest.raises(Conflict, match=r"(T-3|E-89) is matched by Finn already"):
        acts.match(split, PERIOD, left, right, reason="Typed by hand", by=ada)
    assert ReconciliationMatch.objects.filter(state="confirmed").count() == 1


def test_more_lines_than_were_seen_are_not_matched(split: Reconciliation, finn: User) -> None:
    every = Chosen("left", is_all=True)
    with pytest.raises(Conflict, match="There are 2 lines now, not 1"):
        acts.match(split, PERIOD, every, chosen("right", "E-89"), reason="All", by=finn, expect=1)


@pytest.mark.django_db(transaction=True)
def test_of_two_at_the_same_moment_one_wins(split: Reconciliation, finn: User, ada: User) -> None:
    left, right = chosen("left", "T-3"), chosen("right", "E-89")
    told: list[str] = []

    def go(by: User) -> None:
        try:
            acts.match(split, PERIOD, left, right, reason="Typed by hand", by=by)
            told.append("done")
        except Conflict:
            told.append("conflict")
        finally:
            connection.close()

    both = [threading.Thread(target=go, args=[person]) for person in (finn, ada)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(told) == ["conflict", "done"]
    assert ReconciliationMatch.objects.filter(state="confirmed").count() == 1


def test_a_match_is_undone_and_its_lines_are_open_again(split: Reconciliation, finn: User) -> None:
    match = acts.match(split, PERIOD, chosen("left", "T-3"), chosen("right", "E-89"), reason="Wrong", by=finn)
    acts.unmatch(match, by=finn)
    assert {gap(key).state for key in ("T-3", "E-89")} == {"open"}
    with pytest.raises(Conflict, match="undone by Finn already"):
        acts.unmatch(match, by=finn)


def test_a_match_one_of_whose_lines_changed_is_undone_by_the_next_comparison(
    world: World, split: Reconciliation, finn: User
) -> None:
    acts.match(split, PERIOD, chosen("left", "T-3"), chosen("right", "E-89"), reason="Typed by hand", by=finn)
    world.psa[3]["amount"] = "101.00"
    run = world.compare(split)
    assert {gap(key).state for key in ("T-3", "E-89")} == {"open"}
    assert run.unexplained == 5


def test_lines_are_explained_carried_forward_and_taken_back(split: Reconciliation, finn: User) -> None:
    acts.settle(split, PERIOD, [chosen("left", "T-3")], "explained", reason="Timing", by=finn)
    acts.settle(split, PERIOD, [chosen("right", "E-89")], "carried", reason="Posts in December", by=finn)
    counts = queries.tab_counts(split, PERIOD)
    assert (counts["explained"], counts["carried"]) == (1, 1)
    acts.reopen(gap("T-3"), by=finn)
    assert gap("T-3").state == "open"


# Before people ---------------------------------------------------------------------------------------------
def test_unexplained_gaps_come_before_people_with_their_money(split: Reconciliation, finn: User) -> None:
    found = {one.title: one for one in open_gaps()}
    assert found["T-3 is in PSA only"].amount == Decimal("100.00")
    assert found["T-3 is in PSA only"].period == PERIOD
    assert found["T-3 is in PSA only"].project == "P-1"
    acts.settle(split, PERIOD, [chosen("left", "T-3")], "explained", reason="Timing", by=finn)
    assert "T-3 is in PSA only" not in {one.title for one in open_gaps()}


def test_the_key_of_an_exception_stays_from_comparison_to_comparison(world: World, split: Reconciliation) -> None:
    before = sorted(one.key for one in open_gaps())
    world.compare(split)
    assert sorted(one.key for one in open_gaps()) == before


# Signing ---------------------------------------------------------------------------------------------------
@pytest.fixture
def settled(split: Reconciliation, finn: User) -> Reconciliation:
    acts.confirm_all(split, PERIOD, least=Decimal("0.9"), by=finn)
    acts.settle(split, PERIOD, [chosen("left", "T-3"), chosen("right", "E-89")], "explained", reason="Timing", by=finn)
    return split


def test_what_is_not_explained_cannot_be_prepared(split: Reconciliation, finn: User) -> None:
    with pytest.raises(ConfigError, match="5 lines are unexplained"):
        acts.prepare(split, PERIOD, by=finn)


def test_nobody_reviews_what_they_have_prepared(settled: Reconciliation, finn: User, grace: User) -> None:
    acts.prepare(settled, PERIOD, by=finn)
    with pytest.raises(ConfigError, match="Nobody reviews"):
        acts.review(settled, PERIOD, by=finn)
    sheet = acts.review(settled, PERIOD, by=grace)
    assert (sheet.status, sheet.prepared_by, sheet.reviewed_by) == ("reviewed", finn, grace)


def test_what_was_signed_does_not_change_until_it_is_opened_again(settled: Reconciliation, finn: User) -> None:
    acts.prepare(settled, PERIOD, by=finn)
    with pytest.raises(ConfigError, match="what was signed does not change"):
        acts.reopen(gap("T-3"), by=finn)
    acts.open_again(settled, PERIOD, reason="One more line", by=finn)
    acts.reopen(gap("T-3"), by=finn)


def test_figures_that_changed_after_they_were_prepared_are_not_reviewed(
    world: World, settled: Reconciliation, finn: User, grace: User, browse: Any
) -> None:
    acts.prepare(settled, PERIOD, by=finn)
    world.psa.append(entry(77))
    world.compare(settled)
    with pytest.raises(Conflict, match="The figures have changed"):
        acts.review(settled, PERIOD, by=grace)
    assert "have changed since they were signed" in browse(finn).get(HERE).content.decode()


def test_each_signature_stands_in_the_audit(settled: Reconciliation, finn: User, grace: User) -> None:
    acts.prepare(settled, PERIOD, by=finn)
    acts.review(settled, PERIOD, by=grace)
    acts.close(settled, PERIOD, by=finn)
    told = set(AuditEntry.objects.filter(act__startswith="reconciliation.").values_list("act", flat=True))
    assert {"reconciliation.prepared", "reconciliation.reviewed", "reconciliation.closed"} <= told


# The screen ------------------------------------------------------------------------------------------------
HERE = f"/reconciliation/time/{PERIOD}/"


def test_the_screen_shows_both_sides_and_the_bridge(browse: Any, finn: User, split: Reconciliation) -> None:
    page = browse(finn).get(HERE).content.decode()
    assert "In PSA only" in page
    assert "E-89" in page
    assert "Submit for review" in page
    for view in ("suggested", "matched", "explained", "carried"):
        assert browse(finn).get(f"{HERE}?view={view}").status_code == 200
    assert "T-1" in browse(finn).get(f"{HERE}?view=suggested").content.decode()
    assert browse(finn).get(f"{HERE}pack/").status_code == 200


def test_ticks_are_answered_with_their_sums(browse: Any, finn: User, split: Reconciliation) -> None:
    data = {"left": [gap("T-3").pk], "right": [gap("E-89").pk]}
    shown = browse(finn).post(f"{HERE}selection/", data).content.decode()
    assert "100.00" in shown
    assert "out of tolerance" in shown


def test_a_form_matches_and_a_second_one_is_a_conflict(
    browse: Any, finn: User, ada: User, split: Reconciliation
) -> None:
    data = {"left": [gap("T-3").pk], "right": [gap("E-89").pk], "reason": "Timing", "do": "match"}
    assert browse(finn).post(f"{HERE}act/", data).status_code == 302
    second = browse(ada).post(f"{HERE}act/", data)
    assert second.status_code == 409
    assert "matched by Finn already" in second.content.decode()


def test_who_may_only_see_may_not_match(browse: Any, olga: User, split: Reconciliation) -> None:
    data = {"left": [gap("T-3").pk], "reason": "Timing", "do": "explain"}
    assert browse(olga).post(f"{HERE}act/", data).status_code == 403
    assert "Match <kbd>" not in browse(olga).get(HERE).content.decode()


def test_files_of_the_period_are_safe_to_open(browse: Any, world: World, finn: User) -> None:
    world.psa += [entry(0), {**entry(1), "number": "=cmd()"}]
    world.erp.append(posted(0))
    world.compare()
    text = b"".join(browse(finn).get(f"/reconciliation/time/{PERIOD}.csv").streaming_content).decode()
    assert "'=cmd()" in text
    assert ",-800" in text
