"""Rate cards, clients, deals, contracts, projects and their work breakdown."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from connectors.simulators.firm import words
from connectors.simulators.firm.people import COST_CENTRES, ENTITIES
from connectors.simulators.firm.shapes import Client, Contract, Deal, Person, Project, RateCard, RateLine, Task

# Price levels of the three countries against the rates in pounds; not exchange rates.
_LEVELS = {"GBP": Decimal("1"), "EUR": Decimal("1.15"), "USD": Decimal("1.3")}
INTERNAL_CARD = "RC-INTERNAL"
CLOSED_PROJECT = 4


def money(value: Decimal | int) -> str:
    """Two digits after the point."""
    return str(Decimal(value).quantize(Decimal("0.01")))


def price_rate_cards() -> list[RateCard]:
    cards = [
        RateCard(f"RC-{entity.country}", f"Standard {entity.country}", entity.currency, _lines(entity.currency))
        for entity in ENTITIES
    ]
    free = tuple(RateLine(line.role, "0.00", line.cost_rate) for line in cards[0].lines)
    return [*cards, RateCard(INTERNAL_CARD, "Internal work", "GBP", free)]


def _lines(currency: str) -> tuple[RateLine, ...]:
    """Whole units, so that half hours never need rounding."""
    level = _LEVELS[currency]
    return tuple(
        RateLine(role, money(round(bill * level)), money(round(cost * level)))
        for role, (_, bill, cost) in words.ROLES.items()
    )


def win_clients(count: int) -> list[Client]:
    """The last of several clients is not in the ERP yet: the hub has to create it there."""
    return [_client(n, in_erp=n < count or count == 1) for n in range(1, count + 1)]


def _client(n: int, in_erp: bool) -> Client:
    name, country, city, street, postcode, industry = words.CLIENTS[(n - 1) % len(words.CLIENTS)]
    if n > len(words.CLIENTS):
        name = f"{name} {n}"
    entity = next(e for e in ENTITIES if e.country == country)
    tax_id = f"{country}{731_000_000 + 4_217 * n}"
    return Client(
        n, f"C-{1000 + n}", name, country, city, street, postcode, entity.currency, tax_id, industry, entity.code,
        f"RC-{country}", in_erp,
    )  # fmt: skip


def start_projects(count: int, clients: list[Client], people: list[Person], today: date, posted: date) -> list[Project]:
    """`count` projects: the last two were opened just now and take no time yet, the one before them is internal.

    With fewer than six projects (tiny profile) there are no such two, and none is closed.
    """
    idle = 2 if count >= 6 else 0
    delivery = count - idle - 1
    leads = [p for p in people if p.role in ("Partner", "Principal")]
    projects = [
        _project(n, clients[(n - 1) % len(clients)], leads[n % len(leads)], today, posted)
        for n in range(1, delivery + 1)
    ]
    projects.append(_internal(delivery + 1, leads[0], today))
    for n in range(delivery + 2, count + 1):
        projects.append(_new_project(projects[n - 4], n, leads[n % len(leads)], today))
    return [_closed(p, posted) if idle and p.n == CLOSED_PROJECT else p for p in projects]


def _project(n: int, client: Client, lead: Person, today: date, posted: date) -> Project:
    """Work for a client that finance does not know yet began after the last posted period."""
    initials = "".join(word[0] for word in client.name.replace("& ", "").split()[:3]).upper()
    start = today - timedelta(days=120 if n % 4 else 100) if client.in_erp else posted
    name = f"{words.ENGAGEMENTS[(n - 1) % len(words.ENGAGEMENTS)]} for {client.name.split()[0]}"
    fixed = n % 4 == 1 and n > 1
    return Project(
        n, f"{initials}-{100 + n}", name, client.code, f"D-{2000 + n}", "active", "fixed" if fixed else "tm",
        lead.number, start, start + timedelta(days=260), client.currency, client.legal_entity,
        _centre(client.legal_entity), client.rate_card, 60 * (600 + 40 * n), money(95_000 + 7_500 * n), True,
        client.in_erp,
    )  # fmt: skip


def _internal(n: int, lead: Person, today: date) -> Project:
    start = today - timedelta(days=300)
    return Project(
        n, f"INT-{100 + n}", "Bid work and training", "", "", "active", "internal", lead.number, start,
        start + timedelta(days=720), "GBP", "HV-UK", "CC-900", INTERNAL_CARD, 60 * 2000, "0.00", True, True,
    )  # fmt: skip


def _new_project(sibling: Project, n: int, lead: Person, today: date) -> Project:
    """An extension of `sibling` that has no deal of its own and no time yet."""
    return replace(
        sibling, n=n, code=f"{sibling.code[:3]}-{100 + n}", name=f"{sibling.name}, extension", deal="",
        status="approved", manager=lead.number, start=today, end=today + timedelta(days=90), takes_time=False,
        in_erp=False,
    )  # fmt: skip


def _closed(project: Project, posted: date) -> Project:
    """Ended with the last posted period and closed by finance, so that later time on it is refused."""
    return replace(project, status="closed", end=posted - timedelta(days=1))


def _centre(entity: str) -> str:
    return next(centre.code for centre in COST_CENTRES if centre.legal_entity == entity)


def break_down(projects: list[Project]) -> list[Task]:
    """Two phases with their tasks for every project that takes time."""
    tasks: list[Task] = []
    for project in projects:
        if project.takes_time:
            for number, phase in enumerate(words.PHASES, start=1):
                _add_phase(tasks, project, str(number), phase, words.TASKS[number - 1])
    return tasks


def _add_phase(tasks: list[Task], project: Project, wbs: str, phase: str, names: tuple[str, ...]) -> None:
    share = project.budget_minutes // 2
    tasks.append(Task(len(tasks) + 1, project.code, wbs, phase, "phase", share, project.start, project.end))
    for number, name in enumerate(names, start=1):
        below = share // len(names)
        line = f"{wbs}.{number}"
        tasks.append(Task(len(tasks) + 1, project.code, line, name, "task", below, project.start, project.end, wbs))


def close_deals(projects: list[Project], clients: list[Client], people: list[Person], today: date) -> list[Deal]:
    """A won deal behind every client project, two won ones that have no project yet, open ones and a lost one."""
    owner = people[0].number
    by_code = {client.code: client for client in clients}
    deals = [_won(p, by_code[p.client], owner) for p in projects if p.deal]
    extra = (("Closed Won", 2), ("Negotiation", 21), ("Proposal", 45), ("Qualification", 70), ("Closed Lost", -8))
    stages = [extra[0], *extra] if len(projects) >= 6 else extra[:2]
    for position, (stage, days) in enumerate(stages):
        n = len(projects) + 1 + position
        deals.append(_deal(n, stage, clients[position % len(clients)], owner, today + timedelta(days=days)))
    return deals


def _won(project: Project, client: Client, owner: str) -> Deal:
    signed = project.start - timedelta(days=12)
    return Deal(
        project.n, project.deal, project.name, client.code, "Closed Won", project.budget_revenue, project.currency,
        signed, project.legal_entity, project.billing_type, owner, project.code,
    )  # fmt: skip


def _deal(n: int, stage: str, client: Client, owner: str, close: date) -> Deal:
    won = stage == "Closed Won"
    close = close - timedelta(days=4) if won else close
    name = f"{words.ENGAGEMENTS[(n - 1) % len(words.ENGAGEMENTS)]} for {client.name.split()[0]}"
    project = f"{client.name[:2].upper()}L-{100 + n}" if won else ""
    return Deal(
        n, f"D-{2000 + n}", name, client.code, stage, money(48_000 + 3_100 * n), client.currency, close,
        client.legal_entity, "tm", owner, project,
    )  # fmt: skip


def sign_contracts(deals: list[Deal], projects: list[Project]) -> list[Contract]:
    """A contract for every won deal whose project is set up; where it is not, the papers are still to come."""
    running = {project.code for project in projects}
    won = [deal for deal in deals if deal.stage == "Closed Won" and deal.project in running]
    return [
        Contract(
            n, f"K-{5000 + deal.n}", deal.number, deal.client, deal.amount, deal.currency, deal.close_date,
            deal.close_date + timedelta(days=365), f"PO {77100 + 13 * deal.n}",
        )
        for n, deal in enumerate(won, start=1)
    ]  # fmt: skip
