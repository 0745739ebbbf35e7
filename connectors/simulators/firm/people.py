"""Legal entities, cost centres and the people of the firm."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import cycle
from random import Random

from connectors.simulators.firm import words
from connectors.simulators.firm.shapes import Absence, CostCentre, LegalEntity, Person

ENTITIES = (
    LegalEntity("HV-UK", "Harrow & Vale Ltd", "GB", "GBP", "GB 384 2210 57"),
    LegalEntity("HV-DE", "Harrow & Vale GmbH", "DE", "EUR", "DE 318 440 276"),
    LegalEntity("HV-US", "Harrow & Vale Inc", "US", "USD", "84-2291037"),
)
COST_CENTRES = (
    CostCentre("CC-110", "Consulting UK", "HV-UK"),
    CostCentre("CC-120", "Data & Digital UK", "HV-UK"),
    CostCentre("CC-210", "Consulting Germany", "HV-DE"),
    CostCentre("CC-310", "Consulting US", "HV-US"),
    CostCentre("CC-900", "Corporate services", "HV-UK"),
)
# Where the next consultant sits; the firm is largest in the United Kingdom.
_DESKS = (("HV-UK", "CC-110"), ("HV-UK", "CC-120"), ("HV-DE", "CC-210"), ("HV-US", "CC-310"))
_LADDER = ("Principal", "Senior Consultant", "Consultant", "Senior Consultant", "Consultant", "Analyst")


def hire_people(count: int, bookers: int, today: date, rng: Random) -> list[Person]:
    """`count` people, of whom the last `bookers` book time; the first one leads the firm and has no manager."""
    support = [_support(n, rng, today) for n in range(1, count - bookers + 1)]
    people: list[Person] = []
    desks, ladder = cycle(_DESKS), cycle(_LADDER)
    for n in range(count - bookers + 1, count + 1):
        role = "Partner" if not people else next(ladder)
        entity, cost_centre = next(desks)
        manager = support[0] if not people else _boss(people, role)
        people.append(_person(n, role, words.ROLES[role][0], entity, cost_centre, manager.number, True, rng, today))
    return support + people


def plan_absences(people: list[Person], today: date) -> list[Absence]:
    """Every third person who books time has a week off, always in the future."""
    absences = []
    for n, person in enumerate([p for p in people if p.books_time][::3], start=1):
        start = today + timedelta(days=7 + 5 * n)
        absences.append(Absence(n, person.number, start, start + timedelta(days=4), "Holiday" if n % 4 else "Training"))
    return absences


def _support(n: int, rng: Random, today: date) -> Person:
    role = words.LEADER_ROLE if n == 1 else words.SUPPORT_ROLES[(n - 2) % len(words.SUPPORT_ROLES)]
    return _person(n, role, "S1", "HV-UK", "CC-900", "" if n == 1 else employee_number(1), False, rng, today)


def _boss(people: list[Person], role: str) -> Person:
    """The latest principal, or the partner for a principal."""
    if role == "Principal":
        return people[0]
    return next((p for p in reversed(people) if p.role == "Principal"), people[0])


def _person(
    n: int, role: str, grade: str, entity: str, centre: str, manager: str, books: bool, rng: Random, today: date
) -> Person:
    given, family = _name(n)
    hired = today - timedelta(days=rng.randrange(200, 3200))
    return Person(
        n, employee_number(n), given, family, _email(given, family, n), role, grade, entity, centre, manager, hired,
        books,
    )  # fmt: skip


def employee_number(n: int) -> str:
    """Six digits with leading zeros: a number that every spreadsheet spoils."""
    return f"{400 + 7 * n:06d}"


def _name(n: int) -> tuple[str, str]:
    given, family = words.GIVEN, words.FAMILY
    return given[(n - 1) % len(given)], family[(n - 1 + (n - 1) // len(given) * 7) % len(family)]


def _email(given: str, family: str, n: int) -> str:
    letters = {"ë": "e", "é": "e", "Ł": "L", "Ó": "O", "ø": "o", "â": "a", "ỳ": "y", "ö": "o", "ü": "u", "'": ""}
    local = "".join(letters.get(c, c) for c in f"{given}.{family}").lower()
    suffix = "" if n <= len(words.GIVEN) else str(n)
    return f"{local}{suffix}@harrowvale.example"
