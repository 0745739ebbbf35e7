"""What keeps `requests` behind the hub's own client while apprise sends a message.

apprise would open connections of its own to whatever an address names. The one class that its requests are made with is given
our client for the length of one message; elsewhere it is the library's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import BaseAdapter

from hub.common.errors import HubError, PermanentError, UnknownOutcome
from hub.common.http import HttpAnswer, HttpClient
from monitoring.alerts.channels.webhook import refusal


@dataclass(slots=True)
class Seen:
    """What became of the requests of one message."""

    client: HttpClient
    error: HubError | None = None
    refused: int = 0

    def why(self) -> HubError:
        if self.error is not None and self.error.maybe_done:
            return UnknownOutcome(f"The answer of the chat was lost: {self.client.redact(str(self.error))}")
        if self.error is not None:
            return self.error
        return (
            refusal(self.refused, "The chat") if self.refused else PermanentError("The chat did not take the message.")
        )


_seen: ContextVar[Seen | None] = ContextVar("seen", default=None)


class GuardedAdapter(BaseAdapter):
    """Stands where `requests` would open a connection."""

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self.seen = seen

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        body: Any = request.body or b""
        data = body.encode() if isinstance(body, str) else body
        headers = {name: str(value) for name, value in request.headers.items() if name.lower() != "content-length"}
        try:
            answer = self.seen.client.send(str(request.method), str(request.url), headers=headers, body=data)
        except HubError as error:
            self.seen.error = error
            raise requests.ConnectionError(str(error), request=request) from error
        if not 200 <= answer.status < 300:
            self.seen.refused = answer.status
        return _response(request, answer)

    def close(self) -> None:
        """The client is closed by whoever opened it."""


def _response(request: requests.PreparedRequest, answer: HttpAnswer) -> requests.Response:
    found = requests.Response()
    found.status_code, found._content, found.url, found.request = answer.status, answer.body, str(request.url), request
    found.headers.update(answer.headers)
    return found


class _GuardedSession(requests.Session):
    """Within a message every session has the guarded adapter alone; elsewhere it is the library's own."""

    def get_adapter(self, url: str) -> BaseAdapter:
        seen = _seen.get()
        return GuardedAdapter(seen) if seen is not None else super().get_adapter(url)

    def resolve_redirects(self, *args: Any, **kwargs: Any) -> Any:
        return iter(()) if _seen.get() is not None else super().resolve_redirects(*args, **kwargs)


# `requests.post` and its like make their sessions from here.
requests.sessions.Session = _GuardedSession  # type: ignore[misc]


@contextmanager
def guarded(client: HttpClient) -> Iterator[Seen]:
    seen = Seen(client)
    token = _seen.set(seen)
    try:
        yield seen
    finally:
        _seen.reset(token)
