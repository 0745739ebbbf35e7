"""Webhook as a configuration document. Its address belongs to one hub and is not written down."""

from __future__ import annotations

from connectors import secrets
from hub.common import registry
from hub.common.errors import ConfigError
from hub.common.kinds import Attr, ModelKind, Ref
from hub.common.registry import Document, Problem
from hub.sync.models import Sync
from hub.webhooks import schemes, services
from hub.webhooks.models import SECRET_NAMES, Endpoint

COLUMNS = (
    "scheme", "proof_name", "signed_text", "timestamp_name", "encoding", "prefix", "tolerance_seconds", "handshake",
    "event_mode",
    "id_path", "record_path", "time_path", "deleted_path", "deleted_values", "is_active",
)  # fmt: skip


class WebhookKind(ModelKind):
    """Secrets are written down as `${secret:name}`; see connectors.secrets for where their values come from."""

    def extra_dump(self, found: Endpoint) -> Document:
        names = sorted(found.secrets)
        return {"secrets": {name: secrets.placeholder(found.slug, name) for name in names}} if names else {}

    def extra_validate(self, document: Document) -> list[Problem]:
        given = document.get("secrets") or {}
        unknown = [name for name in given if name not in SECRET_NAMES]
        found = [Problem(f"secrets.{n}", f"A webhook has the secrets {' and '.join(SECRET_NAMES)}.") for n in unknown]
        found += [Problem(f"secrets.{name}", sentence) for name, sentence in secrets.problems(given)]
        trial = Endpoint(slug=document["slug"], **{name: document[name] for name in COLUMNS if name in document})
        found += [Problem(name, sentence) for name, sentence in services.problems(trial)]
        return found or list(self._secret_problems(trial.scheme, secrets.resolve(given)))

    def _secret_problems(self, scheme: str, values: dict[str, str]) -> list[Problem]:
        judged = [(name, schemes.secret_problem(scheme, value)) for name, value in values.items()]
        return [Problem(f"secrets.{name}", sentence) for name, sentence in judged if sentence]

    def normal(self, document: Document) -> Document:
        """A secret counts as changed only when its new value is known and differs from the stored one."""
        slug, given = document["slug"], document.get("secrets") or {}
        found = self.get(slug)
        stored = found.secrets if found else {}
        known = {n: v for n, v in sorted(given.items()) if n in stored or secrets.value_of(v) is not None}
        shown = {n: secrets.compare(slug, n, v, stored.get(n)) for n, v in known.items()}
        kept = {n: secrets.placeholder(slug, n) for n in sorted(stored) if n not in given}
        rest = {name: value for name, value in document.items() if name != "secrets"}
        return super().normal({**rest, "secrets": {**shown, **kept}} if shown or kept else rest)

    def proposal(self, document: Document) -> Document:
        found, slug = self.normal(document), document["slug"]
        if shown := found.get("secrets"):
            exported = {name: secrets.placeholder(slug, name) for name in shown}
            found["secrets"] = secrets.for_review(document.get("secrets") or {}, shown, exported)
        return found

    def notes(self, document: Document) -> list[str]:
        """A webhook without a secret refuses every message."""
        found, given = self.get(document["slug"]), secrets.resolve(document.get("secrets") or {})
        if given or (found and found.secrets):
            return []
        name = secrets.variable(f"{document['slug']}.current")
        return [
            f"Webhook {document['slug']}: it has no secret and refuses every message. Set {name} and apply again, or "
            "rotate the secret on the webhook's page."
        ]

    def before_save(self, found: Endpoint, document: Document) -> None:
        found.secrets = {**found.secrets, **secrets.resolve(document.get("secrets") or {})}
        if problems := services.problems(found):
            raise ConfigError(problems[0][1], where=problems[0][0], code="WEBHOOK")


def register() -> None:
    registry.register(
        WebhookKind(
            name="Webhook",
            model=Endpoint,
            after=["Sync"],
            fields=[
                Attr("name", required=True),
                Ref("sync", lambda: Sync, "Sync", required=True),
                *(Attr(name) for name in COLUMNS),
            ],
            extra=["secrets"],
        )
    )
