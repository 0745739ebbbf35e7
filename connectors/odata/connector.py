"""The connector for OData V4 services: the REST connector, with streams that are described by entity set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from connectors.catalog import Declaration
from connectors.declaration_schema import suggest
from connectors.declared import field_infos, key_fields
from connectors.failures import read_error
from connectors.odata.expansion import expand, expand_stream
from connectors.odata.finding import ODataFinder
from connectors.odata.metadata import Model, Property, parse_metadata
from connectors.odata.reading import ODataCrawl
from connectors.odata.writing import ODataWriter, Service
from connectors.rest.client import ApiClient
from connectors.rest.connector import RestConnector
from connectors.rest.finding import Finder
from connectors.rest.open_jobs import OpenJobs, Patience
from connectors.rest.reading import Crawl
from connectors.rest.writing import Writer
from connectors.template import render_text
from hub.common.errors import ConfigError
from hub.common.records import FieldInfo, StreamInfo, StreamSpec

EXACT = "application/json;odata.metadata=minimal;IEEE754Compatible=true"
PLAIN = "application/json;odata.metadata=minimal"


class ODataClient(ApiClient):
    """Says in every request which version is spoken, and whether decimals travel as text."""

    def __init__(self, connector: ODataConnector, **more: Any) -> None:
        super().__init__(connector, **more)
        section = connector.odata
        accept = EXACT if section.get("decimals_as_text") else PLAIN
        spoken = {"Accept": accept, "OData-Version": "4.0", "OData-MaxVersion": section.get("max_version", "4.0")}
        self._headers = {**spoken, **self._headers}


class ODataConnector(RestConnector):
    """Streams that the declaration does not name are those of the service's own description, where one is declared."""

    protocol: ClassVar[str] = "odata"
    label: ClassVar[str] = "OData V4"
    client_class = ODataClient

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, str], declaration: Declaration) -> None:
        super().__init__(config, secrets, expand(declaration))

    @property
    def odata(self) -> Mapping[str, Any]:
        """What the declaration says about the service as a whole."""
        section: Mapping[str, Any] = self.declaration.body.get("odata", {})
        return section

    @cached_property
    def root(self) -> str:
        """The address that `$metadata` and `$batch` hang on."""
        stated = self.odata.get("root")
        return render_text(stated, self.scope, where="odata.root").rstrip("/") if stated else self.api.base_url

    @cached_property
    def model(self) -> Model:
        """What the service says about itself; nothing where the declaration does not want it asked."""
        if not self.odata.get("metadata"):
            return Model()
        reply = self.api.send("GET", f"{self.root}/$metadata", headers={"Accept": "application/xml"})
        if reply.failure:
            raise read_error(reply.failure)
        return parse_metadata(reply.answer.body, where=reply.answer.where)

    # --- streams ---------------------------------------------------------------------------------------------------

    def declared_stream(self, spec: StreamSpec) -> Mapping[str, Any]:
        streams = self.declaration.streams
        section: Mapping[str, Any] | None = streams.get(spec.name) or self._described(spec.name)
        if section is None:
            offered = [*streams, *self.model.sets]
            raise ConfigError(
                f"{self.declaration.label} has no stream {spec.name!r}.{suggest(spec.name, offered)}",
                where=self.declaration.source,
                code="STREAM",
            )
        if spec.cursor and "incremental" not in section and "entity_set" in section:
            # the account's own choice, where a service has no field for it that all accounts share
            chosen = {**section.get("query", {})}
            chosen.pop("$orderby", None)
            return expand_stream({**section, "query": chosen, "incremental": {"cursor": spec.cursor, "ordered": True}})
        return section

    def _described(self, name: str) -> dict[str, Any] | None:
        """A stream made of the service's own description: read by its key, changes by the first known time field."""
        entity = self.model.sets.get(name)
        if entity is None:
            return None
        names = [each.name for each in entity.properties]
        cursor = next((each for each in self.odata.get("cursor_fields", ()) if each in names), None)
        stream: dict[str, Any] = {
            **self.declaration.body.get("defaults", {}),
            "entity_set": name,
            "key": list(entity.key),
            "fields": {each.name: each.declared() for each in entity.properties},
        }
        if cursor and "incremental" not in stream:
            stream["incremental"] = {"cursor": cursor, "ordered": True}
        return expand_stream(stream)

    def discover(self) -> Sequence[StreamInfo]:
        named = [self._enriched(name, stream) for name, stream in self.declaration.streams.items()]
        taken = {stream.get("entity_set") for stream in self.declaration.streams.values()}
        offered = self.model.sets if self.odata.get("metadata") == "all" else ()
        others = [name for name in offered if name not in taken]
        return [*named, *(self._describe(name, self._described(name) or {}) for name in others)]

    def _enriched(self, name: str, stream: Mapping[str, Any]) -> StreamInfo:
        """A declared stream with the fields that only this account's service has."""
        info = self._describe(name, stream)
        entity = self.model.sets.get(str(stream.get("entity_set")))
        if entity is None:
            return info
        known = {each.path for each in info.fields}
        own = [each for each in entity.properties if each.name not in known]
        return replace(info, fields=[*info.fields, *_infos(own)], key=info.key or entity.key)

    # --- what is particular to OData ---------------------------------------------------------------------------------

    def _crawl(self, stream: StreamSpec, section: Mapping[str, Any], cursor: str | None, resume: Any) -> Crawl:
        crawl = ODataCrawl(self.api, self.source(stream, section), self.scope, cursor, resume)
        crawl.key = key_fields(section, stream)
        return crawl

    def _finder(self, stream: StreamSpec, section: Mapping[str, Any]) -> Finder:
        return ODataFinder(self.api, section, self.scope, self._reader(stream, section), key_fields(section))

    def _writer(self, stream: StreamSpec, section: Mapping[str, Any], finder: Finder | None) -> Writer:
        return ODataWriter(
            *(self.api, section, self.scope, finder, self._pool),
            open_jobs=OpenJobs(self._book, stream.name, Patience.of(self.limits)),
            service=Service(key_fields(section), self.root, bool(self.odata.get("decimals_as_text"))),
        )


def _infos(properties: Sequence[Property]) -> tuple[FieldInfo, ...]:
    return field_infos({"fields": {each.name: each.declared() for each in properties}})
