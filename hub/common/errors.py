"""The error family: an error's class says what the engine does next, its sentence says what a person does next."""

from __future__ import annotations


class HubError(Exception):
    """Base of all expected failures.

    `what` is a full sentence, `where` names the place (file:line, field, URL, stream), `fix` tells what to do.
    `code` is stable and searchable; it is stored in the ledger and shown in the help pages. `maybe_done` says that a remote
    system was sent the request and may have carried it out.
    """

    code = "HUB_ERROR"
    maybe_done = False

    def __init__(self, what: str, *, where: str = "", fix: str = "", code: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        if code:
            self.code = code
        super().__init__(what)

    def __str__(self) -> str:
        where = f" ({self.where})" if self.where else ""
        fix = f" {self.fix}" if self.fix else ""
        return f"{self.what}{where}{fix}"


class ConfigError(HubError):
    """Stop and tell the owner: nothing that is retried can help."""

    code = "CONFIG"


class AuthError(ConfigError):
    """The remote system refuses our credentials: the connection is paused, its work waits."""

    code = "AUTH"


class TransientError(HubError):
    """Back off and try again; `retry_after` in seconds when the remote side said so."""

    code = "TRANSIENT"

    def __init__(
        self, what: str, *, retry_after: float | None = None, where: str = "", fix: str = "", code: str = ""
    ) -> None:
        super().__init__(what, where=where, fix=fix, code=code)
        self.retry_after = retry_after


class PermanentError(HubError):
    """Dead letter: the same request will fail again."""

    code = "PERMANENT"


class RecordError(HubError):
    """Quarantine this record and go on with the rest; `field` is the dotted path that is wrong."""

    code = "RECORD"

    def __init__(self, what: str, *, field: str = "", where: str = "", fix: str = "", code: str = "") -> None:
        super().__init__(what, where=where or field, fix=fix, code=code)
        self.field = field


class Discarded(RecordError):
    """Drop this record, as its contract says; what it broke is noted."""

    code = "DISCARDED"


class MissingReference(RecordError):
    """The record waits: `entity`/`key` (or the external id `key` in stream `stream_id`) is not here yet."""

    code = "WAITING"

    def __init__(self, field: str, entity: str, key: str, *, stream_id: int | None = None) -> None:
        name = entity.replace("_", " ").capitalize()
        super().__init__(f"{name} {key!r} is not in the hub yet.", field=field, fix="It is released when it arrives.")
        self.entity, self.key, self.stream_id = entity, key, stream_id


class PossibleDuplicate(RecordError):
    """The record is held: it looks like one that the hub has from another system, and a person says whether it is."""

    code = "POSSIBLE_DUPLICATE"


class UnknownOutcome(HubError):
    """The write may or may not have happened: probe the target before anything is sent again."""

    code = "UNSURE"
