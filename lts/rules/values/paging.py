"""One page of a list: searched, sorted and cut on the server, so that a browser never holds it all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lts.errors import AdminError
from lts.rules.values.text import normal

Row = TypeVar("Row")
MAX_SIZE = 500


@dataclass(frozen=True)
class Page:
    """The page that is requested: `text` to search for, `sort` a column ("" = unsorted), `size` None = everything."""

    text: str = ""
    sort: str = ""
    descending: bool = False
    number: int = 1
    size: int | None = None

    @property
    def offset(self) -> int:
        return (self.number - 1) * (self.size or 0)


def plain(text: str) -> str:
    """How texts are compared: one form of the same characters, whatever their case."""
    return normal(text).casefold()


def page_of(
    rows: Sequence[Row],
    page: Page,
    searched: Callable[[Row], str],
    columns: dict[str, Callable[[Row], Any]],
) -> tuple[list[Row], int]:
    """(the rows of a page, how many were found). Rows without a value in the sorted column come last.

    Raises AdminError for an unknown column.
    """
    wanted = plain(page.text)
    found = [row for row in rows if wanted in plain(searched(row))] if wanted else list(rows)
    if page.sort:
        column = columns.get(page.sort)
        if column is None:
            raise AdminError("bad-sort", f"Sort by one of {', '.join(columns)}.", field="sort")
        valued = [row for row in found if column(row) is not None]
        empty = [row for row in found if column(row) is None]
        found = sorted(valued, key=column, reverse=page.descending) + empty
    end = None if page.size is None else page.offset + page.size
    return found[page.offset : end], len(found)
