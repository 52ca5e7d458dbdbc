"""CSV read strictly: whatever is wrong is named by file, line and column."""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from orchestrator.errors import ConfigurationError, did_you_mean

__all__ = ["Sheet", "broken", "read_number", "sheet"]

_LONGEST_CELL = 1 << 24


class Sheet(NamedTuple):
    """A CSV file in memory: its header, its rows, and the line on which each row starts."""

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]

    def column(self, name: str) -> int:
        """Where a column stands; an error when the file has none of that name."""
        if name not in self.header:
            known = did_you_mean(name, self.header)
            raise ConfigurationError(f"{self.path}, line 1: no column {name!r}; {known}")
        return self.header.index(name)


def broken(sheet: Sheet, row: int, column: int, why: str) -> ConfigurationError:
    """The error for one cell."""
    place = f"line {sheet.lines[row]}, column {column + 1} ({sheet.header[column]})"
    return ConfigurationError(f"{sheet.path}, {place}: {why}")


def read_number(sheet: Sheet, row: int, column: int, *, most: float = math.inf) -> float:
    """A cell as a number from 0 to `most`."""
    cell = sheet.rows[row][column]
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if 0 <= number <= most and number < math.inf:
        return number
    wanted = "from 0 up" if most == math.inf else f"from 0 to {most:g}"
    raise broken(sheet, row, column, f"{cell[:40]!r} is no number {wanted}")


def sheet(path: Path, *, needs: Sequence[str] = ()) -> Sheet:
    """The whole file (plain or .gz), every row as wide as the header and every needed column there."""
    try:
        with _opened(path) as lines:
            read = _rows(path, lines)
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: there is no such file") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read as UTF-8 CSV ({type(error).__name__})") from None
    for name in needs:
        read.column(name)
    return read


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _rows(path: Path, lines: IO[str]) -> Sheet:
    csv.field_size_limit(_LONGEST_CELL)
    numbered = _numbered(csv.reader(lines, strict=True), path)
    _, header = next(numbered, (1, []))
    if not header:
        raise ConfigurationError(f"{path}, line 1: the file is empty; it starts with a line of column names")
    doubled = next((name for name in header if header.count(name) > 1), None)
    if doubled is not None:
        raise ConfigurationError(f"{path}, line 1: two columns are called {doubled!r}")
    rows, starts = [], []
    for line, row in numbered:
        if len(row) != len(header):
            raise ConfigurationError(
                f"{path}, line {line}, column {len(row)}: {len(row)} cells under {len(header)} names"
            )
        rows.append(row)
        starts.append(line)
    return Sheet(path, header, rows, starts)


def _numbered(reader: Iterator[list[str]], path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, with the line it starts on: a cell may hold line ends."""
    line = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ConfigurationError(f"{path}, line {line}: {error}") from None
        if row:
            yield line, row
        line = reader.line_num + 1  # type: ignore[attr-defined]  # csv's reader has no public type
