"""What the refusal of a remote system means: one class for each reaction, from its status, codes and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from connectors.paths import first, get
from connectors.retry_after import asked_seconds, reset_seconds
from connectors.web_pages import asks_for_password, page_words
from hub.common.errors import (
    AuthError,
    ConfigError,
    HubError,
    PermanentError,
    RecordError,
    TransientError,
    UnknownOutcome,
)

Kind = Literal[
    "auth_expired", "auth_denied", "permission", "not_found", "duplicate", "validation", "conflict", "locked",
    "throttled", "quota", "timeout", "server_transient", "server_fatal", "redirect", "page",
]  # fmt: skip

MAX_WORDS = 500
_QUOTA_SECONDS = 3600.0
_USUAL_MESSAGES = (
    *("error.message.value", "error.message", "error_description", "errors.0.message", "errors.0.detail", "message"),
    *(
        "detail",
        "error.description",
        "errors.*.0",
        "errors.0",
        "error",
        "0.message",
        "Message",
        "title",
        "fault.faultstring",
    ),
)
_USUAL_CODES = ("error.code", "errorCode", "code", "errors.0.code", "0.errorCode", "error")
_BY_STATUS: Mapping[int, Kind] = {
    401: "auth_expired", 403: "permission", 404: "not_found", 408: "timeout", 409: "conflict", 410: "not_found",
    412: "conflict", 423: "locked", 425: "server_transient", 429: "throttled", 500: "server_transient",
    501: "server_fatal", 502: "server_transient", 503: "server_transient", 504: "timeout", 505: "server_fatal",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Failure:
    """A refused request. `words` are the remote system's own, `retry_after` is in seconds."""

    kind: Kind
    words: str
    status: int
    code: str = ""
    field: str = ""
    retry_after: float | None = None
    fix: str = ""
    where: str = ""


_SENTENCES: Mapping[Kind, tuple[str, str]] = {
    "auth_expired": ("The system does not accept the sign-in.", "Check user, password or key of the connection."),
    "auth_denied": ("The system refuses the sign-in.", "Check user, password or key of the connection."),
    "permission": ("The account may not do this.", "Ask the system's administrator for the missing right."),
    "not_found": ("The system has nothing under this address.", "Check the address and the id."),
    "duplicate": ("The system has this record already.", "Check the key, or find the record that is there."),
    "validation": ("The system refuses the data.", ""),
    "conflict": ("Somebody changed the record at the same time.", ""),
    "locked": ("The record is locked in the system.", ""),
    "throttled": ("The system asks for fewer requests.", ""),
    "quota": ("The system's quota of requests is used up.", "Raise the quota, or read less often."),
    "timeout": ("The system took too long.", ""),
    "server_transient": ("The system has an error of its own.", ""),
    "server_fatal": ("The system cannot do this.", ""),
    "redirect": ("The system sends the request elsewhere.", "Enter the address that it leads to."),
    "page": ("The system answers with a web page instead of data.", "Check the address of the connection."),
}  # fmt: skip


def sentence(failure: Failure) -> str:
    """The failure in one sentence with the system's own words."""
    what = _SENTENCES[failure.kind][0]
    status = f" (HTTP {failure.status})" if failure.status else ""
    return f"{what[:-1]}{status}: {failure.words}" if failure.words else f"{what[:-1]}{status}."


def read_error(failure: Failure) -> HubError:
    """The error of a refused read."""
    kinds: dict[Kind, type[HubError]] = {
        "auth_expired": AuthError, "auth_denied": AuthError, "permission": ConfigError, "not_found": ConfigError,
        "duplicate": ConfigError, "validation": ConfigError, "server_fatal": PermanentError, "redirect": ConfigError,
        "page": ConfigError,
    }  # fmt: skip
    return _error(failure, kinds.get(failure.kind, TransientError))


def write_error(failure: Failure, *, safe_to_repeat: bool) -> HubError:
    """The error of a refused write: UnknownOutcome where it may have been done and must not simply be repeated.

    A web page says nothing about the record: systems show one while they are being looked after.
    """
    if failure.kind in ("timeout", "server_transient", "page") and not safe_to_repeat:
        return _error(failure, UnknownOutcome)
    kinds: dict[Kind, type[HubError]] = {
        "auth_expired": AuthError, "auth_denied": AuthError, "permission": ConfigError, "redirect": ConfigError,
        "server_fatal": PermanentError, "not_found": PermanentError, "duplicate": RecordError, "validation": RecordError,
    }  # fmt: skip
    return _error(failure, kinds.get(failure.kind, TransientError))


def _error(failure: Failure, kind: type[HubError]) -> HubError:
    what, fix = sentence(failure), failure.fix or _SENTENCES[failure.kind][1]
    code = failure.kind.upper()
    error: HubError
    if issubclass(kind, TransientError):
        error = kind(what, retry_after=failure.retry_after, where=failure.where, fix=fix, code=code)
    elif issubclass(kind, RecordError):
        error = kind(what, field=failure.field, where=failure.field or failure.where, fix=fix, code=code)
    else:
        error = kind(what, where=failure.where, fix=fix, code=code)
    # kept apart from our own sentence, so that a connection test can show it word for word
    error.add_note(failure.words)
    return error


def remote_words(error: BaseException) -> str:
    """The remote system's own words, where the error carries them."""
    return " ".join(getattr(error, "__notes__", ()))


# --- conditions ----------------------------------------------------------------------------------------------------


