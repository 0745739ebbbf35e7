"""What a database's refusal means: by SQLSTATE for PostgreSQL, by number for MariaDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pymysql
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from hub.common.errors import AuthError, ConfigError, HubError, RecordError, TransientError

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_TRANSIENT_CLASSES = ("08", "40", "53", "55", "57")
_RECORD_CLASSES = ("22", "23")
_AUTH = ("28P01", "28000", 1045, 1044)
# https://mariadb.com/kb/en/mariadb-error-code-reference/
_TRANSIENT_NUMBERS = (1040, 1205, 1213, 2002, 2003, 2006, 2013)
# Refused by the driver, which gives no code: a NUL character, a number that is too large.
_DATA_ERRORS = (psycopg.DataError, pymysql.err.DataError)
# A policy of the table refuses this row; without such a policy the same code means the whole table.
_NO_RIGHT, _ROW_POLICY = "42501", "row-level security"
_RECORD_NUMBERS = (1048, 1062, 1264, 1265, 1292, 1366, 1406, 1451, 1452, 4025)


class CommitUnknown(Exception):
    """The connection broke while the commit was on its way."""


def code_of(error: BaseException) -> str | int:
    """SQLSTATE (PostgreSQL) or error number (MariaDB); empty when the error carries none."""
    original = getattr(error, "orig", None) or error
    state = getattr(original, "sqlstate", None)
    if state:
        return str(state)
    arguments = getattr(original, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else ""


def as_hub_error(error: BaseException, where: str) -> HubError:
    code = code_of(error)
    words = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    what = f"The database says: {words}"
    if code in _AUTH or "password authentication failed" in words:
        return AuthError(what, where=where, fix="Correct user and password of the connection.")
    if _is_record(code, words) or isinstance(getattr(error, "orig", None) or error, _DATA_ERRORS):
        return RecordError(what, where=where, fix="Correct the value, or the mapping.", code="REFUSED_BY_TARGET")
    if _is_transient(code, error):
        return TransientError(what, where=where, fix="It is tried again.")
    return ConfigError(what, where=where, fix="Correct the stream, the mapping or the user's rights.", code="SQL")


def _is_record(code: str | int, words: str) -> bool:
    if code == _NO_RIGHT:
        return _ROW_POLICY in words
    return code in _RECORD_NUMBERS if isinstance(code, int) else code[:2] in _RECORD_CLASSES


def _is_transient(code: str | int, error: BaseException) -> bool:
    if isinstance(code, int):
        return code in _TRANSIENT_NUMBERS
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return not code or lost or code[:2] in _TRANSIENT_CLASSES


@contextmanager
def translate(where: str, *, ignore: type[BaseException] | tuple[type[BaseException], ...] = ()) -> Iterator[None]:
    """Database errors as the hub's own; those in `ignore` are swallowed."""
    try:
        yield
    except ignore:
        return
    except SQLAlchemyError as error:
        raise as_hub_error(error, where) from error
