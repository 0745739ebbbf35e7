"""Array parameters written as one text mean what the driver's own arrays mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.common.db import plain_cursor
from hub.records.copying import ids, texts

pytestmark = pytest.mark.django_db

words = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)


@given(st.lists(words | st.sampled_from(["", "null", '"', "\\", "{a,b}", " x ", 'a"b\\c', "\n"]), max_size=6))
def test_texts_arrive_as_they_were(values: list[str]) -> None:
    with plain_cursor() as cursor:
        assert cursor.execute("select %s::text[]", [texts(values)]).fetchone() == (values,)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=6))
def test_ids_arrive_as_they_were(values: list[int]) -> None:
    with plain_cursor() as cursor:
        assert cursor.execute("select %s::bigint[]", [ids(values)]).fetchone() == (values,)
