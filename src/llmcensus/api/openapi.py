"""
The OpenAPI 3.1 document, made of the structs that parameters are read into and answers are written from.

See: https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from llmcensus import __version__
from llmcensus.config import Settings
from llmcensus.datasets import DATASETS, Dataset
from llmcensus.datasets.parameters import LONGEST_TEXT, bare
from llmcensus.taxonomy import Taxonomy

REF = "#/components/schemas/{name}"
ERRORS = {
    400: "A parameter has no such value; the message names it, the value and what was expected",
    401: "No key, or none that is valid",
    403: "The key lacks the scope",
    404: "Nothing is here",
    405: "The method is not allowed here",
    413: "The body is too large",
    429: "The key or its account has used up its requests",
    500: "Something failed that should not have",
    503: "The store is busy or out of reach; send again",
}
OF_DATASETS = (400, 401, 404, 405, 429, 500, 503)
OF_INGEST = (400, 401, 403, 405, 413, 500, 503)
LIMITED = {
    "X-RateLimit-Limit": "Requests a minute for this key; where the day is spent, those a day for its account.",
    "X-RateLimit-Remaining": "Requests that are left of it.",
    "X-RateLimit-Reset": "When there will be more, in seconds since 1970.",
}


class ErrorData(msgspec.Struct):
    code: int
    message: str
    metadata: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class ErrorResponse(msgspec.Struct):
    """The body of every error."""

    error: ErrorData


def document(settings: Settings, base: str, taken: type[msgspec.Struct], taxonomy: Taxonomy) -> dict[str, Any]:
    """Returns the document; `taken` is the answer to what is sent in, the taxonomy what answers are of."""
    shapes = [taken, ErrorResponse]
    for dataset in DATASETS.values():
        shapes += [dataset.answer, *dataset.rows]
    _, schemas = msgspec.json.schema_components(shapes, ref_template=REF)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{settings.publisher} Data API",
            "version": __version__,
            "summary": "What large language models are used for.",
            "description": f"When republishing or quoting this data, cite as: `{settings.cite('{as_of}')}`\n\n"
            f"{settings.requests_per_minute} requests a minute and key, {settings.requests_per_day} a UTC day and "
            "account. Unknown parameters are ignored.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base}],
        "security": [{"apiKey": []}],
        "tags": [{"name": group} for group in dict.fromkeys(dataset.group for dataset in DATASETS.values())]
        + [{"name": "Ingest"}],
        "paths": {
            **{path: {"get": _operation(dataset)} for path, dataset in DATASETS.items()},
            "/generations": {"post": _ingest(taken)},
        },
        "components": {
            "schemas": {name: _rowed(name, _worded(name, schema, taxonomy)) for name, schema in schemas.items()},
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "`sk-llmc-v1-…`; any key reads."}
            },
        },
    }


def _operation(dataset: Dataset) -> dict[str, Any]:
    return {
        "tags": [dataset.group],
        "operationId": dataset.operation,
        "summary": dataset.title,
        "description": dataset.about,
        "parameters": [_parameter(field) for field in msgspec.structs.fields(dataset.parameters)],
        "responses": {
            "200": {
                "description": dataset.title,
                "headers": {
                    "ETag": _header("Names these bytes; send it back in `If-None-Match`."),
                    "Cache-Control": _header("How long the answer may be used.", dataset.cache_control),
                    **{name: _counted(said) for name, said in LIMITED.items()},
                },
                "content": _json(_ref(dataset.answer)),
            },
            "304": {"description": "What `If-None-Match` names is still good"},
            **{str(status): _error(status) for status in OF_DATASETS},
        },
    }


def _parameter(field: msgspec.structs.FieldInfo) -> dict[str, Any]:
    kind, said = bare(field.type)
    [schema], _ = msgspec.json.schema_components([kind])
    schema = {name: value for name, value in schema.items() if name != "title"}
    for name, value in (("minimum", said.ge), ("maximum", said.le)):
        if value is not None:
            schema[name] = value
    if schema == {"type": "string"}:
        schema |= {"minLength": 1, "maxLength": LONGEST_TEXT}
    if field.default not in (None, msgspec.NODEFAULT):
        schema["default"] = field.default
    described = {"name": field.encode_name, "in": "query", "required": False, "description": said.description}
    return {**described, "schema": schema, **({"example": said.examples[0]} if said.examples else {})}


def _ingest(taken: type[msgspec.Struct]) -> dict[str, Any]:
    # What a record needs is not said here: one that lacks it is refused inside an answer of 200, and stops no other.
    generation = {"type": "object"}
    whole = {"type": "object", "required": ["generations"]}
    body = {
        "anyOf": [
            {"type": "array", "items": generation},
            {**whole, "properties": {"generations": {"type": "array"}}},
            generation,
        ]
    }
    return {
        "tags": ["Ingest"],
        "operationId": "sendGenerations",
        "summary": "Take generations in",
        "description": "Native records: an array, an object with `generations`, one object, or one object a line; gzip "
        "is taken. Needs a key of scope `ingest`. 200 means that every accepted record is on disk.",
        "requestBody": {
            "required": True,
            "content": {**_json(body), "application/x-ndjson": {"schema": {"type": "string", "minLength": 1}}},
        },
        "responses": {
            "200": {"description": "What became of the records", "content": _json(_ref(taken))},
            **{str(status): _error(status) for status in OF_INGEST},
        },
    }


def _rowed(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Says of what types the rows of an answer are, where msgspec cannot: those of a union without tags."""
    for dataset in DATASETS.values():
        if dataset.rows and dataset.answer.__name__ == name:
            schema["properties"]["data"]["items"] = {"anyOf": [_ref(row) for row in dataset.rows]}
    return schema


def _worded(name: str, schema: dict[str, Any], taxonomy: Taxonomy) -> dict[str, Any]:
    """Says what the types cannot, for it depends on the tags in force."""
    for dataset in DATASETS.values():
        for field, said in dataset.wording(taxonomy).get(name, {}).items():
            schema["properties"][field] = {**said, **schema["properties"][field]}
    return schema


def _error(status: int) -> dict[str, Any]:
    example = {"error": {"code": status, "message": HTTPStatus(status).phrase}}
    content = {"application/json": {"schema": _ref(ErrorResponse), "example": example}}
    described: dict[str, Any] = {"description": ERRORS[status], "content": content}
    if status == 429:
        described["headers"] = {
            "Retry-After": _counted("Seconds until a request will be answered."),
            **{name: _counted(said) for name, said in LIMITED.items()},
        }
    elif status == 401:
        described["headers"] = {"WWW-Authenticate": _header("How to authenticate.", "Bearer")}
    elif status == 503:
        described["headers"] = {"Retry-After": _counted("Seconds until it may be tried again.")}
    return described


def _ref(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": REF.format(name=kind.__name__)}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _header(description: str, example: str | None = None) -> dict[str, Any]:
    shown = {"example": example} if example else {}
    return {"description": description, "schema": {"type": "string"}, **shown}


def _counted(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "integer"}}
