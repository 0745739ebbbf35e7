"""What the frame around every page needs; computed only when a template asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from hub.common import nav

ENVIRONMENTS = {"prod": "PROD", "test": "TEST", "dev": "DEV", "demo": "DEMO"}
PRODUCT = "Syncline"


@dataclass(frozen=True, slots=True)
class Shell:
    """`shell` in templates: environment, firm, navigation and how this person likes to see things."""

    request: HttpRequest

    @property
    def _user(self) -> Any:
        return getattr(self.request, "user", None)

    @property
    def environment(self) -> str:
        """prod, test, dev or demo; anything else is treated with the care that prod gets."""
        return settings.HUB_ENVIRONMENT if settings.HUB_ENVIRONMENT in ENVIRONMENTS else "prod"

    @property
    def environment_word(self) -> str:
        return ENVIRONMENTS.get(settings.HUB_ENVIRONMENT, settings.HUB_ENVIRONMENT.upper()[:12])

    @property
    def favicon(self) -> str:
        return "img/favicon.svg" if self.environment == "dev" else f"img/favicon-{self.environment}.svg"

    @property
    def firm(self) -> str:
        return settings.HUB_FIRM if settings.HUB_FIRM != PRODUCT else "Integration hub"

    @property
    def theme(self) -> str:
        return getattr(self._user, "theme", "auto")

    @property
    def next_theme(self) -> str:
        """What the theme button asks for; the page's script knows better when the theme follows the device."""
        return "light" if self.theme == "dark" else "dark"

    @property
    def density(self) -> str:
        return getattr(self._user, "density", "default")

    @property
    def time_style(self) -> str:
        return getattr(self._user, "time_style", "local")

    @property
    def shortcuts(self) -> bool:
        return getattr(self._user, "single_key_shortcuts", True)

    @property
    def nav(self) -> list[tuple[str, list[nav.Link]]]:
        return nav.links_for(self.request)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor."""
    return {"shell": Shell(request)}
