"""Rows as CSV that a spreadsheet shows and never runs."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import spreadsheets


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", '=HYPERLINK("http://x","y")']
)
def test_what_a_spreadsheet_would_run_begins_with_an_apostrophe(text: str):
    assert spreadsheets.cell(text) == "'" + text


def test_figures_and_words_stay_as_they_are():
    assert [spreadsheets.cell(value) for value in ("Kiln", 12, None, "a=b", "48.00")] == [
        "Kiln",
        "12",
        "",
        "a=b",
        "48.00",
    ]


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), min_size=2, max_size=2)
    )
)
def test_nothing_is_lost_and_nothing_begins_a_formula(rows: list[list[str]]):
    written = spreadsheets.write(["a", "b"], rows)
    read = list(csv.reader(io.StringIO(written, newline="")))
    assert read[0] == ["a", "b"]
    assert [[cell.removeprefix("'") for cell in row] for row in read[1:]] == [
        [cell.removeprefix("'") for cell in row] for row in rows
    ]
    assert not any(cell.startswith(spreadsheets.FORMULA) for row in read for cell in row)
