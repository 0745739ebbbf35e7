"""The one interface to every system: spec, check, discover, read, write (and find, where the target can be asked)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from connectors.jobs import JobBook
from connectors.limiter import Limiter
from connectors.rest.issued import Tokens
from hub.common.errors import ConfigError
from hub.common.records import CheckStep, Page, Record, StreamInfo, StreamSpec, WriteItem, WriteOutcome

DEFAULT_SETTLE_SECONDS = 120.0
# Classes of write safety at which the same write may simply be sent again.
HARMLESS = frozenset({"A", "B"})
REMOVALS = frozenset({"deactivate", "delete"})


class Quota(NamedTuple):
    """Requests that a system says are left, and the most that it allows; None where it does not say."""

    left: int
    limit: int | None


class Connector(ABC):
    """One account at one system, opened for use.

    Built by `connectors.registry.open_connector`; `config` and `secrets` hold the values of the fields that `spec()`
    declares. A connector keeps no state between pages except connections and tokens, and never touches the database.
    Everything it raises is a `HubError`.
    """

    protocol: ClassVar[str]
    label: ClassVar[str]
    # True when several items may be sent in one call of write(); the engine then passes up to `batch_size` at once.
    batch_size: int = 100
    # Called as (name, value) when the system replaces a secret, such as a refresh token: the old one is then dead.
    on_secret_changed: Callable[[str, str], None] | None = None
    # Handed over by whoever opens a stored connection: it holds the requests of all workers within the system's limits.
    limiter: Limiter | None = None
    # Handed over likewise: where all workers share the token of a sign-in.
    tokens: Tokens | None = None
    # Handed over in the same way: the writes that the system has accepted and carries out later.
    jobs: JobBook | None = None
    # True when every request passes the limiter; else whoever calls the connector reports how the call went.
    reports_requests: ClassVar[bool] = False
    # True when `ask` answers.
    takes_queries: ClassVar[bool] = False

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        self.config, self.secrets = config, secrets

    @classmethod
    @abstractmethod
    def spec(cls) -> dict[str, dict[str, Any]]:
        """Config fields in form order: name -> {title, help, type, required, secret, default, example, enum, pattern}."""

    @abstractmethod
    def check(self) -> Iterator[CheckStep]:
        """Test the account step by step; stop after the first step that fails. Never raises, ends within 5 s."""

    def refusal(self) -> str:
        """Why the system does not accept the sign-in, empty when it does or cannot be asked. Never raises a HubError."""
        return ""

    @abstractmethod
    def discover(self) -> Sequence[StreamInfo]:
        """The object types on offer, with fields where the system (or the declaration, or a sample) tells."""

    @abstractmethod
    def read(self, stream: StreamSpec, *, cursor: str | None, resume: Any = None) -> Iterator[Page]:
        """Pages from `cursor` (inclusive, minus the declared overlap), or from `resume` inside an unfinished crawl."""

    def safety(self, stream: StreamSpec, *, updating: bool = False) -> str:
        """What repeating a write of unknown outcome does at the target: A, B, C or D (docs/promises.md).

        `updating` asks about records whose id at the target is known.
        """
        return "D"

    def removals(self, stream: StreamSpec) -> frozenset[str]:
        """Which of `deactivate` and `delete` the target offers for a stream; asks nobody."""
        return frozenset()

    def settle_seconds(self, stream: StreamSpec) -> float:
        """How long the target may still be at work on a write whose answer was lost, before it is asked (class C)."""
        return DEFAULT_SETTLE_SECONDS

    def batch_for(self, stream: StreamSpec) -> int:
        """How many items of a stream are best handed to one call of write()."""
        return self.batch_size

    def write(self, stream: StreamSpec, items: Sequence[WriteItem]) -> Sequence[WriteOutcome]:
        """Write items; one outcome for each, in the same order. A missing answer is 'unsure', never success."""
        raise NotImplementedError

    def find(self, stream: StreamSpec, keys: Sequence[str]) -> dict[str, Record]:
        """What the target holds under these business keys; keys that it does not have are absent."""
        raise NotImplementedError

    def count(self, stream: StreamSpec, *, start: str, end: str) -> int | None:
        """How many records have a cursor from `start` to `end` (empty = open); None where the system cannot tell cheaply."""
        return None

    def ask(self, query: str, *, parameters: Mapping[str, Any], seconds: int) -> Decimal:
        """One number by a read-only query in the system's own language. ConfigError where there is none."""
        raise ConfigError(f"{self.label} takes no queries.", fix="Read one of its streams instead.")

    def quota(self) -> Quota | None:
        """What the answers so far told of a quota; None where the system tells nothing."""
        return None

    def server(self) -> str:
        """The address whose certificate shows who the system is; empty where there is none."""
        return ""

    def close(self) -> None:  # noqa: B027 - most connectors hold nothing open
        """Give back sockets. Safe to call twice."""

    def __enter__(self) -> Connector:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
        if self.limiter:
            self.limiter.close()
