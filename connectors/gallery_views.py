"""The gallery: every connector as a tile with what it can do, and a page for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from connectors import registry, showcase
from connectors.gallery import OTHERS
from connectors.models import Connection, System
from connectors.showcase import PROOF_WORDS, SAFETY_WORDS, Showcase
from hub.common.filters import FilterBar, Select
from hub.common.htmx import render_page
from hub.common.permissions import requires

ACCESS = [("read", "Reads"), ("write", "Writes"), ("events", "Events")]
KEYS = {
    "category": "Category", "protocol": "Protocol", "can": "What it can", "auth": "Sign-in",
    "safety": "Write safety", "proof": "Proof",
}  # fmt: skip


@requires("connections.view")
@require_GET
def gallery(request: HttpRequest) -> HttpResponse:
    """All connectors by category; search and filters stand in the address."""
    everything = showcase.showcases()
    bar = _bar(request, everything)
    found = [each for each in everything if _fits(each, bar)]
    context = {
        "bar": bar,
        "groups": _groups(found),
        "count": len(found),
        "total": len(everything),
        "broken": registry.catalogue_problems(),
    }
    return render_page(request, "connectors/gallery.html", context)


def _bar(request: HttpRequest, everything: Sequence[Showcase]) -> FilterBar:
    kinds = {kind: words.partition(" (")[0] for each in everything for kind, words in each.auth}
    selects = [
        Select("category", "Category", System.Category.choices),
        Select("protocol", "Protocol", [(name, name) for name in sorted({each.protocol for each in everything})]),
        Select("can", "What it can", ACCESS),
        Select("auth", "Sign-in", sorted(kinds.items(), key=lambda pair: pair[1])),
        Select("safety", "Write safety", [(name, f"Class {name}") for name in SAFETY_WORDS]),
        Select("proof", "Proof", list(PROOF_WORDS.items())),
    ]
    return FilterBar(request, keys=KEYS, selects=selects, hint="Name, object or entity")


def _fits(found: Showcase, bar: FilterBar) -> bool:
    wanted = {
        "category": [found.offer.category],
        "protocol": [found.protocol],
        "can": found.can,
        "auth": [kind for kind, _ in found.auth],
        "safety": found.classes,
        "proof": [found.proof],
    }  # fmt: skip
    has_all = all(not bar.get(key) or bar.get(key) in values for key, values in wanted.items())
    return has_all and all(word in _text(found) for word in bar.text.lower().split())


def _text(found: Showcase) -> str:
    """What the search looks through."""
    objects = (f"{each.name} {each.label} {each.entity}" for each in found.objects)
    offer = found.offer
    words = [found.name, offer.label, offer.summary, offer.description, found.protocol, *objects]
    return " ".join(words).lower()


def _groups(found: Iterable[Showcase]) -> list[tuple[str, list[Showcase]]]:
    words = dict(System.Category.choices)
    by_heading: dict[str, list[Showcase]] = {word: [] for word in (*System.Category.labels, OTHERS)}
    for each in found:
        by_heading[words.get(each.offer.category, OTHERS)].append(each)
    return [(heading, group) for heading, group in by_heading.items() if group]


@requires("connections.view")
@require_GET
def gallery_detail(request: HttpRequest, name: str) -> HttpResponse:
    """One connector: objects, operations and their safety, sign-in, limits, default mappings, how it was proven."""
    found = showcase.showcase(name)
    if found is None:
        raise Http404
    rows = Connection.objects.filter(catalogue=found.offer.catalogue, protocol=found.protocol)
    classes = [(each, SAFETY_WORDS[each]) for each in found.classes]
    context = {"found": found, "classes": classes, "connected": rows.count() if found.offer.catalogue else 0,
               "proof_word": PROOF_WORDS[found.proof]}  # fmt: skip
    return render_page(request, "connectors/gallery_detail.html", context)
