"""Systems, connections, streams and kinds as programs see them. Secrets go in and never come out."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from connectors import custody, problems, queries, retry_policy, services
from connectors.form_fields import check_time_zone
from connectors.forms import check_slug
from connectors.models import Connection, Stream, System
from connectors.standing import standing
from connectors.stream_forms import check_schema
from hub.accounts.models import Domain, User
from hub.common.egress import parse_networks
from hub.common.errors import HubError


def checked(check: Any, *args: Any, **kwargs: Any) -> Any:
    """Run one of the forms' checks; its sentence becomes the API's."""
    try:
        return check(*args, **kwargs)
    except DjangoValidationError as error:
        raise serializers.ValidationError(error.messages) from None


class SystemSerializer(serializers.ModelSerializer[System]):
    """`slug` is given once; left out, it is made from the name."""

    slug = serializers.SlugField(max_length=60, required=False)
    connection_count = serializers.IntegerField(read_only=True)

    class Meta:
        model = System
        fields = ("slug", "name", "category", "description", "connection_count")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if self.instance is not None:
            attrs.pop("slug", None)
            return attrs
        slug = attrs.get("slug") or queries.free_slug(attrs["name"], System.objects.all()) or "system"
        return {**attrs, "slug": checked(check_slug, slug, taken=System.objects.all())}

    def create(self, validated_data: dict[str, Any]) -> System:
        return self._saved(System(**validated_data))

    def update(self, instance: System, validated_data: dict[str, Any]) -> System:
        for name, value in validated_data.items():
            setattr(instance, name, value)
        return self._saved(instance)

    def _saved(self, system: System) -> System:
        services.save_system(system, by=self.context["request"].user)
        return System.objects.get(slug=system.slug)


class StepSerializer(serializers.Serializer[Any]):
    """One step of a test. `cause` is the system's own words, `fix` what to do."""

    name = serializers.ChoiceField(["resolve", "connect", "authenticate", "read"])
    ok = serializers.BooleanField()
    detail = serializers.CharField()
    cause = serializers.CharField()
    fix = serializers.CharField()
    seconds = serializers.FloatField()


class TestResultSerializer(serializers.Serializer[Any]):
    """What a test found: it stops at the first step that fails."""

    ok = serializers.BooleanField()
    steps = StepSerializer(many=True)


