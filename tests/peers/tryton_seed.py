"""Fills a fresh Tryton database; runs in Tryton's own environment: tryton_seed.py CONFIG DATABASE.

A consulting firm with three employees, clients, two projects with tasks, and timesheet lines; a service product.
"""

import datetime as dt
import sys
from decimal import Decimal

from proteus import Model, Wizard, config

settings = config.set_trytond(sys.argv[2], config_file=sys.argv[1])
get = Model.get

Currency = get("currency.currency")
euro = Currency(name="Euro", symbol="EUR", code="EUR", numeric_code="978", digits=2, rounding=Decimal("0.01"))
euro.rates.new(date=dt.date(2020, 1, 1), rate=Decimal(1))
euro.save()

Party = get("party.party")
firm = Party(name="Harrow & Vale GmbH")
firm.save()
wizard = Wizard("company.company.config")
wizard.execute("company")
wizard.form.party, wizard.form.currency = firm, euro
wizard.execute("add")
(company,) = get("company.company").find()
User = get("res.user")
settings._context = User.get_preferences(True, {})

employees = []
for name in ("Ines Hartmann", "Tomás Keller", "Zoë Ashdown"):
    person = Party(name=name)
    person.contact_mechanisms.new(type="email", value=name.split()[0].lower() + "@firm.example.org")
    person.save()
    employee = get("company.employee")(party=person, company=company)
    employee.save()
    employees.append(employee)
admin = User.find([("login", "=", "admin")])[0]
admin.companies.append(company)
admin.employees.extend(get("company.employee").find())
admin.employee, admin.company = get("company.employee").find()[0], company
admin.save()
settings._context = User.get_preferences(True, {})

clients = []
for number in range(1, 9):
    client = Party(name=f"Client {number:02d} Ltd", code=f"C-{number:04d}")
    client.contact_mechanisms.new(type="email", value=f"accounts{number}@client.example.org")
    client.save()
    clients.append(client)

Work, Line = get("project.work"), get("timesheet.line")
day = dt.date(2026, 11, 2)
for number, client in enumerate(clients[:4], 1):
    project = Work(name=f"Engagement {number:03d}", type="project", party=client, timesheet_available=True)
    for task in ("Discovery", "Build"):
        project.children.new(
            name=f"{task} {number:03d}", type="task", timesheet_available=True, effort_duration=dt.timedelta(hours=40)
        )
    project.save()
    for child in project.children:
        for offset, employee in enumerate(employees):
            Line(
                employee=employee,
                company=company,
                work=child.timesheet_works[0],
                duration=dt.timedelta(hours=6, minutes=30 * offset),
                date=day + dt.timedelta(days=offset),
            ).save()
print("parties", len(Party.find()), "works", len(Work.find()), "lines", len(Line.find()))
