"""The rendered columns are declared once: what Python sends fits what the functions take, in number, order and type."""

from __future__ import annotations

import re

import pytest

from postern.model.item_store import RenderedItem
from postern.protocols.mime.message import render
from postern.store.columns import COLUMNS, ITEM_COLUMNS, arrays, filled
from postern.store.migrations import functions


def test_each_column_is_sent_and_declared_once() -> None:
    assert len({(column.table, column.name) for column in COLUMNS}) == len(COLUMNS)
    assert len(arrays([render(b"Subject: a\r\n\r\nb\r\n")] * 2)) == len(COLUMNS)
    assert filled("f(%{parameters})").count("[]") == len(COLUMNS)


def test_each_value_of_a_named_item_is_sent_and_declared_once() -> None:
    assert len(arrays([RenderedItem()] * 2, ITEM_COLUMNS)) == len(ITEM_COLUMNS)
    assert filled("f(%{resources parameters})").count("[]") == len(ITEM_COLUMNS)
    assert filled("%{texts updates}") == "fields = excluded.fields, body = excluded.body"
    values = filled("%{resources values}")
    assert "nullif(g.starts, (-9223372036854775808)::bigint)" in values, "a time that is none is sent as a number"
    assert "string_to_array(g.addresses, chr(10))" in values


def test_a_fragment_names_the_columns_of_its_table() -> None:
    assert filled("(%{texts columns}) (%{texts arrays}) (%{texts values})") == (
        "(fields, body) (texts_fields, texts_body) (g.fields, g.body)"
    )
    assert "g.is_reply <> 0" in filled("%{contents values}"), "a boolean is sent as a number"
    with pytest.raises(KeyError):
        filled("%{contents nothing}")


def test_no_fragment_is_left_in_the_functions() -> None:
    assert re.findall(r"%\{[^}]*\}", functions()) == []
