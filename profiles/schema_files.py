"""JSON Schemas, made from the models, for editors and other programs.

``python -m profiles.schema_files [FOLDER]`` writes them (to ``schemas/`` unless told). It never invents:
what a schema says is what the model checks.
"""

import ast
import json
import sys
from collections.abc import Collection, Iterator
from inspect import cleandoc, getsource
from pathlib import Path
from textwrap import dedent
from typing import Any, Final

from pydantic import BaseModel

from profiles.file_kinds import OWN_KINDS, FileKind

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema_text(model: type[BaseModel], name: str) -> str:
    """Return a model's JSON Schema as the text of its file; ``name`` is the kind of file."""
    schema = {"$schema": DIALECT, "$id": f"{name}.schema.json", **model.model_json_schema()}
    models = {known.__name__: known for known in _models(BaseModel)}
    _describe(schema, model)
    for part, shape in schema.get("$defs", {}).items():
        if part in models:
            _describe(shape, models[part])
    schema["title"] = f"Stillroom {name} file"
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=False) + "\n"


def _models(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for known in base.__subclasses__():
        yield known
        yield from _models(known)


def _describe(shape: dict[str, Any], model: type[BaseModel]) -> None:
    """Give a model's properties what is written under its fields. Read from the source, and only now."""
    said: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if kind is not BaseModel and issubclass(kind, BaseModel):
            said |= _said_in(kind)
    for name, part in shape.get("properties", {}).items():
        if name in said and "description" not in part:
            shape["properties"][name] = dict(sorted({**part, "description": said[name]}.items()))


def _said_in(model: type[BaseModel]) -> dict[str, str]:
    (made,) = ast.parse(dedent(getsource(model))).body
    said: dict[str, str] = {}
    field = ""
    for line in made.body if isinstance(made, ast.ClassDef) else ():
        match line:
            case ast.AnnAssign(target=ast.Name(id=field)):
                continue
            case ast.Expr(value=ast.Constant(value=str(words))) if field:
                said[field] = cleandoc(words)
        field = ""
    return said


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
