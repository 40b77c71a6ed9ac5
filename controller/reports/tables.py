"""Tables for research: a session's records in CSV, JSON or Parquet. Roles, no device's name, no free text.

A row is a record: when, which kind, by which role, and its values as JSON. A start's score and sheet travel
whole, so that a row needs no other file to be understood.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from controller.core.records import Record
from controller.errors import UserError
from controller.record_codec import encode_body, encode_record
from controller.reports.account import role_of

COLUMNS: Final = ("session", "room", "number", "at_ms", "from_start_ms", "kind", "by", "command", "values")


def rows_of(room: str, session: str, records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return one flat row for each record, in order."""
    start = records[0].at_ms if records else 0
    return [_row(room, session, number, record, start) for number, record in enumerate(records, start=1)]


def _row(room: str, session: str, number: int, record: Record, start_ms: int) -> dict[str, Any]:
    body = encode_body(record.body)
    kind = body.pop("kind")
    return {
        "session": session,
        "room": room,
        "number": number,
        "at_ms": record.at_ms,
        "from_start_ms": record.at_ms - start_ms,
        "kind": kind,
        "by": role_of(record.by),
        "command": record.command_id or "",
        "values": body,
    }


def csv_of(rows: Sequence[dict[str, Any]]) -> bytes:
    """Return rows as CSV, UTF-8, with a head line."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows({**row, "values": _json(row["values"])} for row in rows)
    return out.getvalue().encode()


def json_of(records: Sequence[Record]) -> bytes:
    """Return the records as one JSON array, each as the journal has it but for the device's name."""
    plain = [json.loads(encode_record(replace(record, by=role_of(record.by)))) for record in records]
    return (json.dumps(plain, ensure_ascii=False, indent=1) + "\n").encode()


def parquet_of(rows: Sequence[dict[str, Any]]) -> bytes:
    """Return rows as a Parquet file; ``values`` is JSON text.

    Raises:
        UserError: the package that writes it is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - large, and optional
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise UserError("Parquet needs the extra 'research' (pip install 'stillroom[research]')") from None
    numbers = {"number", "at_ms", "from_start_ms"}
    schema = pa.schema([(name, pa.int64() if name in numbers else pa.string()) for name in COLUMNS])
    flat = [{**row, "values": _json(row["values"])} for row in rows]
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_pylist(flat, schema=schema), sink)
    return bytes(sink.getvalue())


def _json(values: object) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))
