"""Value maps and their entries as programs see them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from hub.accounts.models import Domain
from hub.accounts.queries import domains_for
from mappings.models import ValueMap
from mappings.services import dump_entries, entry_problems
from mappings.value_map_csv import MAX_BYTES, MAX_ROWS
from mappings.value_map_forms import RESERVED


class ValueMapSerializer(serializers.ModelSerializer[ValueMap]):
    """A map's own settings. `revision` rises with every change of the table; `slug` is given once."""

    domain = serializers.SlugRelatedField("slug", queryset=Domain.objects.all(), allow_null=True, required=False)
    entry_count = serializers.IntegerField(read_only=True, default=0)

    class Meta:
        model = ValueMap
        fields: tuple[str, ...] = (
            "slug", "name", "description", "domain", "on_unmapped", "default", "revision", "entry_count", "updated_at",
        )  # fmt: skip
        read_only_fields = ("revision", "updated_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Only domains in which the person may change value maps can be named."""
        super().__init__(*args, **kwargs)
        request = self.context.get("request")
        if request is not None and request.user.is_authenticated:
            self.fields["domain"].queryset = domains_for(request.user, "valuemaps.edit")  # type: ignore[attr-defined]
        if isinstance(self.instance, ValueMap):
            self.fields["slug"].read_only = True

    def validate_slug(self, slug: str) -> str:
        if slug in RESERVED:
            raise serializers.ValidationError(f"{slug!r} is the address of a page. Choose another slug.")
        return slug

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        said = {name: attrs.get(name, getattr(self.instance, name, None)) for name in self.Meta.fields}
        is_firm_wide = self.context["request"].user.domain_ids_for("valuemaps.edit") is None
        if said["domain"] is None and not is_firm_wide:
            sentence = "A value map of the whole firm needs a role for all domains. Name one of your domains."
            raise serializers.ValidationError({"domain": [sentence]})
        if said["on_unmapped"] == ValueMap.Unmapped.DEFAULT and not said["default"]:
            sentence = "Name the default value, or choose what else happens."
            raise serializers.ValidationError({"default": [sentence]})
        return attrs


class ValueMapEntrySerializer(serializers.Serializer[Any]):
    """One entry; both dates are inclusive, a missing one is open."""

    source = serializers.CharField(max_length=200)  # type: ignore[assignment]
    target = serializers.CharField(max_length=200, allow_blank=True)
    valid_from = serializers.DateField(required=False, allow_null=True)
    valid_to = serializers.DateField(required=False, allow_null=True)


class ValueMapDetailSerializer(ValueMapSerializer):
    """A map with its entries."""

    entries = serializers.SerializerMethodField()

    class Meta(ValueMapSerializer.Meta):
        fields = (*ValueMapSerializer.Meta.fields, "entries")

    @extend_schema_field(ValueMapEntrySerializer(many=True))
    def get_entries(self, value_map: ValueMap) -> list[dict[str, Any]]:
        return dump_entries(value_map)


class ValueMapTableSerializer(serializers.Serializer[Any]):
    """All entries of a map, as of a revision. Entries left out of what is sent are removed.

    With `seen_revision`, nothing is saved when the map was changed after that revision.
    """

    entries = ValueMapEntrySerializer(many=True, max_length=MAX_ROWS)  # type: ignore[call-arg]  # of the list
    seen_revision = serializers.IntegerField(required=False, write_only=True)
    revision = serializers.IntegerField(read_only=True)

    def validate_entries(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """`errors` name the entries by their places, from 0."""
        if found := entry_problems(entries):
            raise serializers.ValidationError([f"{path}: {sentence}" for path, sentence in found])
        return entries


class ValueMapImportSerializer(serializers.Serializer[Any]):
    """A table as CSV text, with the headings source, target, valid_from and valid_to. All of it comes in, or nothing."""

    csv = serializers.CharField(max_length=MAX_BYTES, trim_whitespace=False)
    remove_others = serializers.BooleanField(default=False, help_text="Remove the entries that the text lacks.")
    apply = serializers.BooleanField(default=False, help_text="False only shows what would change.")
    seen_revision = serializers.IntegerField(
        required=False, help_text="The revision that was looked at: nothing is applied when the map has changed since."
    )


class ValueMapChangeSerializer(serializers.Serializer[Any]):
    before = ValueMapEntrySerializer()
    after = ValueMapEntrySerializer()


class ValueMapPlanSerializer(serializers.Serializer[Any]):
    """What an import changes, or with `applied` has changed."""

    applied = serializers.BooleanField()
    added = ValueMapEntrySerializer(many=True)
    changed = ValueMapChangeSerializer(many=True)
    removed = ValueMapEntrySerializer(many=True)
    unchanged = serializers.IntegerField()
    revision = serializers.IntegerField()
