"""A dead letter in plain words: its class, why it stands here, what to do next, and whether it is safe to put again."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from hub.sync.models import DeadLetter, ReplayItem

CLASSES = {
    "record": "Wrong content",
    "reference": "Missing record",
    "system": "System did not answer",
    "setup": "Wrong setting",
    "doubt": "Outcome unknown",
}
# Codes of an answer that was lost or cannot be understood: the record may have arrived.
DOUBT_CODES = ("UNSURE", "BROKEN", "UNCONFIRMED", "MISSING")
_REFERENCE_CODES = ("WAITING", "WAITED_TOO_LONG")
_SYSTEM_CODES = ("TRANSIENT", "CONNECT", "DNS", "TLS", "TIMEOUT", "CRASHED", "INTERNAL")
_SETUP_CODES = (
    "CONFIG", "AUTH", "AUTH_DENIED", "CONTRACT_FROZEN", "NO_RULES", "DECLARATION", "OPERATION", "STREAM", "EXPRESSION",
    "UNKNOWN_COLUMN", "SECRET_KEY_LOST", "HOST_KEY", "PRIVATE_ADDRESS", "STRANGE_HOST",
)  # fmt: skip

_CAUSES = {
    "record": ("The contract or the mapping does not accept a value.", "{system} does not accept the record as it is."),
    "reference": (
        "The record that it refers to is not here.",
        "The record that it refers to is not at {system} yet.",
    ),
    "system": ("The hub failed at it; the record itself may be right.", "{system} did not answer, as often as it was tried."),
    "setup": ("A setting of the hub is wrong; the record itself may be right.", "A setting here or of {system} is wrong."),
    "doubt": ("", "{system} was called, and its answer was lost: the record may have arrived."),
}  # fmt: skip
_STEPS = {
    "record": ("Correct it at its source, or correct mapping or value map and try it again.",
               "Correct the record or the mapping, then send it again."),
    "reference": ("Nothing, when its parent is on its way. Else bring in the parent, then try it again.",
                  "Deliver the parent first; this one follows by itself."),
    "system": ("Try it again.", "Send it again when {system} answers."),
    "setup": ("Correct the setting, then try it again.", "Correct the setting, then send it again."),
    "doubt": ("", "Look in {system} and say whether it is there."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cause:
    """What a page says of one letter. `is_safe` tells whether a replay may put it without a person looking, `safety` why."""

    word: str
    cause: str
    next_step: str
    is_safe: bool
    safety: str


def class_of(letter: DeadLetter) -> str:
    if letter.state == "unsure" or (letter.leg == "out" and letter.error_code in DOUBT_CODES):
        return "doubt"
    if letter.state == "waiting" or letter.error_code in _REFERENCE_CODES:
        return "reference"
    if letter.error_code in _SYSTEM_CODES:
        return "system"
    return "setup" if letter.error_code in _SETUP_CODES else "record"


def in_class(word: str) -> Q:
    """The letters for which `class_of` is this."""
    doubt = Q(state="unsure") | Q(leg="out", error_code__in=DOUBT_CODES)
    reference = ~doubt & (Q(state="waiting") | Q(error_code__in=_REFERENCE_CODES))
    rest = ~doubt & ~Q(state="waiting")
    named = (*_REFERENCE_CODES, *_SYSTEM_CODES, *_SETUP_CODES)
    return {
        "doubt": doubt,
        "reference": reference,
        "system": rest & Q(error_code__in=_SYSTEM_CODES),
        "setup": rest & Q(error_code__in=_SETUP_CODES),
        "record": rest & ~Q(error_code__in=named),
    }[word]


def explain(letter: DeadLetter, act: str) -> Cause:
    """`act` is what a replay would do with it (a ReplayItem.Act)."""
    word = class_of(letter)
    system = letter.sync.stream.connection.system.name
    out = letter.leg == "out"
    step = _STEPS[word][out].format(system=system)
    if act == ReplayItem.Act.ASK:
        step = f"Nothing: {system} is asked whether it is there."
    elif not letter.is_kept:
        step = "Correct it at its source; the next run reads it again."
    return Cause(CLASSES[word], _CAUSES[word][out].format(system=system), step, *_safe(letter, act))


def _safe(letter: DeadLetter, act: str) -> tuple[bool, str]:
    if act == ReplayItem.Act.LEAVE:
        return False, "It could come twice." if letter.is_kept else "Too little of it is kept."
    if act == ReplayItem.Act.ASK:
        return True, "It is asked about first, and sent only if it is missing."
    return True, "It goes under the same key as before." if letter.leg == "out" else "It takes the usual way in."
