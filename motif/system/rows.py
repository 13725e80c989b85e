"""Rows of files that people write, exactly as they are written: JSON, JSON lines, CSV, TSV and Parquet.

No type is guessed: a number keeps its digits, a date stays text, `007` stays `007`. Each row knows its place in its
file, counted from 1. Nothing is cached. What is wrong is a `ValueError`, whose words say where it stands. This module
does not know what the columns mean.
"""

import csv
import gzip
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

SEPARATORS = re.compile(r"[\s,]*")
SHORT = ("halffloat", "float")  # kinds of columns that become text: their 0.1 is no 0.10000000149011612


class Row(NamedTuple):
    """The values of a row by column, and its place: `x.jsonl, line 7`."""

    place: str
    values: Mapping[str, Any]


class Number(str):
    """A number of JSON, as the file writes it."""

    __slots__ = ()
    __repr__ = str.__str__


def read_rows(path: Path, kind: str) -> list[Row]:
    """The rows of a file.

    Args:
        path: the file, gzipped or not.
        kind: json (also JSON lines), csv, tsv or parquet.

    Raises:
        ValueError: the file is not of this kind; the words name the line.
        OSError: it cannot be read.
    """
    if kind == "parquet":
        return [Row(f"{path.name}, row {number}", values) for number, values in enumerate(_parquet(path), 1)]
    data = path.read_bytes()
    data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    try:  # spreadsheets write a mark of the encoding
        text = data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line} is no text in {error.encoding}: {error.reason}") from error
    rows = _json(text) if kind == "json" else _csv(text, kind)
    return [Row(f"{path.name}, line {line}", values) for line, values in rows]


def _parquet(path: Path) -> list[dict[str, Any]]:
    import pyarrow
    from pyarrow import parquet

    table = parquet.ParquetFile(path).read()
    short = [field.with_type(pyarrow.string()) if str(field.type) in SHORT else field for field in table.schema]
    return list(table.cast(pyarrow.schema(short)).to_pylist())


def _json(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of an array, or one after another, as in JSON lines; each with the line that it begins in."""
    decoder = json.JSONDecoder(
        parse_int=Number, parse_float=Number, parse_constant=float, object_pairs_hook=_unrepeated
    )
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    position = _after_separators(text, 0)
    in_array = text.startswith("[", position)
    position, counted, line = position + in_array, 0, 1
    while True:
        position = _after_separators(text, position)
        line, counted = line + text.count("\n", counted, position), position
        if in_array and text.startswith("]", position):
            if text[position + 1 :].strip():
                raise ValueError(f"line {line}: something follows the end of the list")
            return
        if position == len(text):
            if not in_array:
                return
            raise ValueError(f"line {line}: the list of rows has no end")
        try:
            values, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise ValueError(f"line {line}: no JSON: {error.msg} (line {error.lineno}, {error.colno})") from error
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {line}: {error}") from error
        if not isinstance(values, dict):
            raise ValueError(f"line {line}: a row is an object with columns, not {str(values)[:40]!r}")
        yield line, values


def _after_separators(text: str, position: int) -> int:
    found = SEPARATORS.match(text, position)
    return found.end() if found else position


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the column {repeated!r} stands twice")
    return values


def _csv(text: str, kind: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows below a header, each with the line that it begins in. Cells are text; those that lack are None."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    head = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = "\t" if kind == "tsv" else ";" if ";" in head and "," not in head else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    header: list[str] = []
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise ValueError(f"line {line}: {error}; a quote within quotes is written twice") from error
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = [cell.strip() for cell in cells]
            if repeated := [name for name in header if name and header.count(name) > 1]:
                raise ValueError(f"line {line}: the column {repeated[0]!r} stands twice in the header")
            continue
        if any(cell.strip() for cell in cells[len(header) :]):
            words = f"{len(cells)} cells and {len(header)} columns; a cell that holds {delimiter!r} stands in quotes"
            raise ValueError(f"line {line}: {words}")
        yield line, {name: cell for name, cell in zip_longest(header, cells) if name}


def value_at(values: Mapping[str, Any], column: str) -> Any:
    """The value of a column, or what a dotted path such as `reward_model.ground_truth` leads to; None where nothing is.

    A list of one element is passed through; a number in the path is a place in a list, from 0.
    """
    if column in values:
        return values[column]
    found: Any = values
    for part in column.split("."):
        if isinstance(found, list) and len(found) == 1 and not part.isdigit():
            found = found[0]
        if isinstance(found, list) and part.isdigit():
            found = found[int(part)] if int(part) < len(found) else None
        else:
            found = found.get(part) if isinstance(found, Mapping) else None
    return found


def columns_of(rows: Iterable[Row]) -> list[str]:
    """The columns of rows, and the dotted paths to what is nested in them."""
    return list(dict.fromkeys(name for row in rows for name in _paths(row.values)))


def _paths(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        yield name
        inner = value[0] if isinstance(value, list) and len(value) == 1 else value
        if isinstance(inner, Mapping):
            yield from (f"{name}.{path}" for path in _paths(inner))
