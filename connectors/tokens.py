"""Access tokens that all workers share: whoever finds one used up renews it, alone, and the others wait for what comes.

A renewal stands in a transaction of its own on a database connection of its own. What a system has replaced is kept with
it at once, even when the work that needed the token is rolled back: the old refresh token is dead by then.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError
from django.db import connection as database
from django.db.backends.base.base import BaseDatabaseWrapper

from connectors.models import AccessToken, Connection
from connectors.rest.issued import Issued, Renewal
from hub.common.encryption import decrypt, encrypt
from hub.common.errors import TransientError

# Longer than one sign-in takes, so that who waits gets its token.
WAIT_SECONDS = 75
# A sign-in that was taken back is known after this, and one turn of the tick.
LOOK_SECONDS = 240
_LOCK_SPACE = 0x70EE

MarkOf = Callable[[Mapping[str, str]], str]
SignIn = Callable[[Mapping[str, str]], Renewal]


class TokenStore:
    """The access token of one stored connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._opened_in = connection, threading.get_ident()

    def current(self, mark_of: MarkOf) -> Issued | None:
        """The token that is kept, None when there is none, it is used up, or it was issued for other settings."""
        try:
            with database.cursor() as cursor:
                return self._read(cursor, mark_of)[0]
        finally:
            if threading.get_ident() != self._opened_in:
                # nobody else gives back the database connection of a thread that only sends
                database.close()

    def renew(self, mark_of: MarkOf, refused: int, sign_in: SignIn) -> Issued:
        """A token that is newer than the generation `refused` (0: any). One worker signs in, the others take its token.

        `sign_in` gets the stored secrets as they are by now. Raises what it raises, TransientError when it takes too long.
        """
        try:
            with _own_transaction() as cursor:
                cursor.execute("select set_config('lock_timeout', %s, true)", [f"{WAIT_SECONDS}s"])
                cursor.execute("select pg_advisory_xact_lock(%s, %s)", [_LOCK_SPACE, self._connection.pk])
                found, secrets, generation = self._read(cursor, mark_of)
                if found and found.generation != refused:
                    self._connection.secrets = secrets or self._connection.secrets
                    return found
                return self._sign_in(cursor, mark_of, secrets, generation, sign_in)
        except OperationalError as error:
            raise TransientError(
                "Another worker has not finished signing in.", fix="It is tried again.", code="SIGN_IN_BUSY"
            ) from error

    def _sign_in(
        self, cursor: Any, mark_of: MarkOf, secrets: dict[str, str] | None, generation: int, sign_in: SignIn
    ) -> Issued:
        renewal = sign_in(self._connection.secrets if secrets is None else secrets)
        issued = renewal.issued.numbered(generation + 1)
        if secrets is None:
            self._keep_uncommitted(renewal.replaced)
            return issued
        secrets = {**secrets, **renewal.replaced}
        if renewal.replaced:
            cursor.execute(
                "update connectors_connection set secrets = %s where id = %s", [encrypt(secrets), self._connection.pk]
            )
        self._keep(cursor, issued, mark_of(secrets))
        self._connection.secrets = secrets
        return issued

    def _keep_uncommitted(self, replaced: Mapping[str, str]) -> None:
        """The connection is not committed yet: nobody shares its token, and what was replaced is kept along with it."""
        if not replaced:
            return
        self._connection.secrets = {**self._connection.secrets, **replaced}
        with database.cursor() as cursor:
            cursor.execute(
                "update connectors_connection set secrets = %s where id = %s",
                [encrypt(self._connection.secrets), self._connection.pk],
            )

    def _read(self, cursor: Any, mark_of: MarkOf) -> tuple[Issued | None, dict[str, str] | None, int]:
        """The usable token, the stored secrets (None for a connection that is not committed), the last generation."""
        cursor.execute(
            "select c.secrets, t.sealed, t.mark, t.generation, extract(epoch from t.expires_at - clock_timestamp())"
            " from connectors_connection c left join connectors_accesstoken t on t.connection_id = c.id where c.id = %s",
            [self._connection.pk],
        )
        row = cursor.fetchone()
        if row is None:
            return None, None, 0
        secrets: dict[str, str] = decrypt(bytes(row[0]))
        sealed, mark, generation, seconds = row[1:]
        is_usable = sealed is not None and mark == mark_of(secrets) and (seconds is None or seconds > 0)
        left = math.inf if seconds is None else float(seconds)
        issued = Issued(**decrypt(bytes(sealed)), seconds=left, generation=generation) if is_usable else None
        return issued, secrets, generation or 0

    def _keep(self, cursor: Any, issued: Issued, mark: str) -> None:
        lasts = None if math.isinf(issued.seconds) else issued.seconds
        cursor.execute(
            "insert into connectors_accesstoken (connection_id, sealed, mark, generation, expires_at, tried_at)"
            " values (%(id)s, %(sealed)s, %(mark)s, %(generation)s,"
            "   clock_timestamp() + make_interval(secs => %(lasts)s), now())"
            " on conflict (connection_id) do update set sealed = excluded.sealed, mark = excluded.mark,"
            "   generation = excluded.generation, expires_at = excluded.expires_at, tried_at = excluded.tried_at",
            {
                "id": self._connection.pk,
                "sealed": encrypt({"token": issued.token, "base_url": issued.base_url}),
                "mark": mark,
                "generation": issued.generation,
                "lasts": lasts,
            },
        )


def due_looks() -> list[int]:
    """Connections whose sign-in nobody has looked at for a while, and that are called."""
    with database.cursor() as cursor:
        cursor.execute(
            "select t.connection_id from connectors_accesstoken t join connectors_connection c on c.id = t.connection_id"
            " left join connectors_circuit k on k.connection_id = c.id"
            " where t.tried_at < now() - make_interval(secs => %s) and not c.is_paused"
            " and coalesce(k.state, 'closed') = 'closed' order by t.tried_at",
            [LOOK_SECONDS],
        )
        return [row[0] for row in cursor.fetchall()]


def claim_look(connection_id: int) -> bool:
    """Take the right to look whether a sign-in is still accepted; one worker gets it."""
    with database.cursor() as cursor:
        cursor.execute(
            "update connectors_accesstoken set tried_at = now()"
            " where connection_id = %s and tried_at < now() - make_interval(secs => %s)",
            [connection_id, LOOK_SECONDS],
        )
        return cursor.rowcount == 1


def forget(connection_id: int) -> None:
    """Use the token of a connection no more: it may belong to another account by now."""
    AccessToken.objects.filter(pk=connection_id).update(mark="")


@contextmanager
def _own_transaction() -> Iterator[Any]:
    """A cursor in a transaction of its own, whatever transaction this thread is in."""
    own: BaseDatabaseWrapper = database.copy()
    try:
        own.set_autocommit(False)
        with own.cursor() as cursor:
            yield cursor
        own.commit()
    finally:
        own.close()
