"""The ways out: mail by the firm's mail server, webhooks and chat through the hub's guarded client."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from monitoring.alerts.channels import chat, mail, webhook
from monitoring.models import AlertNotice, AlertRoute

# Called right before the message leaves; gives it its id.
HandOver = Callable[[], uuid.UUID]

_CHANNELS = {"mail": mail.send, "webhook": webhook.send, "chat": chat.send}


def deliver(route: AlertRoute, channel: str, notices: Sequence[AlertNotice], *, hand_over: HandOver) -> None:
    """Send the notices of one channel as one message.

    Raises UnknownOutcome when nobody can say whether it arrived, any other HubError when it did not.
    """
    _CHANNELS[channel](route, notices, hand_over)
