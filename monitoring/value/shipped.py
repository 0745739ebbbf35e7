"""The measures that come with the hub, as documents; whoever wants others changes them or makes their own."""

from __future__ import annotations

from hub.common.registry import Document
from monitoring.value.formulas import formulas

# Formula, owner, direction; slug, name and definition come from the formula.
_SHIPPED = [
    ("unbilled_time", "Finance operations", "down"),
    ("time_to_erp", "Finance operations", "down"),
    ("time_to_invoice", "Billing", "down"),
    ("project_setup", "PMO", "down"),
    ("invoice_cycle", "Billing", "down"),
    ("staffing_speed", "Resource management", "down"),
    ("forecast_accuracy", "Resource management", "up"),
    ("bench", "Resource management", "down"),
    ("over_allocation", "Resource management", "down"),
    ("margin_consistency", "Finance", "up"),
    ("cost_mismatch", "Finance", "down"),
    ("touches_avoided", "IT", "up"),
    ("recovery", "IT", "down"),
    ("interfaces_replaced", "Architecture", "up"),
]


def documents() -> list[Document]:
    known = formulas()
    return [
        {
            "slug": slug.replace("_", "-"),
            "name": known[slug].label,
            "definition": known[slug].words,
            "formula": slug,
            "owner": owner,
            "direction": direction,
            "position": 10 * place,
        }
        for place, (slug, owner, direction) in enumerate(_SHIPPED, start=1)
    ]