class AccountSerializer(serializers.Serializer[Any]):
    """What is needed to open a connection: enough for a test before anything is stored."""

    catalogue = serializers.CharField(required=False, allow_blank=True, max_length=60, help_text="Name of a kind.")
    protocol = serializers.CharField(
        required=False, allow_blank=True, max_length=20, help_text="In place of `catalogue`: rest, jsonrpc, sql, files."
    )
    config = serializers.DictField(required=False, help_text="Values of the kind's fields that are no secrets.")
    secrets = serializers.DictField(
        child=serializers.CharField(allow_null=True, trim_whitespace=False),
        required=False,
        write_only=True,
        help_text="Values of the secret fields. One that is left out is kept, null removes it.",
    )
    time_zone = serializers.CharField(required=False, max_length=60)
    allowed_networks = serializers.ListField(
        child=serializers.CharField(max_length=50), required=False, help_text="Private networks it may reach, as CIDR."
    )

    def validate_time_zone(self, value: str) -> str:
        checked(check_time_zone, value)
        return value

    def validate_allowed_networks(self, value: list[str]) -> list[str]:
        try:
            return [str(network) for network in parse_networks(tuple(value))]
        except HubError as error:
            raise serializers.ValidationError(str(error)) from None

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The values with what is stored, checked as the configuration files are."""
        attrs = super().validate(attrs)
        found = self.instance if isinstance(self.instance, Connection) else None
        if found is None:
            attrs = {"catalogue": "", "protocol": "", "config": {}, **attrs}
            attrs.setdefault("time_zone", queries.declared_time_zone(attrs["catalogue"]))
        elif not {"config", "secrets"} & attrs.keys():
            return attrs
        self._refuse_problems(attrs, found)
        if found is not None:
            self._refuse_moved(found, attrs)
        return attrs

    def _refuse_problems(self, attrs: dict[str, Any], found: Connection | None) -> None:
        stored = found.secrets if found else {}
        secrets = {name: value for name, value in {**stored, **attrs.get("secrets", {})}.items() if value}
        source = found if found is not None else attrs
        kind = {name: _get(source, name) for name in ("catalogue", "protocol")}
        config = attrs.get("config", found.config if found else {})
        found_wrong = problems.declaration_problems({**kind, "config": config, "secrets": secrets})
        found_wrong = found_wrong or problems.secret_problems(**kind, config=config, secrets=secrets)
        if found_wrong:
            raise serializers.ValidationError({problem.path: [problem.sentence] for problem in found_wrong})

    def _refuse_moved(self, found: Connection, attrs: dict[str, Any]) -> None:
        if not custody.is_moved(found, attrs.get("config", found.config)):
            return
        missing = sorted(found.secrets.keys() - attrs.get("secrets", {}).keys())
        if missing:
            text = "Send it again: a stored secret is not sent to another address or account."
            raise serializers.ValidationError({f"secrets.{name}": [text] for name in missing})


def _get(source: Any, name: str) -> Any:
    return source.get(name, "") if isinstance(source, dict) else getattr(source, name)


class PauseReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")


class CircuitSerializer(serializers.Serializer[Any]):
    """Why a connection stands still. `waiting_syncs` and `kept_deliveries` go on when it closes."""

    state = serializers.ChoiceField(["open", "half_open", "paused_auth"], source="circuit.state")
    since = serializers.DateTimeField(source="circuit.since")
    error = serializers.CharField(source="circuit.error")
    tried_at = serializers.DateTimeField(source="circuit.tried_at", allow_null=True)
    next_try_at = serializers.DateTimeField(source="circuit.probe_at", allow_null=True)
    waiting_syncs = serializers.IntegerField(source="waiting.syncs")
    kept_deliveries = serializers.IntegerField(source="waiting.deliveries")


class ConnectionSerializer(AccountSerializer, serializers.ModelSerializer[Connection]):
    """The kind (`catalogue` or `protocol`) and the slug are given once. `secrets` is never sent back."""

    slug = serializers.SlugField(max_length=60, required=False)
    system = serializers.SlugRelatedField("slug", queryset=System.objects.all())
    domain = serializers.SlugRelatedField("slug", queryset=Domain.objects.all(), allow_null=True, required=False)
    owner = serializers.SlugRelatedField(
        "email", queryset=User.objects.filter(is_active=True), allow_null=True, required=False
    )
    retry = serializers.DictField(
        required=False, help_text="When failed deliveries are tried again, as far as it differs from the usual."
    )
    stored_secrets = serializers.SerializerMethodField(help_text="Names of the secrets that are set.")
    stream_count = serializers.IntegerField(read_only=True)
    signed_in_as = serializers.SerializerMethodField(help_text="The account's own name, as the last test told it.")
    circuit = serializers.SerializerMethodField(help_text="Null while the system is called.")

    class Meta:
        model = Connection
        fields = (
            "slug", "name", "system", "domain", "owner", "catalogue", "protocol", "config", "secrets", "stored_secrets",
            "time_zone", "allowed_networks", "is_paused", "pause_reason", "paused_at", "failure_limit", "retry",
            "secret_expires_date", "circuit",
            "status", "status_detail", "signed_in_as", "checked_at", "check_steps", "stream_count", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = (
            "is_paused", "pause_reason", "paused_at", "status", "status_detail", "checked_at", "check_steps",
            "created_at", "updated_at",
        )  # fmt: skip

    @extend_schema_field(CircuitSerializer(allow_null=True))
    def get_circuit(self, found: Connection) -> dict[str, Any] | None:
        stands = standing(found)
        return CircuitSerializer(stands).data if stands else None

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_stored_secrets(self, found: Connection) -> list[str]:
        return sorted(found.secrets)

    def get_signed_in_as(self, found: Connection) -> str:
        return queries.signed_in_as(found)

    def validate_retry(self, value: dict[str, Any]) -> dict[str, Any]:
        if found := retry_policy.problems(value):
            raise serializers.ValidationError([f"{problem.path}: {problem.sentence}" for problem in found])
        return retry_policy.short(value)

    def validate_domain(self, domain: Domain | None) -> Domain | None:
        """Nothing is put where one may not edit; what belongs to the whole firm needs a role for all domains."""
        ids = self.context["request"].user.domain_ids_for(queries.EDIT)
        if ids is not None and (domain is None or domain.pk not in ids):
            raise serializers.ValidationError("Your roles do not let you edit connections of this domain.")
        return domain

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if self.instance is not None:
            attrs = {name: value for name, value in attrs.items() if name not in ("slug", "catalogue", "protocol")}
            return super().validate(attrs)
        self.validate_domain(attrs.get("domain"))
        slug = attrs.get("slug") or queries.free_slug(attrs["name"])
        attrs["slug"] = checked(check_slug, slug, taken=Connection.objects.all())
        return super().validate(attrs)

    def create(self, validated_data: dict[str, Any]) -> Connection:
        secrets = validated_data.pop("secrets", {})
        found = Connection(**validated_data)
        found.protocol = services.protocol_of(validated_data)
        return services.save_connection(found, secrets=secrets, by=self.context["request"].user)

    def update(self, instance: Connection, validated_data: dict[str, Any]) -> Connection:
        secrets = validated_data.pop("secrets", {})
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.protocol = services.protocol_of({"catalogue": instance.catalogue, "config": instance.config,
                                                  "protocol": instance.protocol})  # fmt: skip
        return services.save_connection(instance, secrets=secrets, by=self.context["request"].user)


class FieldInfoSerializer(serializers.Serializer[Any]):
    """A field that an object has."""

    path = serializers.CharField()
    type = serializers.CharField(default="string")
    title = serializers.CharField(allow_blank=True, default="")
    required = serializers.BooleanField(default=False)  # type: ignore[assignment]
    example = serializers.CharField(allow_blank=True, default="")
    max_length = serializers.IntegerField(default=0)
    options = serializers.ListField(child=serializers.CharField(), default=list)


class StreamInfoSerializer(serializers.Serializer[Any]):
    """An object type that a connection offers. `safety` says what a repeated write does (A to D)."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    fields = FieldInfoSerializer(many=True)  # type: ignore[assignment]
    key = serializers.ListField(child=serializers.CharField())
    cursor = serializers.CharField()
    readable = serializers.BooleanField()
    writable = serializers.BooleanField()
    safety = serializers.CharField()


