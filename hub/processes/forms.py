"""Forms of processes: what one is, each of its steps by kind, and the answer to a question. Each makes a document or values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.utils.text import slugify

from connectors.models import Stream
from governance.models import Entity
from hub.accounts.models import Domain, User
from hub.accounts.queries import domains_for
from hub.accounts.roles import ROLE_CHOICES
from hub.common.registry import Document
from hub.events.forms import LinesField
from hub.events.models import EventType
from hub.processes.definition import FIELD_TYPES, KINDS, OPERATIONS, Step
from hub.processes.models import Process
from hub.sync.models import Sync

RESERVED = {"new", "runs"}
MONO = {"class": "mono", "spellcheck": "false", "autocomplete": "off"}
# A process that is made by form begins with this; its steps are added on its page.
FIRST_STEP = {"name": "begun", "kind": "notify", "title": "It has begun", "text": "The process has begun."}


class ProcessForm(forms.Form):
    """The head of a process: `document(steps)` once it is valid."""

    name = forms.CharField(max_length=120, help_text="For example: Engagement onboarding.")
    slug = forms.SlugField(
        label="Short name", max_length=80, required=False, help_text="Made from the name when left empty."
    )
    purpose = forms.CharField(
        required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 2, "class": "words"})
    )
    owner = forms.ChoiceField(
        choices=ROLE_CHOICES, help_text="Who answers for it, and is asked where a step names nobody."
    )
    domain = forms.ModelChoiceField(Domain.objects.none(), to_field_name="slug")
    entity = forms.ModelChoiceField(
        Entity.objects.order_by("name"), label="About", required=False, to_field_name="slug", empty_label="no record"
    )
    events = forms.MultipleChoiceField(
        label="Started by events", required=False, widget=forms.CheckboxSelectMultiple,
        choices=lambda: [(one.name, f"{one.title} ({one.name})") for one in EventType.objects.all()],
    )  # fmt: skip
    only_when = LinesField(
        label="Only records with", help_text="One field a line with its values, such as practice: Data. For events."
    )
    cron = forms.CharField(
        label="Started by schedule",
        required=False,
        widget=forms.TextInput(attrs=MONO),
        help_text="0 6 * * 1-5 is weekdays at 06:00.",
    )
    time_zone = forms.CharField(required=False, initial="UTC", help_text="The wall clock of the schedule.")
    lookups = LinesField(
        label="Look-ups", help_text="Records that steps look at, one a line: customer: customer, record.customer"
    )
    is_active = forms.BooleanField(label="In use", required=False)

    def __init__(self, data: Any = None, *, user: User, process: Process | None = None) -> None:
        super().__init__(data, initial=_head(process) if process else {"owner": "operator"})
        self.process = process
        self.fields["domain"].queryset = domains_for(user, "processes.edit")  # type: ignore[attr-defined]
        if process:
            del self.fields["slug"]

    def clean_slug(self) -> str:
        slug = self.cleaned_data["slug"] or slugify(self.cleaned_data.get("name", ""))[:80]
        if not slug or slug in RESERVED:
            raise forms.ValidationError("Give a short name of letters, digits and hyphens.")
        if Process.objects.filter(slug=slug).exists():
            raise forms.ValidationError(f"There is already a process “{slug}”.")
        return slug

    def clean_lookups(self) -> dict[str, dict[str, str]]:
        found = {}
        for name, text in self.cleaned_data["lookups"].items():
            entity, comma, key = text.partition(",")
            if not comma:
                raise forms.ValidationError(
                    f"{name}: write the entity, a comma, and the key: customer, record.customer"
                )
            found[name] = {"entity": entity.strip(), "key": key.strip()}
        return found

    def document(self) -> Document:
        given = self.cleaned_data
        steps = self.process.newest.definition["steps"] if self.process else [FIRST_STEP]
        condition = {name: [one.strip() for one in text.split(",")] for name, text in given["only_when"].items()}
        triggers: list[dict[str, Any]] = [
            {"event": name, **({"only_when": condition} if condition else {})} for name in given["events"]
        ]
        if given["cron"]:
            triggers.append({"cron": given["cron"], "time_zone": given["time_zone"] or "UTC"})
        return {
            "slug": self.process.slug if self.process else given["slug"],
            "name": given["name"],
            "purpose": given["purpose"],
            "owner": given["owner"],
            "domain": given["domain"].slug,
            **({"entity": given["entity"].slug} if given["entity"] else {}),
            "is_active": given["is_active"],
            **({"triggers": triggers} if triggers else {}),
            **({"lookups": given["lookups"]} if given["lookups"] else {}),
            "steps": steps,
        }


def _head(process: Process) -> dict[str, Any]:
    found = process.newest.definition
    triggers = found.get("triggers") or []
    schedule: dict[str, Any] = next((one for one in triggers if "cron" in one), {})
    condition: dict[str, Any] = next((one["only_when"] for one in triggers if one.get("only_when")), {})
    return {
        **{name: getattr(process, name) for name in ("name", "purpose", "owner", "is_active")},
        "domain": process.domain.slug,
        "entity": process.entity.slug if process.entity else None,
        "events": [one["event"] for one in triggers if "event" in one],
        "only_when": "\n".join(f"{name}: {', '.join(map(str, values))}" for name, values in condition.items()),
        "cron": schedule.get("cron", ""),
        "time_zone": schedule.get("time_zone", "UTC"),
        "lookups": "\n".join(f"{n}: {one['entity']}, {one['key']}" for n, one in (found.get("lookups") or {}).items()),
    }


# Steps -----------------------------------------------------------------------------------------------------
def _line(label: str, *, required: bool = True, help_text: str = "") -> forms.CharField:
    return forms.CharField(
        label=label, required=required, max_length=2_000, help_text=help_text, widget=forms.TextInput(attrs=MONO)
    )


def _words(label: str, *, required: bool = True, help_text: str = "") -> forms.CharField:
    return forms.CharField(label=label, required=required, max_length=500, help_text=help_text)


def _outbound() -> list[tuple[str, str]]:
    return list(Sync.objects.filter(mapping__direction="out").order_by("name").values_list("slug", "name"))


def _streams() -> list[tuple[str, str]]:
    return [(one.slug, f"{one.connection.name}: {one.name}") for one in Stream.objects.select_related("connection")]


def _of_kind(kind: str) -> dict[str, forms.Field]:
    """The fields that a kind of step has besides what every step has."""
    made: dict[str, Callable[[], dict[str, forms.Field]]] = {
        "check": lambda: {
            "that": _line("Holds when", help_text="Such as record.legal_entity and customer.tax_id."),
            "message": _words("Else", help_text="The sentence that people read: The deal names no legal entity."),
            "fix": _words("What to do", required=False),
        },
        "ensure": lambda: {
            "sync": forms.ChoiceField(label="By the sync", choices=_outbound),
            "key": _line("Which record", help_text="Its key: key, or record.customer."),
        },
        "action": lambda: {
            "stream": forms.ChoiceField(label="At", choices=_streams),
            "operation": forms.ChoiceField(choices=[(one, one) for one in OPERATIONS]),
            "key": _line("Under the key", help_text="How the system finds it again, such as key & '-kickoff'."),
            "ref": _line("Of its id", required=False, help_text="For updates: steps.job.ref."),
            "body": LinesField(label="Values", help_text="One field a line with its expression: name: record.name"),
        },
        "wait": lambda: {
            "event": forms.ChoiceField(
                label="For the event", required=False,
                choices=lambda: [("", "–"), *EventType.objects.values_list("name", "title")],
            ),
            "subject": _line("About", required=False, help_text="The key of the event's record; empty takes any."),
            "until": _line("Or until", required=False, help_text="A condition: record.status = 'active'."),
            "seconds": forms.IntegerField(label="Or for seconds", required=False, min_value=1),
            "timeout_seconds": forms.IntegerField(label="At most, in seconds", required=False, min_value=1),
            "on_timeout": forms.ChoiceField(label="Then", choices=[("fail", "ask its owner"), ("continue", "go on")]),
        },
        "ask": lambda: {
            "question": _words("Question"),
            "fields": LinesField(
                label="Fields of the answer",
                help_text="One a line: card: Rate card; choice; UK, DE. Types: " + ", ".join(FIELD_TYPES) + ".",
            ),
        },
        "branch": lambda: {
            "choose": forms.CharField(
                label="Choose", widget=forms.Textarea(attrs={"rows": 4, **MONO}),
                help_text="One a line: condition -> steps. The last line may be only -> steps.",
            ),
        },
        "notify": lambda: {"text": _words("Text", help_text="Words, or an expression with &: 'Project ' & key.")},
        "set": lambda: {"values": LinesField(label="Values", help_text="One a line: total: $sum(record.lines.amount)")},
    }  # fmt: skip
    return made[kind]()


class StepForm(forms.Form):
    """One step; `given()` is its part of the document."""

    name = forms.RegexField(
        r"^[a-z][a-z0-9_]{0,59}\Z",
        help_text="Lower-case letters, digits and underscores; expressions call it steps.name.",
    )
    title = forms.CharField(max_length=120, required=False)

    def __init__(
        self, data: Any = None, *, kind: str, others: list[str], found: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(data, initial=_step_initial(found) if found else {"after": others[-1:]})
        self.kind = kind
        for name, field in _of_kind(kind).items():
            self.fields[name] = field
        self.fields["after"] = forms.MultipleChoiceField(
            label="Comes after", required=False, choices=[(one, one) for one in others],
            widget=forms.CheckboxSelectMultiple, help_text="None: it is one of the first.",
        )  # fmt: skip
        self.fields["when"] = _line("Only when", required=False, help_text="Else it is skipped.")
        self.fields["role"] = forms.ChoiceField(
            label="Whose turn", required=False, choices=[("", "the owner"), *ROLE_CHOICES]
        )
        self.fields["hours"] = forms.DecimalField(
            label="Within business hours", required=False, min_value=0, max_digits=7
        )
        self.fields["undo_task"] = _words(
            "When it is taken back", required=False, help_text="What a person does by hand then."
        )

    def clean_fields(self) -> list[dict[str, Any]]:
        return [_asked_field(name, text) for name, text in self.cleaned_data["fields"].items()]

    def clean_choose(self) -> list[dict[str, Any]]:
        found = []
        for line in filter(str.strip, self.cleaned_data["choose"].splitlines()):
            condition, arrow, steps = line.rpartition("->")
            if not arrow:
                raise forms.ValidationError(f"“{line.strip()}”: write a condition, -> and the steps.")
            names = [one.strip() for one in steps.split(",") if one.strip()]
            found.append({**({"when": condition.strip()} if condition.strip() else {}), "then": names})
        return found

    def given(self) -> dict[str, Any]:
        data = self.cleaned_data
        needs, may, _ = KINDS[self.kind]
        own = {name: data[name] for name in (*needs, *may) if name in data and data[name] not in (None, "", [], {})}
        if self.kind == "wait" and "timeout_seconds" not in own:
            own.pop("on_timeout", None)
        common = {name: data[name] for name in ("title", "when", "role", "undo_task") if data.get(name)}
        sla = {"sla": {"hours": float(data["hours"])}} if data.get("hours") else {}
        return {"name": data["name"], "kind": self.kind, "after": data["after"], **common, **sla, **own}


def _asked_field(name: str, text: str) -> dict[str, Any]:
    title, _, rest = text.partition(";")
    kind, _, options = rest.partition(";")
    found: dict[str, Any] = {"name": name, "title": title.strip() or name, "type": kind.strip() or "text"}
    if options.strip():
        found["options"] = [one.strip() for one in options.split(",")]
    return found


def _step_initial(found: Mapping[str, Any]) -> dict[str, Any]:
    initial = dict(found)
    for name in ("body", "values"):
        if name in initial:
            initial[name] = "\n".join(f"{key}: {text}" for key, text in initial[name].items())
    if "fields" in initial:
        initial["fields"] = "\n".join(
            f"{one['name']}: {one.get('title', '')}; {one.get('type', 'text')}"
            + (f"; {', '.join(map(str, one['options']))}" if one.get("options") else "")
            for one in initial["fields"]
        )
    if "choose" in initial:
        initial["choose"] = "\n".join(
            f"{one.get('when', '')} -> {', '.join(one['then'])}".strip() for one in initial["choose"]
        )
    initial["hours"] = (found.get("sla") or {}).get("hours")
    return initial


class AnswerForm(forms.Form):
    """The fields that a step asks for; what they may hold is judged by the service."""

    def __init__(self, step: Step, data: Any = None) -> None:
        super().__init__(data)
        for each in step.more.get("fields") or ():
            self.fields[each["name"]] = _answer_field(each)


def _answer_field(each: Mapping[str, Any]) -> forms.Field:
    title, kind, required = each.get("title") or each["name"], each.get("type", "text"), not each.get("optional")
    if kind == "choice":
        return forms.ChoiceField(label=title, required=required, choices=[(one, one) for one in each["options"]])
    if kind == "yes_no":
        return forms.BooleanField(label=title, required=False)
    if kind == "date":
        return forms.DateField(label=title, required=required, widget=forms.DateInput(attrs={"type": "date"}))
    if kind == "number":
        return forms.DecimalField(label=title, required=required)
    return forms.CharField(label=title, required=required, max_length=2_000)
