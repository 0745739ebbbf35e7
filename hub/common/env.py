"""Reading the environment: a wrong value is a sentence at start, never a surprise later."""

from __future__ import annotations

import base64
import json
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def envstr(name: str, default: str) -> str:
    """The variable, or the content of the file that `<NAME>_FILE` names (secrets mounted as files)."""
    if path := os.environ.get(f"{name}_FILE"):
        return Path(path).read_text().strip()
    return os.environ.get(name) or default


def envbool(name: str, default: bool) -> bool:
    value = os.environ.get(name)
    if value is None:
        return default
    if value.lower() in TRUE | FALSE:
        return value.lower() in TRUE
    raise ImproperlyConfigured(f"{name}={value!r} is neither yes nor no. Use 1 or 0.")


def envint(name: str, default: int) -> int:
    value = os.environ.get(name) or str(default)
    if value.isdigit():
        return int(value)
    raise ImproperlyConfigured(f"{name}={value!r} is not a whole number.")


def envlist(name: str, default: list[str]) -> list[str]:
    value = envstr(name, "")
    return [part.strip() for part in value.split(",") if part.strip()] if value else list(default)


def database_from_url(url: str, *, role: str) -> dict[str, Any]:
    """Django's settings for a postgresql:// URL; `role` owner works as the URL's user, web and engine step down."""
    options: dict[str, Any] = {"application_name": f"syncline {os.environ.get('HUB_PROCESS', role)}"}
    if role not in {"owner", "web", "engine"}:
        raise ImproperlyConfigured(f"HUB_DB_ROLE={role!r} is unknown. Use owner, web or engine.")
    if role != "owner" and os.environ.get("HUB_DB_ROLES", "on") != "off":
        # The engine's statements all go by key. On tables that grow from nothing the planner's first guess is a scan.
        by_key = " -c enable_seqscan=off" if role == "engine" else ""
        options["options"] = f"-c role=syncline_{role}{by_key}"
    if role == "web":
        options["pool"] = {"min_size": 1, "max_size": 8, "timeout": 10}
    parts = urlsplit(url or "postgresql:///syncline")
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ImproperlyConfigured(f"DATABASE_URL starts with {parts.scheme!r}. Syncline needs PostgreSQL.")
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    host = query.pop("host", None) or parts.hostname or ""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or query.pop("user", "") or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or query.pop("port", "") or ""),
        "OPTIONS": options | query,
        "DISABLE_SERVER_SIDE_CURSORS": False,
        "TEST": {"NAME": f"{unquote(parts.path.lstrip('/'))}_test"},
    }


def email_from_url(url: str) -> tuple[str, int, str, str, bool, bool]:
    """(host, port, user, password, STARTTLS, TLS from the start) of smtp://user:password@host:587?tls=1 or smtps://…

    No host where there is no mail server.
    """
    if not url:
        return "", 25, "", "", False, False
    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ImproperlyConfigured(
            "HUB_EMAIL_URL is no address of a mail server. Use smtp://user:password@host:587?tls=1."
        )
    is_tls = parts.scheme == "smtp" and (parse_qs(parts.query).get("tls") or ["0"])[-1].lower() in TRUE
    port = parts.port or (465 if parts.scheme == "smtps" else 587 if is_tls else 25)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return parts.hostname, port, user, password, is_tls, parts.scheme == "smtps"


def local_secrets(data: Path) -> dict[str, Any]:
    """Keys of this hub, made on first use and kept beside its data with mode 600."""
    path = data / "secrets.json"
    try:
        return _strong(json.loads(path.read_text()), path)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"The hub's keys cannot be read: {error} ({path}). Restore that file.") from None
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = {
        "secret_key": secrets.token_urlsafe(48),
        "field_keys": [base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()],
    }
    partial = data / f"secrets.json.{os.getpid()}"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(made, file)
    try:
        os.link(partial, path)  # fails when another process was faster: then its keys are the keys
    except FileExistsError:
        made = json.loads(path.read_text())
    partial.unlink()
    return made


def _strong(found: dict[str, Any], path: Path) -> dict[str, Any]:
    key = os.environ.get("HUB_SECRET_KEY") or found.get("secret_key", "")
    if len(key) < 32:
        raise ImproperlyConfigured(f"The secret key has {len(key)} characters ({path}). Use 32 or more random ones.")
    return found
