"""The JSON Schemas under schemas/ are the models' own, and say what the models say."""

import json
from pathlib import Path

import jsonschema
import pytest
from pydantic import BaseModel

from controller.file_checks import KINDS
from profiles.file_kinds import OWN_KINDS, FileKind, kind_of
from profiles.schema_files import schema_files, write_schemas
from profiles.validation import LIBRARY, yaml_files
from profiles.yaml_source import read_document

SCHEMAS = Path(__file__).parents[2] / "schemas"


@pytest.mark.parametrize("name", schema_files(KINDS))
def test_a_schema_file_is_fresh(name: str) -> None:
    fresh = schema_files(KINDS)[name]
    assert (SCHEMAS / name).read_text(encoding="utf-8") == fresh, "run: .venv/bin/stillroom schemas schemas"


@pytest.mark.parametrize("path", yaml_files(LIBRARY), ids=lambda path: path.name)
def test_shipped_files_agree_with_their_schema(path: Path) -> None:
    document = read_document(path)
    kind = kind_of(document)
    assert kind is not None
    schema = json.loads(schema_files()[f"{kind.name}.schema.json"])
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    assert list(validator.iter_errors(document.data)) == []
    assert isinstance(document.data, dict)
    assert list(validator.iter_errors(document.data | {"colour": 1})) != []


def test_every_key_is_described_for_whoever_writes_the_file() -> None:
    for text in schema_files(KINDS).values():
        schema = json.loads(text)
        for part in (schema, *schema.get("$defs", {}).values()):
            for name, field in part.get("properties", {}).items():
                # A key whose words are its type's own has them there.
                target = schema["$defs"].get(field.get("$ref", "").rpartition("/")[2], {})
                assert "description" in field or "description" in target, (part.get("title"), name)


def test_a_kind_from_elsewhere_gets_its_schema_too(tmp_path: Path) -> None:
    class PoolFile(BaseModel):
        pool: str

    paths = write_schemas(tmp_path, (*OWN_KINDS, FileKind("pool", "pool", PoolFile)))
    assert {path.name for path in paths} >= {"pool.schema.json", "site.schema.json"}
    assert json.loads((tmp_path / "pool.schema.json").read_text(encoding="utf-8"))["required"] == ["pool"]
