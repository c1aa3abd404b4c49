"""`filters.buffers`: every form in which Arrow holds strings gives the same documents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.buffers import Texts, text_buffers

FORMS = {
    "string": lambda texts: pa.array(texts, pa.string()),
    "large_string": lambda texts: pa.array(texts, pa.large_string()),
    "dictionary": lambda texts: pa.array(texts, pa.string()).dictionary_encode(),
    "sliced": lambda texts: pa.array(["前", *texts, "後"], pa.string())[1:-1],
    "one chunk": lambda texts: pa.chunked_array([pa.array(texts, pa.string())]),
    "chunks": lambda texts: pa.chunked_array(
        [pa.array([text], pa.large_string()) for text in texts], pa.large_string()
    ),
}


def read(texts: Texts) -> list[str]:
    data, offsets = text_buffers(texts)
    assert (data.dtype, offsets.dtype, len(offsets)) == (np.uint8, np.int64, len(texts) + 1)
    return [
        data[begin:end].tobytes().decode()
        for begin, end in zip(offsets[:-1], offsets[1:], strict=True)
    ]


@pytest.mark.parametrize("form", FORMS)
@given(texts=st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=5), max_size=6))
def test_documents_come_back_whatever_form_they_are_in(
    form: str, texts: Sequence[str | None]
) -> None:
    assert read(FORMS[form](texts)) == [text or "" for text in texts]


def test_a_null_that_owns_bytes_is_an_empty_text() -> None:
    offsets = pa.py_buffer(np.array([0, 3, 6], np.int32))
    valid = pa.py_buffer(b"\x02")
    texts = pa.StringArray.from_buffers(2, offsets, pa.py_buffer("稲穂".encode()), valid)
    assert texts.to_pylist() == [None, "穂"]
    assert read(texts) == ["", "穂"]


def test_a_column_of_nothing_but_nulls_is_empty_texts() -> None:
    assert read(pa.nulls(3)) == ["", "", ""]


def test_what_is_no_string_is_refused() -> None:
    with pytest.raises(TypeError, match="not int64"):
        text_buffers(pa.array([1]))
