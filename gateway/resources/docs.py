"""/v1/docs: the description of /v1, to read."""

import json
import re
from functools import cache
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from rest_framework.request import Request

from gateway import openapi
from gateway.api import Resource
from gateway.openapi import File, operation


class Docs(Resource):
    """Every operation, by resource: what it takes, what it answers, and a request to try."""

    permission_classes = ()

    @operation("read_docs", "Read it as a page", {200: File(("text/html",))})
    def get(self, request: Request) -> HttpResponse:
        told = {"resources": _resources(), "schemas": _schemas(), **_head()}
        return render(request._request, "gateway/docs.html", told)


@cache
def _head() -> dict[str, Any]:
    told = openapi.document()
    return {"introduction": _paragraphs(told["info"]["description"]), "server": told["servers"][0]["url"]}


def _paragraphs(text: str) -> list[str]:
    """The few words of Markdown that we write, without their marks."""
    plain = text.replace("**", "").replace("`", "").replace("*", "")
    plain = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", plain)
    return [" ".join(part.removeprefix("- ").split()) for part in re.split(r"\n\n|\n(?=- )", plain)]


@cache
def _resources() -> list[dict[str, Any]]:
    told = openapi.document()
    found: dict[str, dict[str, Any]] = {tag["name"]: {**tag, "operations": []} for tag in told["tags"]}
    for path, methods in told["paths"].items():
        for method, one in methods.items():
            found[one["tags"][0]]["operations"].append(_operation(path, method, one))
    return list(found.values())


def _operation(path: str, method: str, one: dict[str, Any]) -> dict[str, Any]:
    body = next(iter(one["requestBody"]["content"].values())) if "requestBody" in one else None
    security = one.get("security", [])
    return {
        "id": one["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": one["summary"],
        "description": one.get("description", ""),
        "public": not security or {} in security,
        "parameters": [
            {"name": each["name"], "in": each["in"], "what": each.get("description", ""), "kind": kind(each["schema"])}
            for each in one.get("parameters", [])
        ],
        "body": rows(resolve(body["schema"])) if body else [],
        "answers": [
            {
                "status": status,
                "what": answer["description"],
                "kind": _kind_of(answer),
                "codes": _codes(answer),
            }
            for status, answer in ((status, resolve(answer)) for status, answer in one["responses"].items())
        ],
        "sample": one["x-codeSamples"][0]["source"],
    }


@cache
def _schemas() -> list[dict[str, Any]]:
    """Each object by name, without those that are only taken: these stand with their operation."""
    return [
        {"name": name, "what": schema.get("description", ""), "rows": rows(schema)}
        for name, schema in openapi.document()["components"]["schemas"].items()
        if name in openapi.COMPONENTS
    ]


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """What a reference points to; anything else is itself."""
    found: dict[str, Any] = schema
    if "$ref" in schema:
        _, _, kind, name = schema["$ref"].split("/")
        found = openapi.document()["components"][kind][name]
    return found


def rows(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The fields of an object."""
    required = schema.get("required", [])
    return [
        {"name": name, "kind": kind(field), "what": field.get("description", ""), "required": name in required}
        for name, field in schema.get("properties", {}).items()
    ]


def kind(schema: dict[str, Any]) -> str:
    """What a value is, in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema or "oneOf" in schema:
        return " or ".join(kind(each) for each in schema.get("anyOf", schema.get("oneOf", [])))
    if "const" in schema:
        return json.dumps(schema["const"], ensure_ascii=False)
    if "enum" in schema:
        return " · ".join("null" if each is None else str(each) for each in schema["enum"])
    types = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", ["anything"])
    words = " or ".join(types)
    if "array" in types and "items" in schema:
        words = words.replace("array", f"list of {kind(schema['items'])}")
    if "object" in types and "properties" in schema:
        words = words.replace("object", "{" + ", ".join(schema["properties"]) + "}")
    return words + (f" ({schema['format']})" if "format" in schema else "")


def _kind_of(answer: dict[str, Any]) -> str:
    """The object that this answer is, or the kinds of file."""
    content = answer.get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if not schema:
        return ", ".join(content)
    if "anyOf" in schema:
        schema = schema["anyOf"][0]
    return "" if schema.get("$ref", "").endswith("/Problem") else kind(schema)


def _codes(answer: dict[str, Any]) -> list[str]:
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    for each in (schema, *schema.get("anyOf", [])):
        if each.get("$ref", "").endswith("/Problem"):
            return list(each["properties"]["error"]["properties"]["code"]["enum"])
    return []
