"""The OpenAPI document is valid, says all that a client may ask, and agrees with the one that OpenRouter publishes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import validate

from llmcensus.datasets import DATASETS
from llmcensus.ingest import Intake
from llmcensus.store import Store
from tests.conftest import NOW
from tests.serving import Server, serving
from tests.worlds import count, record

Document = dict[str, Any]

TEXT: dict[str, object] = {"type": "string", "minLength": 1, "maxLength": 256}
DAY: dict[str, object] = {"type": "string", "format": "date"}


def one_of(*names: str, **more: object) -> dict[str, object]:
    return {"enum": sorted(names), **more}


def number(least: int, most: int, default: int) -> dict[str, object]:
    return {"type": "integer", "minimum": least, "maximum": most, "default": default}


SUBCATEGORIES = (
    *("cli-agent", "ide-extension", "cloud-agent", "programming-app", "native-app-builder"),
    *("creative-writing", "video-gen", "image-gen", "audio-gen"),
    *("writing-assistant", "general-chat", "personal-agent", "legal"),
    *("roleplay", "game"),
)
SEARCHES = ("search_browsecomp", "search_hle", "search_dsqa", "search_widesearch")
# What may be asked, by path.
ASKED: dict[str, dict[str, dict[str, object]]] = {
    "/classifications/task": {"window": one_of("1d", "7d", "30d", "90d", default="7d")},
    "/datasets/rankings-daily": {
        "start_date": DAY,
        "end_date": DAY,
        "period": one_of("day", "week", "month", default="day"),
        "modality": one_of("text", "image", "image_output", "audio", "tool_calling"),
        "context_bucket": one_of("1K", "10K", "100K", "1M", "10M"),
    },
    "/datasets/app-rankings": {
        "sort": one_of("popular", "trending", default="popular"),
        "category": one_of("coding", "creative", "productivity", "entertainment"),
        "subcategory": one_of(*SUBCATEGORIES),
        "start_date": DAY,
        "end_date": DAY,
        "limit": number(1, 100, 50),
        "offset": number(0, 100, 0),
    },
    "/datasets/session-cost": {
        "app_slug": TEXT,
        "model": TEXT,
        "turn_range": one_of("1-turn", "2-9-turns", "10-49-turns", "50-plus-turns"),
        "limit": number(1, 500, 100),
        "offset": number(0, 5000, 0),
    },
    "/benchmarks": {
        "source": one_of("artificial-analysis", "design-arena", "openrouter"),
        "task_type": one_of("coding", "intelligence", "agentic", "search"),
        "benchmark_type": one_of("gpqa_diamond", "tau_bench_verified_airline", *SEARCHES),
        "include_run_config": {"type": "boolean", "default": False},
        "search_engine": TEXT,
        "search_surface": one_of("server-tool", "plugin"),
        "arena": one_of("models", "builders", "agents"),
        "category": TEXT,
        "max_results": number(1, 100, 50),
    },
}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Document:
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('store')}/census.db", clock=lambda: NOW)
    with serving(store, lambda: NOW) as server:
        found: Document = server.get("/openapi.json").json()
    store.close()
    return found


def resolved(document: Document, value: Any) -> Any:
    """Returns a value with every `$ref` in it followed."""
    if isinstance(value, dict):
        if "$ref" in value:
            return resolved(document, named(document, value["$ref"]))
        return {name: resolved(document, inner) for name, inner in value.items()}
    return [resolved(document, inner) for inner in value] if isinstance(value, list) else value


def named(document: Document, ref: str) -> Any:
    value: Any = document
    for part in ref.removeprefix("#/").split("/"):
        value = value[part]
    return value


def parameters(document: Document, path: str) -> dict[str, Any]:
    return {parameter["name"]: parameter for parameter in document["paths"][path]["get"]["parameters"]}


def answer(document: Document, path: str, status: int = 200) -> Any:
    return document["paths"][path]["get"]["responses"][str(status)]["content"]["application/json"]["schema"]


def test_it_needs_no_key(server: Server) -> None:
    found = server.get("/openapi.json")
    assert (found.status_code, found.headers["content-type"]) == (200, "application/json")


def test_it_is_valid(document: Document) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1.")


def test_every_dataset_is_in_it_and_only_by_get(document: Document) -> None:
    assert set(document["paths"]) == {*DATASETS, "/generations"}
    assert {path: set(document["paths"][path]) for path in DATASETS} == {path: {"get"} for path in DATASETS}
    assert document["servers"] == [{"url": "/api/v1"}]


@pytest.mark.parametrize("path", ASKED)
def test_every_parameter_says_what_it_may_be(document: Document, path: str) -> None:
    found = parameters(document, path)
    assert list(found) == list(ASKED[path])
    for name, parameter in found.items():
        assert (parameter["in"], parameter["required"]) == ("query", False)
        assert parameter["description"]
        schema = {key: value for key, value in parameter["schema"].items() if key != "description"}
        if "enum" in schema:
            schema = {**schema, "enum": sorted(schema["enum"])}
            schema.pop("type", None)
        assert schema == ASKED[path][name]


def test_every_operation_has_a_name_of_its_own(document: Document) -> None:
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(names)) == len(names) == len(DATASETS) + 1


@pytest.mark.parametrize("path", DATASETS)
def test_every_operation_takes_a_bearer_key(document: Document, path: str) -> None:
    needed = document["paths"][path]["get"].get("security", document["security"])
    [name] = {name for choice in needed for name in choice}
    assert needed == [{name: []}]
    scheme = document["components"]["securitySchemes"][name]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


@pytest.mark.parametrize("path", DATASETS)
@pytest.mark.parametrize("status", [400, 401, 404, 405, 429, 500, 503])
def test_every_error_has_the_one_body(document: Document, path: str, status: int) -> None:
    schema = resolved(document, answer(document, path, status))
    assert schema["required"] == ["error"]
    error = schema["properties"]["error"]
    assert error["required"] == ["code", "message"]
    assert error["properties"]["code"]["type"] == "integer"
    assert error["properties"]["message"]["type"] == "string"
    assert set(error["properties"]) == {"code", "message", "metadata"}
    example = document["paths"][path]["get"]["responses"][str(status)]["content"]["application/json"]["example"]
    assert example == {"error": {"code": status, "message": HTTPStatus(status).phrase}}


@pytest.mark.parametrize("path", DATASETS)
def test_the_headers_of_answers_are_in_it(document: Document, path: str) -> None:
    responses = document["paths"][path]["get"]["responses"]
    limits = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
    assert set(responses["200"]["headers"]) == {"ETag", "Cache-Control", *limits}
    assert set(responses["429"]["headers"]) == {"Retry-After", *limits}
    assert set(responses["401"]["headers"]) == {"WWW-Authenticate"}
    assert "304" in responses


def test_the_headers_that_are_in_it_are_sent(server: Server, document: Document) -> None:
    key = server.key()
    for path in DATASETS:
        responses = document["paths"][path]["get"]["responses"]
        assert set(map(str.lower, responses["200"]["headers"])) <= set(server.get(f"/api/v1{path}", key).headers)
        assert set(map(str.lower, responses["401"]["headers"])) <= set(server.get(f"/api/v1{path}").headers)


def test_an_answer_is_what_it_says(server: Server, document: Document, intake: Intake) -> None:
    count(intake, record(http_referer="https://a.example", session_id="s"))
    key = server.key()
    for path in DATASETS:
        schema = Draft202012Validator(resolved(document, answer(document, path)))
        schema.validate(server.get(f"/api/v1{path}", key).json())


@pytest.mark.parametrize("path", DATASETS)
def test_whatever_may_be_read_is_required_of_an_answer(document: Document, path: str) -> None:
    """A client may rely on every key that is documented; only what is sent on request may be missing."""
    for schema in objects(resolved(document, answer(document, path))):
        missing = set(schema["properties"]) - set(schema.get("required", ()))
        assert missing <= {"run_config"}


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Yields every object in a schema, but for those of `run_config`, which may be empty."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield schema
        for name, inner in schema.items():
            if name != "run_config":
                yield from objects(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from objects(inner)


def test_it_says_the_limits_and_how_to_cite(server: Server, document: Document) -> None:
    assert "30 requests a minute and key, 500 a UTC day and account" in document["info"]["description"]
    assert "Source: LLM Census (localhost/rankings), as of {as_of}." in document["info"]["description"]
    changed = {"publisher": "Us", "site": "us.example", "requests_per_minute": "7"}
    with serving(server.store, lambda: NOW, **changed) as other:
        said = other.get("/openapi.json").json()["info"]
    assert said["title"].startswith("Us")
    assert "Source: Us (us.example/rankings), as of {as_of}." in said["description"]
    assert "7 requests a minute" in said["description"]


# --- the document that OpenRouter publishes ---


@pytest.fixture
def published(shared: Path) -> Document:
    text = (shared / "reference" / "001_openapi_classifications.md").read_text()
    [block] = re.findall(r"^````yaml [^\n]*\n(.*?)^````", text, re.MULTILINE | re.DOTALL)
    found: Document = yaml.safe_load(block)
    return found


def shape(schema: Any) -> Any:
    """Returns a schema without what is only said of it: names, types, what is required."""
    if schema.get("type") == "object" and "properties" in schema:
        inner = {name: shape(value) for name, value in schema["properties"].items()}
        return {"properties": inner, "required": sorted(schema.get("required", ()))}
    if schema.get("type") == "array":
        return [shape(schema["items"])]
    return schema.get("type"), schema.get("format")


def test_its_paths_and_operations_are_ours(published: Document, document: Document) -> None:
    for path, methods in published["paths"].items():
        assert set(document["paths"][path]) == set(methods)
        for method, operation in methods.items():
            ours = document["paths"][path][method]
            assert (ours["operationId"], ours["tags"]) == (operation["operationId"], operation["tags"])
            assert set(operation["responses"]) <= set(ours["responses"])


def test_its_parameters_are_ours(published: Document, document: Document) -> None:
    for path in published["paths"]:
        ours = parameters(document, path)
        for name, parameter in parameters(published, path).items():
            assert (ours[name]["in"], ours[name]["required"]) == (parameter["in"], parameter["required"])
            assert ours[name]["schema"]["default"] == parameter["schema"]["default"]
            assert set(parameter["schema"]["enum"]) <= set(ours[name]["schema"]["enum"])


def test_its_answers_are_ours(published: Document, document: Document) -> None:
    for path in published["paths"]:
        theirs = shape(resolved(published, answer(published, path)))
        assert shape(resolved(document, answer(document, path))) == theirs


def test_its_errors_are_ours(published: Document, document: Document) -> None:
    for path, methods in published["paths"].items():
        for status in (int(status) for status in methods["get"]["responses"] if status != "200"):
            theirs = shape(resolved(published, answer(published, path, status)))
            ours = shape(resolved(document, answer(document, path, status)))
            assert ours["required"] == theirs["required"]
            assert ours["properties"]["error"] == theirs["properties"]["error"]


def test_its_names_of_rows_are_ours(published: Document, document: Document) -> None:
    rows = {name for name in published["components"]["schemas"] if name.startswith("TaskClassification")}
    assert len(rows) == 4
    assert rows <= set(document["components"]["schemas"])


def test_its_key_is_ours(published: Document, document: Document) -> None:
    assert published["security"] == document["security"]
    for name, scheme in published["components"]["securitySchemes"].items():
        ours = document["components"]["securitySchemes"][name]
        assert (ours["type"], ours["scheme"]) == (scheme["type"], scheme["scheme"])
