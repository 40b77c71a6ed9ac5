"""JSON Schemas, made from the models, for editors and other programs.

``python -m profiles.schema_files [FOLDER]`` writes them (to ``schemas/`` unless told). It never invents:
what a schema says is what the model checks.
"""

import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from profiles.file_kinds import OWN_KINDS, FileKind

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema_text(model: type[BaseModel], name: str) -> str:
    """Return a model's JSON Schema as the text of its file; ``name`` is the kind of file."""
    schema = {"$schema": DIALECT, "$id": f"{name}.schema.json", **model.model_json_schema()}
    schema["title"] = f"Stillroom {name} file"
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=False) + "\n"


def schema_files(kinds: Collection[FileKind] = OWN_KINDS) -> dict[str, str]:
    """Return every schema file's text by its file name."""
    return {f"{kind.name}.schema.json": schema_text(kind.model, kind.name) for kind in kinds}


def write_schemas(folder: Path, kinds: Collection[FileKind] = OWN_KINDS) -> tuple[Path, ...]:
    """Write the schema files into a folder and return their paths.

    Raises:
        OSError: they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in schema_files(kinds).items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return tuple(written)


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("schemas"))
