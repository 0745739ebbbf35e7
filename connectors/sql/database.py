"""One database: reached through a checked address, described once."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import certifi
import psycopg
import pymysql
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.engine import Inspector
from sqlalchemy.pool import QueuePool

from connectors.sql.failures import as_hub_error, translate
from connectors.sql.tables import Table, load
from hub.common.egress import checked_addresses
from hub.common.errors import AuthError, ConfigError, TransientError

if TYPE_CHECKING:
    from connectors.sql.connector import SqlConnector

PORTS = {"postgresql": 5432, "mariadb": 3306}
CONNECT_SECONDS = 5
# a statement that takes longer is given up
STATEMENT_SECONDS = 300
MAX_TABLES = 500


@dataclass(frozen=True, slots=True)
class Location:
    """Where the server is: a checked address, or the folder of a unix socket."""

    host: str
    address: str
    port: int

    @property
    def is_socket(self) -> bool:
        return self.host.startswith("/")

    @property
    def words(self) -> str:
        return f"Unix socket in {self.host}." if self.is_socket else f"{self.host} is {self.address}."


@dataclass
class Database:
    """An engine with what was reflected; `schemas` is empty for the user's default."""

    dialect: str
    engine: Engine
    location: Location
    schemas: tuple[str, ...] = ()
    _tables: dict[str, Table] = field(default_factory=dict)

    @classmethod
    def locate(cls, connector: SqlConnector, seconds: float = CONNECT_SECONDS) -> Location:
        """Resolve and check the host. A unix socket counts as this machine's loopback."""
        section = connector.access
        host, dialect = str(section["host"]), str(section["dialect"])
        port = int(section.get("port") or PORTS[dialect])
        if host.startswith("/"):
            checked_addresses("127.0.0.1", port, connector.allowed_networks, timeout_seconds=seconds)
            return Location(host, host, port)
        addresses = checked_addresses(host, port, connector.allowed_networks, timeout_seconds=seconds)
        return Location(host, addresses[0], port)

    @classmethod
    def open(cls, connector: SqlConnector) -> Database:
        section = connector.access
        location = cls.locate(connector)
        dialect = str(section["dialect"])
        connect = _postgresql if dialect == "postgresql" else _mariadb
        driver = "postgresql+psycopg" if dialect == "postgresql" else "mysql+pymysql"
        seconds = int(connector.limits.get("timeout_seconds", STATEMENT_SECONDS))
        # A failed check must not leave connections behind, and a worker needs no more than two.
        engine = create_engine(
            f"{driver}://",
            creator=connect(section, location, seconds),
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=1,
        )
        listed = section.get("schemas") or connector.config.get("schemas") or ()
        schemas = [part.strip() for part in listed.split(",")] if isinstance(listed, str) else list(listed)
        return cls(dialect, engine, location, tuple(part for part in schemas if part))

    @property
    def is_postgresql(self) -> bool:
        return self.dialect == "postgresql"

    def greet(self, seconds: float) -> str:
        with translate("connect"), self.engine.connect() as db:
            version = str(db.execute(text("select version()")).scalar()).split(",")[0]
        return version if self.is_postgresql else f"MariaDB {version}"

    def who(self) -> str:
        with translate("who am I"), self.engine.connect() as db:
            return str(
                db.execute(text("select current_user" if self.is_postgresql else "select current_user()")).scalar()
            )

    def inspector(self) -> Inspector:
        return inspect(self.engine)

    def table_names(self) -> list[str]:
        """Tables and views, with their schema where several are looked into."""
        with translate("list of tables"):
            inspector = self.inspector()
            found = []
            for schema in self.schemas or (None,):
                names = sorted([*inspector.get_table_names(schema), *inspector.get_view_names(schema)])
                found += [f"{schema}.{name}" if schema else name for name in names]
        return found[:MAX_TABLES]

    def table(self, name: str) -> Table:
        """A table by `name` or `schema.name`. Raises ConfigError that lists near names."""
        if name not in self._tables:
            with translate(f"table {name}"):
                self._tables[name] = load(self, name)
        return self._tables[name]

    def quoted(self, name: str) -> str:
        """The name as an identifier of this dialect; user text never enters a statement unquoted."""
        quote_part = self.engine.dialect.identifier_preparer.quote_identifier
        return ".".join(quote_part(part) for part in name.split(".", 1))


