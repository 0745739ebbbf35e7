"""Named conversions: small functions that a rule chains by name. Importing the package fills the registry."""

from mappings.functions import dates, hours, lists, money, text, truth
from mappings.functions.registry import FUNCTIONS, Arg, Bound, FieldRef, Function, bind, check_conversion

__all__ = [
    "FUNCTIONS",
    "Arg",
    "Bound",
    "FieldRef",
    "Function",
    "bind",
    "check_conversion",
    "dates",
    "hours",
    "lists",
    "money",
    "text",
    "truth",
]
