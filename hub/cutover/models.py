"""A cut-over as it is configured, how far each legal entity is, and what the shadow has shown."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse
from simple_history.models import HistoricalRecords

from governance.models import Entity
from hub.accounts.models import Domain
from hub.accounts.roles import ROLE_CHOICES
from hub.sync.models import Sync

# The route of every legal entity that has none of its own.
REST = "*"


class State(models.TextChoices):
    """How far a legal entity is. One step forward at a time; back to any earlier one."""

    LEGACY = "legacy", "Legacy"
    SHADOW = "shadow", "Shadow"
    DUAL = "dual", "Dual"
    NEW = "new", "New"
    RETIRED = "retired", "Retired"

    @property
    def position(self) -> int:
        return ORDER.index(self)


ORDER = list(State)
LEGACY_DELIVERS = frozenset({State.LEGACY, State.SHADOW, State.DUAL})
NEW_DELIVERS = frozenset({State.DUAL, State.NEW, State.RETIRED})
COMPARED = frozenset({State.SHADOW, State.DUAL})
_LOOKS = {
    State.LEGACY: "muted", State.SHADOW: "queued", State.DUAL: "running", State.NEW: "active", State.RETIRED: "done",
}  # fmt: skip
_STEPS = [
    (before.value, after.value)
    for before in ORDER
    for after in ORDER
    if after != before and after.position <= before.position + 1
]


class Cutover(models.Model):
    """Two outbound syncs of one entity, of which a legal entity's records leave the one and come to the other."""

    class Carry(models.TextChoices):
        OPEN = "open", "Only what neither side has confirmed: nothing is posted twice"
        ALL = "all", "Everything that it does not hold in the newest version"

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=120)
    domain = models.ForeignKey(Domain, on_delete=models.PROTECT, related_name="+")
    entity = models.ForeignKey(Entity, on_delete=models.PROTECT, related_name="+")
    legacy = models.ForeignKey(Sync, on_delete=models.PROTECT, related_name="+")
    new = models.ForeignKey(Sync, on_delete=models.PROTECT, related_name="+")
    owner = models.CharField(max_length=32, choices=ROLE_CHOICES, default="integration_admin")
    # Legal entities that go by themselves; all the others go together.
    legal_entities = models.JSONField(default=list, blank=True)
    days_needed = models.PositiveSmallIntegerField(default=10)
    # What a side that begins to deliver is sent of what is there already.
    carry = models.CharField(max_length=4, choices=Carry, default=Carry.OPEN)
    # Canonical field → the amount by which numbers may differ and still count as equal, as text.
    tolerances = models.JSONField(default=dict, blank=True)
    notes = models.TextField(blank=True, max_length=2_000)
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["legacy"], name="cutover_of_a_legacy_sync_once"),
            models.UniqueConstraint(fields=["new"], name="cutover_of_a_new_sync_once"),
            models.CheckConstraint(condition=~models.Q(legacy=models.F("new")), name="cutover_between_two_syncs"),
            models.CheckConstraint(condition=models.Q(days_needed__gte=1), name="cutover_needs_a_day"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("cutover:cutover", args=[self.slug])


class CutoverRoute(models.Model):
    """How far one legal entity is, or all the rest (`*`). Written by hub.cutover.services alone."""

    cutover = models.ForeignKey(Cutover, on_delete=models.CASCADE, related_name="routes")
    legal_entity = models.CharField(max_length=120, default=REST)
    state = models.CharField(max_length=7, choices=State, default=State.LEGACY, db_default="legacy")
    since = models.DateTimeField(db_default=Now())
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["legal_entity"]
        constraints = [
            models.UniqueConstraint(fields=["cutover", "legal_entity"], name="cutover_route_once"),
            models.CheckConstraint(condition=models.Q(state__in=State.values), name="cutover_state_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.cutover.slug}/{self.legal_entity}"

    @property
    def label(self) -> str:
        return "All the rest" if self.legal_entity == REST else self.legal_entity

    @property
    def shown(self) -> str:
        """The name of hub.common.states whose look the state has."""
        return _LOOKS[State(self.state)]

    @property
    def next(self) -> State | None:
        at = State(self.state).position + 1
        return ORDER[at] if at < len(ORDER) else None

    @property
    def earlier(self) -> list[State]:
        return ORDER[: State(self.state).position]


class CutoverMove(models.Model):
    """One switch of a route: from, to, who, why, and what the gate saw. The database refuses to change or delete it."""

    cutover = models.ForeignKey(Cutover, on_delete=models.PROTECT, related_name="moves")
    legal_entity = models.CharField(max_length=120)
    before = models.CharField(max_length=7, choices=State)
    after = models.CharField(max_length=7, choices=State)
    at = models.DateTimeField(db_default=Now())
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=500)
    # {"days": […], "queued": {"legacy": n, "new": n}}
    seen = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(*[models.Q(before=b, after=a) for b, a in _STEPS], _connector=models.Q.OR),
                name="cutover_move_is_a_step",
            )
        ]

    @property
    def is_back(self) -> bool:
        return State(self.after).position < State(self.before).position


