"""The output of a bulk run: what a shard of rows and their answers add to it, and the file that comes of that.

Every format grows by appending, so that a run can be cut off anywhere and go on: Parquet, which cannot, is kept as a
stream of Arrow batches until the last row is there.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ipaclip.common.files import whole_file
from ipaclip.common.rows import Record
from ipaclip.common.sources import Source

from .pronunciation import Answer, BulkError, Pronunciation

if TYPE_CHECKING:
    import pyarrow as pa

Rows: TypeAlias = "list[Record] | pa.Table"


@dataclass(frozen=True)
class OutputFormat:
    """How rows are written.

    Attributes:
        suffix: Of the output.
        columns: Of the output, in order, `ipa_column` among them.
        ipa_column: Takes the IPA.
        schema: Arrow types of `columns`, for Parquet.
    """

    suffix: str
    columns: tuple[str, ...]
    ipa_column: str
    schema: "pa.Schema | None"

    @classmethod
    def of(cls, source: Source, suffix: str, ipa_column: str, said: Pronunciation) -> "OutputFormat":
        """The format of an output with all columns of a source; what is said, and its language, are strings.

        Raises:
            BulkError: If the format has no way to write one of the columns.
            ValueError: If a column that needs one type has values of several.
        """
        columns = tuple(dict.fromkeys([*source.columns, ipa_column]))
        # JSONL from text keeps each value as it stands, and .txt keeps none: only these need no types.
        if suffix == ".txt" or (suffix == ".jsonl" and source.file is not None):
            return cls(suffix, columns, ipa_column, None)
        strings = {name for name in (said.column, said.language_column, ipa_column) if name is not None}
        schema = _with_ipa(source.schema(strings), columns, ipa_column)
        _check_types(schema, suffix)
        return cls(suffix, columns, ipa_column, schema)

    def header(self) -> bytes:
        """What the output begins with."""
        if self.suffix == ".parquet":
            assert self.schema is not None
            return bytes(self.schema.serialize())
        return self._cells([{name: name for name in self.columns}]) if self.suffix in (".csv", ".tsv") else b""

    def encode(self, rows: Rows, answers: Sequence[Answer]) -> bytes:
        """What the rows add to the output: those with IPA, and of the others an empty line of a .txt."""
        if self.suffix == ".txt":  # lines stay parallel to the rows
            return "".join(f"{answer.ipa or ''}\n" for answer in answers).encode()
        if self.suffix == ".parquet":
            return b"".join(batch.serialize() for batch in self._table(rows, answers).to_batches() if len(batch))
        values = self._values(rows, answers)
        if self.suffix == ".jsonl":
            return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in values).encode()
        return self._cells(values)

    def finish(self, written: Path, how: dict[str, Any]) -> Path:
        """The output that comes of all that was written; a Parquet file says in its metadata `how`."""
        if self.suffix != ".parquet":
            return written
        from pyarrow import ipc
        from pyarrow.parquet import ParquetWriter

        assert self.schema is not None
        schema = self.schema.with_metadata({**(self.schema.metadata or {}), b"ipaclip": json.dumps(how).encode()})
        finished = written.with_suffix(self.suffix)
        with (
            whole_file(finished) as path,
            written.open("rb") as stream,
            ipc.open_stream(stream) as batches,
            ParquetWriter(path, schema) as writer,
        ):
            for batch in batches:
                writer.write_batch(batch.replace_schema_metadata(schema.metadata))
        return finished

    def _values(self, rows: Rows, answers: Sequence[Answer]) -> Iterator[dict[str, Any]]:
        values = (row.values for row in rows) if isinstance(rows, list) else iter(rows.to_pylist())
        for row, answer in zip(values, answers, strict=True):
            if answer.ipa is not None:
                yield {**row, self.ipa_column: answer.ipa}

    def _table(self, rows: Rows, answers: Sequence[Answer]) -> "pa.Table":
        import pyarrow as pa

        if isinstance(rows, list):
            return pa.Table.from_pylist(list(self._values(rows, answers)), schema=self.schema)
        ipa = pa.array([answer.ipa for answer in answers], pa.string())
        columns = [ipa if name == self.ipa_column else rows[name] for name in self.columns]
        return pa.Table.from_arrays(columns, schema=self.schema).filter(ipa.is_valid()).combine_chunks()

    def _cells(self, rows: Iterable[dict[str, Any]]) -> bytes:
        """Rows of a CSV or TSV."""
        stream = StringIO(newline="")
        plain = csv.writer(stream, lineterminator="\n")
        quoting = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
        for row in rows:
            cells = [row.get(name) for name in self.columns]
            if self.suffix == ".tsv":
                stream.write("\t".join(map(_tsv_cell, cells)) + "\n")
                continue
            # csv leaves a lone carriage return unquoted, and readers take it for the end of the row.
            returns = any(isinstance(cell, str) and "\r" in cell for cell in cells)
            (quoting if returns else plain).writerow(cells)
        return stream.getvalue().encode()


def _tsv_cell(value: Any) -> str:
    """Quoted only if it must be: in a .tsv, quotation marks around anything else are text."""
    text = "" if value is None else str(value)
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in '"\t\r\n') else text


def _with_ipa(schema: "pa.Schema", columns: tuple[str, ...], ipa_column: str) -> "pa.Schema":
    import pyarrow as pa

    if schema.metadata and b"huggingface" in schema.metadata:
        from datasets import Features, Value

        return Features({**Features.from_arrow_schema(schema), ipa_column: Value("string")}).arrow_schema
    return pa.schema([pa.field(name, pa.string()) if name == ipa_column else schema.field(name) for name in columns])


def _check_types(schema: "pa.Schema", suffix: str) -> None:
    """Refuses columns that a text format has no way to write."""
    if suffix == ".parquet":
        return
    for field in schema:
        if not _is_writable(field.type, nested=suffix == ".jsonl"):
            others = ".parquet" if suffix == ".jsonl" else ".parquet or .jsonl"
            raise BulkError(f"Column {field.name!r} ({field.type}) cannot be written as {suffix}: choose {others}.")


def _is_writable(kind: "pa.DataType", *, nested: bool) -> bool:
    from pyarrow import types

    plain = ("null", "boolean", "integer", "floating", "string", "large_string")
    if any(getattr(types, f"is_{name}")(kind) for name in plain):
        return True
    if any(getattr(types, f"is_{name}")(kind) for name in ("struct", "list", "large_list", "fixed_size_list")):
        return nested and all(_is_writable(kind.field(i).type, nested=True) for i in range(kind.num_fields))
    return False
