from django.db import migrations

DOMAINS = (
    (
        "customer-contract",
        "Customer and contract",
        "Accounts, opportunities, engagements and their terms",
    ),
    ("project-wbs", "Project and WBS", "Projects, tasks, milestones and budgets"),
    ("resource", "Resource", "People, roles, calendars, cost and bill rates"),
    ("time-expense", "Time and expense", "Time entries, expenses and their approval"),
    (
        "billing-gl",
        "Billing and ledger",
        "Billing events, invoices, payments and journal lines",
    ),
    (
        "organisation",
        "Organisation",
        "Legal entities, practices, cost centres, currencies and periods",
    ),
)


def add_domains(apps, schema_editor):
    domain = apps.get_model("accounts", "Domain")
    for order, (slug, name, description) in enumerate(DOMAINS, start=1):
        domain.objects.get_or_create(
            slug=slug,
            defaults={"name": name, "description": description, "order": order},
        )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [migrations.RunPython(add_domains, migrations.RunPython.noop)]
