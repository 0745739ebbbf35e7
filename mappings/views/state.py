"""What a person looks at in the editor. It lives in the address, and travels with each form as one hidden field."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from django.http import HttpRequest, QueryDict
from django.urls import reverse

from mappings.editor import FILTERS, Editor, Filter
from mappings.models import Mapping

Panel = Literal["problems", "output", "unused", "changes"]
PANELS: tuple[Panel, ...] = get_args(Panel)
MAX_PATH = 400
FILTER_WORDS: MappingType[Filter, str] = {
    "all": "All",
    "required": "Required, no source",
    "suggested": "Suggested",
    "changed": "Changed",
    "problems": "Problems",
}


@dataclass(frozen=True, slots=True)
class State:
    """Which rows (`show`, `q`), which sample, which field in the inspector, which panel below."""

    show: Filter = "all"
    q: str = ""
    sample: int = 0
    field: str = ""
    panel: Panel = "problems"

    @property
    def query(self) -> str:
        """The address's query; what is as usual is left out."""
        params = QueryDict(mutable=True)
        usual = State()
        for name in self.__dataclass_fields__:
            if getattr(self, name) != getattr(usual, name):
                params[name] = str(getattr(self, name))
        return params.urlencode()

    def url(self, mapping: Mapping, **changes: Any) -> str:
        """The editor's address in this state, or in a changed one."""
        query = (replace(self, **changes) if changes else self).query
        return reverse("mappings:editor", args=[mapping.slug]) + (f"?{query}" if query else "")


def state_of(request: HttpRequest) -> State:
    """From the hidden field of a form, else from the address; what makes no sense is as usual."""
    data = QueryDict(request.POST["state"]) if "state" in request.POST else request.GET
    show, panel, sample = data.get("show", ""), data.get("panel", ""), data.get("sample", "")
    return State(
        show=next((name for name in FILTERS if name == show), "all"),
        q=_clean(data.get("q", "")),
        sample=int(sample) if sample.isascii() and sample.isdigit() and len(sample) < 3 else 0,
        field=_clean(data.get("field", "")),
        panel=next((name for name in PANELS if name == panel), "problems"),
    )


def _clean(text: str) -> str:
    return text.replace("\x00", "")[:MAX_PATH].strip()


@dataclass(frozen=True, slots=True)
class Link:
    """A choice in the editor: its word, address, number and whether it is the present one."""

    word: str
    url: str
    is_current: bool
    count: int | None = None
    detail: str = ""


def filter_links(editor: Editor, state: State) -> list[Link]:
    counts = editor.counts()
    return [
        Link(word, state.url(editor.mapping, show=name), name == state.show, counts[name])
        for name, word in FILTER_WORDS.items()
    ]


def sample_links(editor: Editor, state: State) -> list[Link]:
    return [
        Link(sample.label, state.url(editor.mapping, sample=at), at == editor.chosen, detail=sample.why)
        for at, sample in enumerate(editor.samples.records)
    ]


def panel_links(editor: Editor, state: State) -> list[Link]:
    live = f"Changes to v{editor.live.number}" if editor.live else "Changes"
    counts: dict[Panel, tuple[str, int | None]] = {
        "problems": ("Problems", len(editor.problems)),
        "output": ("Output JSON", None),
        "unused": ("Unused source", len(editor.unused)),
        "changes": (live, len(editor.changes)),
    }
    return [
        Link(word, state.url(editor.mapping, panel=name), name == state.panel, count)
        for name, (word, count) in counts.items()
    ]