class StreamSerializer(serializers.ModelSerializer[Stream]):
    """Without `fields`, the system is asked what the object looks like; what is sent goes before what it says."""

    connection = serializers.SlugRelatedField("slug", queryset=Connection.objects.none())
    slug = serializers.SlugField(max_length=80, required=False)
    key_fields = serializers.ListField(child=serializers.CharField(max_length=120), required=False, allow_empty=False)
    fields = FieldInfoSerializer(many=True, required=False)  # type: ignore[assignment]

    class Meta:
        model = Stream
        fields = (
            "slug", "connection", "name", "label", "key_fields", "cursor_field", "page_size", "options", "fields",
            "source_schema", "discovered_at",
        )  # fmt: skip
        read_only_fields = ("discovered_at",)
        # the same name again is answered with a sentence below
        validators: list[Any] = []

    def get_fields(self) -> dict[str, Any]:
        """Only connections that the person may edit can be named."""
        found = super().get_fields()
        if request := self.context.get("request"):
            connections = queries.connections_for(request.user, queries.EDIT)
            found["connection"] = serializers.SlugRelatedField("slug", queryset=connections)
        return found

    def validate_source_schema(self, schema: Any) -> Any:
        if schema:
            checked(check_schema, schema)
        return schema

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if self.instance is not None:
            return {name: value for name, value in attrs.items() if name not in ("slug", "connection", "name")}
        if attrs["connection"].streams.filter(name=attrs["name"]).exists():
            raise serializers.ValidationError({"name": [f"{attrs['name']!r} is chosen already."]})
        draft = Stream(connection=attrs["connection"], name=attrs["name"])
        slug = attrs.get("slug") or queries.stream_slug(draft)
        return {**attrs, "slug": checked(check_slug, slug, taken=Stream.objects.all())}

    def create(self, validated_data: dict[str, Any]) -> Stream:
        return services.choose_object(by=self.context["request"].user, **validated_data)

    def update(self, instance: Stream, validated_data: dict[str, Any]) -> Stream:
        return services.change_stream(instance, by=self.context["request"].user, **validated_data)


class KindFieldSerializer(serializers.Serializer[Any]):
    """A field of a kind's form; `secret` fields belong under `secrets`, the others under `config`."""

    name = serializers.CharField()
    title = serializers.CharField()
    help = serializers.CharField()
    type = serializers.CharField()
    format = serializers.CharField()
    required = serializers.BooleanField()  # type: ignore[assignment]
    secret = serializers.BooleanField()
    default = serializers.JSONField(allow_null=True)
    example = serializers.JSONField()
    enum = serializers.ListField()
    pattern = serializers.CharField()


class KindSerializer(serializers.Serializer[Any]):
    """A kind of connection, such as `catalogue:netsuite` or `protocol:rest`."""

    kind = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    category = serializers.CharField()
    catalogue = serializers.CharField(help_text="What to send as `catalogue`.")
    protocol = serializers.CharField(help_text="What to send as `protocol` where `catalogue` is empty.")
    description = serializers.CharField()
    docs = serializers.CharField()
    fields = KindFieldSerializer(many=True)  # type: ignore[assignment]