def _postgresql(section: dict[str, Any], location: Location, seconds: int) -> Callable[[], psycopg.Connection[Any]]:
    mode = {"disable": "disable", "require": "require", "verify": "verify-full"}[_tls(section, location)]
    encoding = {"utf8": "utf8", "latin1": "latin1", "cp1252": "win1252"}[section.get("encoding") or "utf8"]

    def connect() -> psycopg.Connection[Any]:
        parameters: dict[str, Any] = {"host": location.host, "port": location.port, "dbname": section["name"]}
        if not location.is_socket:
            parameters |= {"hostaddr": location.address, "sslmode": mode}
        if mode == "verify-full":
            parameters["sslrootcert"] = ssl.get_default_verify_paths().cafile or certifi.where()
        try:
            return psycopg.connect(
                **parameters,
                user=section["user"],
                password=section.get("password") or None,
                connect_timeout=CONNECT_SECONDS,
                application_name="syncline connector",
                options=f"-c TimeZone=UTC -c client_encoding={encoding} -c statement_timeout={seconds * 1000}",
            )
        except psycopg.OperationalError as error:
            raise _refused(error, location) from error

    return connect


def _mariadb(section: dict[str, Any], location: Location, seconds: int) -> Callable[[], Any]:
    tls = _tls(section, location)

    def connect() -> Any:
        try:
            connection = pymysql.Connection(
                **_mariadb_place(location),
                defer_connect=True,
                read_timeout=seconds,
                write_timeout=seconds,
                user=section["user"],
                password=section.get("password") or "",
                database=section["name"],
                charset={"utf8": "utf8mb4", "latin1": "latin1", "cp1252": "latin1"}[section.get("encoding") or "utf8"],
                connect_timeout=CONNECT_SECONDS,
                ssl=_context(tls),
                init_command="set time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE'",
            )
            # the name stands in `host`, so that TLS compares it with the certificate; the socket goes to the address
            connection.connect(None if location.is_socket else _socket(location))
            return connection
        except (pymysql.err.OperationalError, OSError) as error:
            raise _refused(error, location) from error

    return connect


def _mariadb_place(location: Location) -> dict[str, Any]:
    if location.is_socket:
        return {"unix_socket": location.host}
    return {"host": location.host, "port": location.port}


def _socket(location: Location) -> socket.socket:
    return socket.create_connection((location.address, location.port), timeout=CONNECT_SECONDS)


def _context(tls: str) -> ssl.SSLContext | None:
    if tls == "disable":
        return None
    context = ssl.create_default_context()
    context.check_hostname = tls == "verify"
    context.verify_mode = ssl.CERT_REQUIRED if tls == "verify" else ssl.CERT_NONE
    return context


def _tls(section: dict[str, Any], location: Location) -> str:
    local = location.is_socket or location.address.startswith("127.") or location.address == "::1"
    return "disable" if local else str(section.get("tls") or "require")


def _refused(error: Exception, location: Location) -> AuthError | TransientError | ConfigError:
    where = location.host if location.is_socket else f"{location.host}:{location.port}"
    words = str(error).strip().splitlines()[0]
    found = as_hub_error(error, where)
    if isinstance(found, AuthError) or "password" in words.lower() or "Access denied" in words:
        return AuthError(f"The database says: {words}", where=where, fix="Correct user and password of the connection.")
    if "does not exist" in words or "Unknown database" in words:
        return ConfigError(f"The database says: {words}", where=where, fix="Correct the name of the database.")
    return TransientError(
        f"The database cannot be reached: {words}", where=where, fix="Check address, port and firewall."
    )
