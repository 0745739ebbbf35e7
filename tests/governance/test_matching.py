"""The matcher: what makes two records the same, and promises that hold for any two sides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.matching import normal
from governance.matching.definition import KEY, Definition, FieldMatch, default_rules, dump, load, problems
from governance.matching.pairing import match
from governance.matching.scoring import Sheet, score, sheet

CUSTOMER = {
    "properties": {
        "number": {"type": "string", "x-key": True},
        "name": {"type": "string"},
        "tax_id": {"type": "string"},
        "email": {"type": "string", "format": "email"},
        "postal_code": {"type": "string"},
        "owner": {"type": "string", "x-ref": "resource"},
    }
}
RULES = default_rules(CUSTOMER)


def customer(id_: int, key: str = "", **body: str) -> Sheet:
    return sheet(id_, key, body, RULES)


@pytest.mark.parametrize(
    ("form", "one", "other"),
    [
        ("company", "Northgate Logistics Ltd.", "NORTHGATE  logistics limited"),
        ("company", "Müller & Söhne GmbH & Co. KG", "muller sohne"),
        ("company", "Acme S.A.", "ACME"),
        ("text", "Ruiz, Jana", "Jana Ruiz"),
        ("key", "C-001001", "c 001001"),
        ("key", "0042", "42"),
        ("tax_id", "DE 123.456.789", "de123456789"),
        ("email", " Ada@Example.COM ", "ada@example.com"),
        ("domain", "https://www.example.com/about", "info@example.com"),
    ],
)
def test_spelling_makes_no_difference(form: str, one: str, other: str) -> None:
    assert normal.FORMS[form](one) == normal.FORMS[form](other) != ""


@pytest.mark.parametrize(
    ("form", "value"), [("tax_id", "n/a"), ("email", "none"), ("domain", "localhost"), ("text", None)]
)
def test_a_placeholder_is_no_value(form: str, value: str | None) -> None:
    assert normal.FORMS[form](value) == ""


def test_an_equal_deciding_field_links_whatever_the_name_says() -> None:
    one, other = customer(1, name="Northgate", tax_id="GB123456"), customer(2, name="NLL Group", tax_id="gb 123 456")
    assert score(one, other, RULES) == RULES.same_at


def test_an_unequal_deciding_field_leaves_it_to_a_person() -> None:
    one, other = (
        customer(1, "C-1", name="Northgate", email="a@b.example"),
        customer(2, "C-2", name="Northgate", email="a@b.example"),
    )
    assert score(one, other, RULES) < RULES.same_at


def test_a_name_alone_never_links() -> None:
    assert (
        RULES.maybe_at <= score(customer(1, name="Northgate"), customer(2, name="Northgate Ltd"), RULES) < RULES.same_at
    )


def test_name_and_email_link_without_a_key() -> None:
    one = customer(1, name="Northgate Logistics Ltd", email="ap@northgate.example")
    other = customer(2, "C-1", name="Northgate Logistics", email="AP@northgate.example")
    assert score(one, other, RULES) >= RULES.same_at


def test_names_with_other_numbers_are_other_things() -> None:
    assert score(customer(1, name="Depot phase 1"), customer(2, name="Depot phase 2"), RULES) < RULES.maybe_at


def test_what_shares_only_a_postcode_is_not_compared() -> None:
    assert score(customer(1, postal_code="10115"), customer(2, postal_code="10115"), RULES) == 0


def test_two_equally_good_candidates_are_left_to_a_person() -> None:
    target = [customer(10, tax_id="GB123456"), customer(11, tax_id="GB123456")]
    found = match([customer(1, tax_id="GB123456")], target, RULES)
    assert not found.links
    assert [id_ for _, id_ in found.candidates[1]] == [10, 11]
    assert [id_ for _, id_ in found.twins[10]] == [11]


def test_records_that_look_alike_on_one_side_are_told() -> None:
    found = match(
        [customer(1, "A", name="Northgate Logistics"), customer(2, "B", name="Northgate Logistic")], [], RULES
    )
    assert (found.twins[1][0][1], found.twins[2][0][1]) == (2, 1)


def test_what_is_linked_already_is_no_candidate() -> None:
    found = match([customer(1, "A"), customer(2, "a")], [customer(10, "A")], RULES, known={1: 10})
    assert not found.links
    assert 2 not in found.candidates


def test_a_slip_of_the_pen_in_either_word_is_found() -> None:
    for name in ("Nortgate Logistics", "Northgate Logistcs", "Nothgate Logistix"):
        found = match([customer(1, name="Northgate Logistics")], [customer(10, name=name)], RULES)
        assert [id_ for _, id_ in found.candidates[1]] == [10], name


def test_a_definition_reads_back_as_it_was_written() -> None:
    assert load(dump(RULES)) == RULES
    assert not list(problems(dump(RULES), list(CUSTOMER["properties"])))
    assert RULES.fields[0] == FieldMatch(KEY, form="key", weight=3, decides=True)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"fields": []}, "fields"),
        ({"fields": [{"field": "nobody"}]}, "fields.0.field"),
        ({"fields": [{"field": "name", "form": "soundex"}]}, "fields.0.form"),
        ({"fields": [{"field": "name", "compare": "guess"}]}, "fields.0.compare"),
        ({"fields": [{"field": "name", "weight": 0}]}, "fields.0.weight"),
        ({"fields": [{"field": "name"}, {"field": "name"}]}, "fields"),
        ({"maybe_at": 95}, "maybe_at"),
        ({"same_at": "high"}, "same_at"),
        ({"keep_target": ["nobody"]}, "keep_target"),
    ],
)
def test_a_wrong_definition_is_told_by_its_place(change: dict[str, object], path: str) -> None:
    assert [found for found, _ in problems(dump(RULES) | change, list(CUSTOMER["properties"]))] == [path]


# For any two sides -----------------------------------------------------------------------------------------
NAMES = st.sampled_from(
    ["Northgate Ltd", "Northgate", "Nortgate", "Acme GmbH", "ACME", "Acne", "Depot 1", "Depot 2", ""]
)
BODIES = st.fixed_dictionaries(
    {
        "name": NAMES,
        "tax_id": st.sampled_from(["", "", "DE12345", "de 12345", "DE99999"]),
        "email": st.sampled_from(["", "a@b.example", "A@B.example", "c@d.example"]),
        "postal_code": st.sampled_from(["", "10115", "20095"]),
    }
)
KEYS = st.sampled_from(["", "C-1", "c1", "C-2", "C-3"])


def side(first: int) -> st.SearchStrategy[list[Sheet]]:
    rows = st.lists(st.tuples(KEYS, BODIES), max_size=8)
    return rows.map(lambda found: [sheet(first + n, key, body, RULES) for n, (key, body) in enumerate(found)])


@given(side(1), side(100))
def test_no_record_stands_in_two_links(source: list[Sheet], target: list[Sheet]) -> None:
    links = match(source, target, RULES).links
    assert len({b for b, _ in links.values()}) == len(links)
    assert all(points >= RULES.same_at for _, points in links.values())


@given(side(1), side(100))
def test_the_sides_may_be_exchanged(source: list[Sheet], target: list[Sheet]) -> None:
    there, back = match(source, target, RULES), match(target, source, RULES)
    assert {(a, b, points) for a, (b, points) in there.links.items()} == {
        (a, b, points) for b, (a, points) in back.links.items()
    }
    assert all(score(a, b, RULES) == score(b, a, RULES) for a in source for b in target)


@given(side(1), side(100), st.randoms())
def test_the_order_of_the_records_does_not_matter(source: list[Sheet], target: list[Sheet], random: object) -> None:
    before = match(source, target, RULES)
    shuffled = [sorted(rows, key=lambda _: random.random()) for rows in (source, target)]  # type: ignore[attr-defined]
    after = match(*shuffled, RULES)
    assert (after.links, after.candidates, after.twins) == (before.links, before.candidates, before.twins)


@given(side(1), side(100))
def test_no_two_that_could_be_the_same_are_left_unsaid(source: list[Sheet], target: list[Sheet]) -> None:
    """Every pair that links by its score is linked, or one of the two has a rival."""
    found = match(source, target, RULES)
    for a in source:
        for b in target:
            if score(a, b, RULES) >= RULES.same_at and a.id not in found.links:
                assert b.id in {id_ for _, id_ in found.candidates[a.id]} or len(found.candidates[a.id]) == 5


def test_rules_without_deciding_fields_need_two_that_agree() -> None:
    rules = Definition((FieldMatch("name", "similar", "company", 3), FieldMatch("email", form="email")))
    one = sheet(1, "", {"name": "Acme", "email": "a@b.example"}, rules)
    assert score(one, sheet(2, "", {"name": "ACME Ltd", "email": "a@b.example"}, rules), rules) == 100
