"""Chat rooms by apprise, which knows how each service wants its messages; its requests go through the guarded client.

apprise and what it sends with are imported when a message is sent or an address is checked: most processes never do.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from hub.common.errors import ConfigError
from monitoring.alerts.channels import words
from monitoring.alerts.channels.webhook import guarded_client
from monitoring.models import AlertNotice, AlertRoute

# Services of apprise that post to a chat or a pager over HTTP: scheme → module and class, imported when one is used, because
# all of them together cost a worker a second and much memory. Mail goes by the mail server, other addresses by webhook.
_PLUGINS = {
    "slack": "slack.NotifySlack",
    "workflows": "workflows.NotifyWorkflows",
    "gchat": "google_chat.NotifyGoogleChat",
    "discord": "discord.NotifyDiscord",
    "mmost": "mattermost.NotifyMattermost",
    "mmosts": "mattermost.NotifyMattermost",
    "rocket": "rocketchat.NotifyRocketChat",
    "rockets": "rocketchat.NotifyRocketChat",
    "wxteams": "webexteams.NotifyWebexTeams",
    "webex": "webexteams.NotifyWebexTeams",
    "zulip": "zulip.NotifyZulip",
    "ntfy": "ntfy.NotifyNtfy",
    "ntfys": "ntfy.NotifyNtfy",
    "pagerduty": "pagerduty.NotifyPagerDuty",
    "opsgenie": "opsgenie.NotifyOpsgenie",
    "gotify": "gotify.NotifyGotify",
    "gotifys": "gotify.NotifyGotify",
    "ryver": "ryver.NotifyRyver",
}
TYPES = {"critical": "failure", "warning": "warning", "ok": "success"}


def problem(address: str) -> str:
    """What is wrong with an address, without showing it; empty when it can be used."""
    scheme = address.partition("://")[0].lower()
    if "://" not in address:
        return "Write an address such as slack://TokenA/TokenB/TokenC/Channel."
    if scheme not in _PLUGINS:
        return f"{scheme}:// is no chat that the hub sends to. It knows {', '.join(_PLUGINS)}."
    if _open(address) is None:
        return f"The address has not the parts that {scheme}:// needs."
    return ""


def send(route: AlertRoute, notices: Sequence[AlertNotice], hand_over: Callable[[], uuid.UUID]) -> None:
    address = route.secrets.get("chat", "")
    room = _open(address) if not problem(address) else None
    if room is None:
        raise ConfigError("The address of the chat cannot be used.", where=route.slug, fix="Enter it again.")
    levels = [notice.change.after for notice in notices if notice.change]
    kind = next((TYPES[level] for level in ("critical", "warning", "ok") if level in levels), "info")
    client = guarded_client(route)
    guard: Any = import_module("monitoring.alerts.channels.guard")
    try:
        with guard.guarded(client) as seen:
            hand_over()
            done = room.notify(body=words.body(route, notices), title=words.subject(notices), notify_type=kind)
    finally:
        client.close()
    if not done or seen.error or seen.refused:
        raise seen.why()


def _open(address: str) -> Any:
    """The service behind an address; None where it lacks something."""
    module, _, name = _PLUGINS[address.partition("://")[0].lower()].partition(".")
    plugin: Any = getattr(import_module(f"apprise.plugins.{module}"), name)
    found = plugin.parse_url(address)
    try:
        return plugin(**found) if found else None
    except TypeError:  # how apprise says that a token is missing
        return None