class ShadowCheck(models.Model):
    """One record compared on one day; its last comparison of the day counts."""

    id: Any
    cutover = models.ForeignKey(Cutover, on_delete=models.CASCADE, related_name="checks")
    legal_entity = models.CharField(max_length=120)
    day = models.DateField()
    record_id = models.BigIntegerField()
    key = models.TextField()
    version = models.IntegerField()
    is_equal = models.BooleanField()
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cutover", "record_id", "day"], name="shadow_check_once_a_day")]
        indexes = [models.Index(fields=["cutover", "legal_entity", "day"], name="shadow_check_by_day")]


class ShadowDiff(models.Model):
    """A field of a record that the two sides would hold differently. `pattern` says in which way: with the field, the cause."""

    class Diff(models.TextChoices):
        OPEN = "open", "Open"
        EXPLAINED = "explained", "Explained"

    cutover = models.ForeignKey(Cutover, on_delete=models.CASCADE, related_name="diffs")
    legal_entity = models.CharField(max_length=120)
    day = models.DateField()
    record_id = models.BigIntegerField()
    key = models.TextField()
    version = models.IntegerField()
    field = models.CharField(max_length=120)
    pattern = models.CharField(max_length=40)
    legacy_value = models.TextField(blank=True)
    new_value = models.TextField(blank=True)
    state = models.CharField(max_length=9, choices=Diff, default=Diff.OPEN, db_default="open")
    reason = models.CharField(max_length=500, blank=True, default="", db_default="")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    explained_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-day", "key", "field"]
        constraints = [
            models.UniqueConstraint(fields=["cutover", "record_id", "day", "field"], name="shadow_diff_once_a_day"),
            models.CheckConstraint(
                condition=models.Q(state="open", reason="") | (models.Q(state="explained") & ~models.Q(reason="")),
                name="shadow_diff_is_explained_in_words",
            ),
        ]
        indexes = [models.Index(fields=["cutover", "legal_entity", "day", "state"], name="shadow_diff_by_day")]


class ShadowDay(models.Model):
    """What a day's comparison came to: counts of records, `unexplained` those with an open difference."""

    cutover = models.ForeignKey(Cutover, on_delete=models.CASCADE, related_name="days")
    legal_entity = models.CharField(max_length=120)
    day = models.DateField()
    compared = models.IntegerField(default=0)
    equal = models.IntegerField(default=0)
    different = models.IntegerField(default=0)
    unexplained = models.IntegerField(default=0)

    class Meta:
        ordering = ["day"]
        constraints = [
            models.UniqueConstraint(fields=["cutover", "legal_entity", "day"], name="shadow_day_once"),
            models.CheckConstraint(
                condition=models.Q(compared=models.F("equal") + models.F("different")), name="shadow_day_adds_up"
            ),
        ]