def holds(condition: Mapping[str, Any], *, data: Any, status: int, headers: Mapping[str, str]) -> bool:
    """Whether a condition of a declaration holds for an answer (or for one result of a batch)."""
    wanted = condition.get("status")
    if wanted is not None and status not in (wanted if isinstance(wanted, list) else [wanted]):
        return False
    if "header" in condition:
        return _fits(condition, headers.get(condition["header"].lower()))
    if "path" in condition or len(condition) > ("status" in condition):
        return _fits(condition, get(data, condition.get("path", "")))
    return True


def _fits(condition: Mapping[str, Any], value: Any) -> bool:
    if "exists" in condition and (value not in (None, False, "", [], {})) is not condition["exists"]:
        return False
    if "equals" in condition and not _same(value, condition["equals"]):
        return False
    if "in" in condition and not any(_same(value, wanted) for wanted in condition["in"]):
        return False
    return "contains" not in condition or condition["contains"].lower() in _text(value).lower()


def _same(value: Any, wanted: Any) -> bool:
    if type(value) is type(wanted) or value is None or wanted is None:
        return bool(value == wanted)
    return _text(value).lower() == _text(wanted).lower()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


# --- classification ------------------------------------------------------------------------------------------------


class Classifier:
    """Tells refusals from answers, by the `errors` section of a declaration."""

    def __init__(self, section: Mapping[str, Any]) -> None:
        self._failed_when: Sequence[Mapping[str, Any]] = section.get("failed_when", ())
        self._rules: Sequence[Mapping[str, Any]] = section.get("rules", ())
        self._code = section.get("code") or _USUAL_CODES
        self._message = section.get("message") or _USUAL_MESSAGES
        self._field = section.get("field") or ()
        self._field_names: str = section.get("field_names", "")
        self._message_headers: Sequence[str] = section.get("message_headers", ())

    def classify(
        self, *, status: int, data: Any, text: str, headers: Mapping[str, str], where: str, good: Sequence[int] = ()
    ) -> Failure | None:
        """The failure that an answer is, None for a good one. `text` is the body where it is not JSON."""
        ok = 200 <= status < 300 or status in good
        if ok and not any(holds(c, data=data, status=status, headers=headers) for c in self._failed_when):
            return None
        if 300 <= status < 400 and not ok:
            return Failure("redirect", headers.get("location", ""), status, where=where)
        return self.judge(status=status, data=data, text=text, headers=headers, where=where)

    def judge(
        self,
        *,
        status: int,
        data: Any,
        text: str = "",
        headers: Mapping[str, str] | None = None,
        where: str = "",
        code: Any = None,
        message: Any = None,
        field: Any = None,
        usual: Kind | None = None,
    ) -> Failure:
        """What a refusal means. `code`, `message` and `field` are paths that go before those of the declaration.

        `usual` is the class when no rule fits, in place of what the status says.
        """
        found = _text(first(data, code or self._code) or "")[:MAX_WORDS]
        told = (headers.get(name.lower()) for name in self._message_headers) if headers else ()
        words = next((each[:MAX_WORDS] for each in told if each), "") or self._words(data, text, message)
        place = _text(first(data, field or self._field) or "") or self._named_field(data)
        retry_after = asked_seconds(headers or {})
        rule = next((rule for rule in self._rules if _rule_fits(rule, status, found, words)), None)
        kind: Kind = rule["as"] if rule else usual or _kind_of(status, retry_after)
        if retry_after is None and kind in ("throttled", "quota"):
            retry_after = reset_seconds(headers or {})
        if retry_after is None:
            retry_after = rule.get("retry_after_seconds") if rule else None
        if retry_after is None and kind == "quota":
            retry_after = _QUOTA_SECONDS
        return Failure(kind, words, status, found, place, retry_after, rule.get("fix", "") if rule else "", where)

    def _named_field(self, data: Any) -> str:
        """The first name of an object that holds complaints by field."""
        found = get(data, self._field_names) if self._field_names else None
        return str(next(iter(found), "")) if isinstance(found, dict) else ""

    def _words(self, data: Any, text: str, message: Any) -> str:
        if data is None:
            return page_words(text)[:MAX_WORDS]
        found = first(data, message) if message else None
        found = first(data, self._message) if found is None else found
        return (_text(found) if found not in (None, True, False) else _text(data) if data else "")[:MAX_WORDS]


def _rule_fits(rule: Mapping[str, Any], status: int, code: str, words: str) -> bool:
    wanted = rule.get("status")
    if isinstance(wanted, str) and f"{status // 100}xx" != wanted:
        return False
    if isinstance(wanted, int | list) and status not in (wanted if isinstance(wanted, list) else [wanted]):
        return False
    codes = rule.get("code")
    if codes is not None and code not in map(str, codes if isinstance(codes, list) else [codes]):
        return False
    return rule.get("message", "").lower() in words.lower()


def _kind_of(status: int, retry_after: float | None) -> Kind:
    if status in _BY_STATUS:
        return "throttled" if status == 503 and retry_after is not None else _BY_STATUS[status]
    return "server_transient" if status >= 500 else "validation"


def page_failure(body: bytes, status: int, where: str) -> Failure:
    """A web page in place of data; one that asks for a password says that nobody is signed in."""
    text = body[:100_000].decode("utf-8", "replace")
    if asks_for_password(text):
        return Failure("auth_denied", f"a sign-in page: {page_words(text)}"[:MAX_WORDS], status, where=where)
    return Failure("page", page_words(text)[:MAX_WORDS], status, where=where)
