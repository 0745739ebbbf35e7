"""Values without what is only spelling: the normal forms in which records of two systems are compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

# Words at the end of a firm's name that say its legal form. Dots and blanks are gone before they are looked for.
LEGAL_FORMS = {
    *("ab", "aps", "as", "asa", "bhd", "bv", "co", "company", "corp", "corporation", "ev", "gbr", "gmbh", "inc"),
    *(
        "incorporated",
        "kg",
        "kgaa",
        "lda",
        "limited",
        "llc",
        "llp",
        "lp",
        "ltd",
        "ltda",
        "mbh",
        "nv",
        "og",
        "ohg",
        "oy",
    ),
    *("oyj", "plc", "pte", "pty", "sa", "sae", "sagl", "sarl", "sas", "sca", "se", "sl", "slu", "snc", "spa", "srl"),
    *("srls", "ug", "und"),
}
_SPACES = re.compile(r"\s+")
_MARKS = re.compile(r"[^\w\s&]+|_+")
_NO_WORD = re.compile(r"[\W_]+")
_HOST = re.compile(r"[\w-]+(\.[\w-]+)+")


def plain(value: Any) -> str:
    """Lower case, accents off, one blank between words; nothing and yes/no values give an empty text."""
    if value is None or isinstance(value, bool | dict | list):
        return ""
    if (given := str(value)).isascii():  # most are, and have nothing to take off
        return _SPACES.sub(" ", given.lower()).strip()
    # Twice: some signs fold only when they are taken apart, and others come apart only when they are folded.
    text = _folded(_folded(given))
    return _SPACES.sub(" ", "".join(c for c in text if not unicodedata.combining(c))).strip()


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKD", text).casefold()


def words(value: Any) -> str:
    """Words in alphabetical order, so that "Ruiz, Jana" and "Jana Ruiz" are one."""
    return " ".join(sorted(_MARKS.sub(" ", plain(value)).split()))


def company(value: Any) -> str:
    """A firm's name without its legal form; a name that is nothing else keeps it."""
    found = _MARKS.sub(" ", plain(value).replace(".", "")).replace("&", " ").split()
    kept = _without_legal_form(sorted(_without_legal_form(found)))
    return " ".join(kept or sorted(found))


def _without_legal_form(words: list[str]) -> list[str]:
    while words and words[-1] in LEGAL_FORMS:
        words.pop()
    return words


def key(value: Any) -> str:
    """Letters and digits without leading zeros: C-1001, c 1001 and 00C1001 are one."""
    return _NO_WORD.sub("", plain(value)).lstrip("0")


def tax_id(value: Any) -> str:
    """Letters and digits. A number of fewer than five is a placeholder such as n/a."""
    found = _NO_WORD.sub("", plain(value))
    return found if sum(c.isdigit() for c in found) >= 5 else ""


def email(value: Any) -> str:
    """The address in lower case; a text without @ is none."""
    found = plain(value)
    return found if "@" in found else ""


def domain(value: Any) -> str:
    """The host of an address or of an e-mail, without www."""
    found = plain(value)
    host = found.rpartition("@")[2] if "@" in found else _host(found)
    while host.startswith("www."):
        host = host.removeprefix("www.")
    return host if _HOST.fullmatch(host) else ""


def phone(value: Any) -> str:
    """The last nine digits, so that a country code or the 0 before an area code tells no two apart; fewer than six are none."""
    found = "".join(c for c in plain(value) if c.isdecimal())
    found = found[-9:].lstrip("0")
    return found if len(found) >= 6 else ""


def _host(text: str) -> str:
    try:
        return urlsplit(text if "//" in text else f"//{text}").hostname or ""
    except ValueError:
        return ""


FORMS: Mapping[str, Callable[[Any], str]] = {
    "text": words,
    "company": company,
    "key": key,
    "tax_id": tax_id,
    "email": email,
    "domain": domain,
    "phone": phone,
}
