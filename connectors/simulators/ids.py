"""Each system's own ids for the firm's objects: the same firm always has the same ids."""

from __future__ import annotations

from uuid import UUID, uuid5

# Beyond 2**53: a reader that goes through floating point loses the last digit.
HUGE_ID = "9007199254740993"

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_ERP_SPACE = UUID("6d1f1c66-52c2-5d6a-9f3b-2a5c8a2f4e10")
CRM_PREFIXES = {"Account": "001", "Opportunity": "006", "Contract": "800", "User": "005"}
_PSA_FIRST = {
    "workspace_groups": 3_000,
    "workspaces": 40_000,
    "stories": 500_000,
    "users": 60_000,
    "time_entries": 7_000_000,
    "expenses": 800_000,
    "workspace_allocations": 900_000,
    "rate_cards": 1_100,
}
# Milestones are stories too: their numbers begin after those of the tasks.
MILESTONE_OFFSET = 100_000


def crm_id(object_name: str, n: int) -> str:
    """15 case-sensitive characters and the 3 that make them safe for systems that ignore case."""
    short = f"{CRM_PREFIXES[object_name]}HV{_base62(n):0>10}"
    return short + crm_suffix(short)


def crm_suffix(short: str) -> str:
    """One character for each five: its bits say which of the five are upper case."""
    chunks = (short[start : start + 5] for start in (0, 5, 10))
    return "".join(_CHECK[sum(1 << bit for bit, c in enumerate(chunk) if c.isupper())] for chunk in chunks)


def _base62(n: int) -> str:
    digits = ""
    while True:
        n, rest = divmod(n, 62)
        digits = _BASE62[rest] + digits
        if not n:
            return digits


def psa_id(object_name: str, n: int) -> str:
    return str(_PSA_FIRST[object_name] + n)


def hris_id(n: int) -> str:
    return str(100 + n)


def erp_id(object_name: str, number: str) -> str:
    return str(uuid5(_ERP_SPACE, f"{object_name}:{number}"))
