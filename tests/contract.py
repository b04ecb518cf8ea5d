"""Each answer of /v1 that any test gets is one that the schema promises: every request of the tests passes here."""

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from gateway import openapi

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


class Contract:
    """The outermost middleware while tests run. Raises AssertionError, which the test's client raises again."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        response = self.get_response(request)
        match = request.resolver_match
        if request.method in METHODS and match is not None and hasattr(match.func, "cls"):
            holds(request.method, match.route, response)
        return response


def path_of(route: str) -> str:
    """A route of Django's as the schema writes it."""
    return "/" + route.replace("<str:", "{").replace(">", "}")


def holds(method: str, route: str, response: Any) -> None:
    """This answer's status, kind and body are among those of its operation. Raises AssertionError."""
    path, status = path_of(route), str(response.status_code)
    known = openapi.document()["paths"][path].get(method.lower())
    if known is None:
        assert status in {"401", "403", "405", "429"}, (method, path, status, "is not in the schema")
        return
    assert status in known["responses"], (method, path, status, "is not promised", body_of(response))
    promised = resolved(known["responses"][status])
    assert {"X-Request-ID"} <= set(response.headers)
    if "content" not in promised:
        assert not response.content, (method, path, status, response.content)
        return
    kind = response.headers["Content-Type"].partition(";")[0]
    assert kind in promised["content"], (method, path, status, kind)
    if kind == "application/json" and promised["content"][kind]["schema"]:
        errors = [
            f"{error.json_path}: {error.message[:500]}"
            for error in validator(path, method, status).iter_errors(json.loads(response.content))
        ]
        assert not errors, (method, path, status, errors)


def body_of(response: Any) -> bytes:
    return b"(streamed)" if response.streaming else response.content[:500]


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    _, _, kind, name = part["$ref"].split("/")
    found: dict[str, Any] = openapi.document()["components"][kind][name]
    return found


@cache
def validator(path: str, method: str, status: str) -> Draft202012Validator:
    response = resolved(openapi.document()["paths"][path][method.lower()]["responses"][status])
    schema = {**response["content"]["application/json"]["schema"], "components": openapi.document()["components"]}
    return Draft202012Validator(closed(schema), format_checker=FormatChecker())


def closed(part: Any) -> Any:
    """No object has a field that isn't described. Published it stays open, so that there can be more one day."""
    if isinstance(part, list):
        return [closed(each) for each in part]
    if not isinstance(part, dict):
        return part
    made = {name: closed(each) for name, each in part.items()}
    if "object" in str(part.get("type", "")) and isinstance(part.get("properties"), dict):
        made["additionalProperties"] = False
    return made
