"""The filter bar of a list: typed `key:value` words and drop-downs, both written to the URL and shown as chips.

bar = FilterBar(request, keys={"status": "State", "sync": "Sync"}, selects=[Select("status", "State", CHOICES)])
if bar.get("status"): rows = rows.filter(status=bar.get("status"))
if bar.text: rows = rows.filter(key__icontains=bar.text)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.http import HttpRequest, QueryDict

_WORDS = re.compile(r'(?P<key>[a-z_]+):(?:"(?P<quoted>[^"]*)"|(?P<value>\S+))|"(?P<phrase>[^"]*)"|(?P<word>\S+)')
MAX_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Select:
    """A drop-down: its parameter, label and choices as (value, word)."""

    name: str
    label: str
    choices: Sequence[tuple[str, str]]


class Chip(NamedTuple):
    """One filter in force, and the address of the list without it."""

    key: str
    value: str
    url: str


class FilterBar:
    """What is asked for by `?q=key:value words` and by `?key=value`; keys that the list does not know are text."""

    def __init__(
        self, request: HttpRequest, *, keys: Mapping[str, str], selects: Sequence[Select] = (), hint: str = ""
    ) -> None:
        self._request = request
        self.keys = keys
        self.typed, self.text = parse_words(request.GET.get("q", ""), set(keys))
        self.selects = [(item, self.get(item.name)) for item in selects]
        self.hint = hint or " ".join(f"{key}:" for key in keys) + " or free text"

    def get(self, key: str) -> str:
        """The value asked for; a drop-down comes before a typed word. Empty when there is none."""
        return self._request.GET.get(key, "").replace("\x00", "")[:MAX_LENGTH] or self.typed.get(key, "")

    @property
    def is_active(self) -> bool:
        return bool(self.text or self.chips)

    @property
    def chips(self) -> list[Chip]:
        return [Chip(key, value, self._without(key)) for key in self.keys if (value := self.get(key))]

    @property
    def clear_url(self) -> str:
        return self._request.path

    @property
    def kept(self) -> list[tuple[str, str]]:
        """Parameters that sending the bar must not lose, such as the page size."""
        return [(key, str(value)) for key, value in self._request.GET.items() if key in ("size", "view", "sort")]

    @property
    def input_value(self) -> str:
        """What stands in the text field: free text only, because filters are shown as chips."""
        return self.text

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """Filters in force that no drop-down carries, so that sending the bar keeps them."""
        shown = {item.name for item, _ in self.selects}
        return [(chip.key, chip.value) for chip in self.chips if chip.key not in shown]

    def _without(self, key: str) -> str:
        params = QueryDict(mutable=True)
        params.update({name: self.get(name) for name in self.keys if name != key and self.get(name)})
        if self.text:
            params["q"] = self.text
        for name, value in self.kept:
            params[name] = value
        return f"{self._request.path}?{params.urlencode()}" if params else self._request.path


def parse_words(q: str, keys: set[str]) -> tuple[dict[str, str], str]:
    """`status:failed "two words" rest` as ({"status": "failed"}, "two words rest"); the last of a repeated key wins."""
    typed: dict[str, str] = {}
    words: list[str] = []
    for match in _WORDS.finditer(q.replace("\x00", "")[:MAX_LENGTH]):
        key, value = match["key"], match["quoted"] if match["quoted"] is not None else match["value"]
        if key in keys and value is not None:
            typed[key] = value
        else:
            words.append(match["phrase"] if match["phrase"] is not None else match[0])
    return typed, " ".join(words)
