"""Mail by the server that HUB_EMAIL_URL names. Opening the connection is not yet sending."""

from __future__ import annotations

import smtplib
import uuid
from collections.abc import Callable, Sequence
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from hub.common.errors import ConfigError, PermanentError, TransientError, UnknownOutcome
from monitoring.alerts.channels import words
from monitoring.models import AlertNotice, AlertRoute


def send(route: AlertRoute, notices: Sequence[AlertNotice], hand_over: Callable[[], uuid.UUID]) -> None:
    if not settings.EMAIL_HOST:
        raise ConfigError(
            "The hub has no mail server.", fix="Set HUB_EMAIL_URL to smtp://user:password@host:587?tls=1."
        )
    server = get_connection()
    try:
        server.open()
    except (OSError, smtplib.SMTPException) as error:
        raise TransientError(f"The mail server does not take the sign-in or does not answer: {error}") from error
    try:
        message = hand_over()
        _message(route, notices, message, server).send()
    except smtplib.SMTPServerDisconnected as error:
        raise UnknownOutcome(f"The mail server hung up while it was handed the mail: {error}") from error
    except smtplib.SMTPRecipientsRefused as error:
        raise PermanentError(f"The mail server refuses {', '.join(error.recipients)}.") from error
    except smtplib.SMTPException as error:
        raise TransientError(f"The mail server refuses the mail: {error}") from error
    except OSError as error:
        raise UnknownOutcome(f"The mail server stopped answering while it was handed the mail: {error}") from error
    finally:
        server.close()


def _message(route: AlertRoute, notices: Sequence[AlertNotice], message: uuid.UUID, server: Any) -> EmailMessage:
    """Its Message-ID is the notice's own, so that a repetition by hand is recognised."""
    host = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "syncline"
    return EmailMessage(
        " ".join(words.subject(notices).split())[:240],
        words.body(route, notices),
        settings.DEFAULT_FROM_EMAIL,
        list(route.mail),
        headers={"Message-ID": f"<{message}@{host}>", "Auto-Submitted": "auto-generated"},
        connection=server,
    )
