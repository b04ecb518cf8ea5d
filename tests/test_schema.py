"""The interface's description: whole, valid, and the one snapshot that is kept. That answers are so: tests/contract.py."""

import json
import os
from pathlib import Path

import pytest
import yaml
from django.urls import URLPattern, get_resolver
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from gateway import openapi, refusals
from tests.contract import METHODS, path_of, resolved

SNAPSHOT = Path(__file__).parent / "schema.json"
RENEW = "RENEW=1 .venv/bin/python -m pytest tests/test_schema.py -k snapshot"


def told() -> dict:
    return json.loads(json.dumps(openapi.document()))


def operations() -> list[tuple[str, str, dict]]:
    return [(path, method, one) for path, methods in told()["paths"].items() for method, one in methods.items()]


def resources(patterns=None) -> list[URLPattern]:
    """The routes of every view of /v1 that is a REST resource."""
    found = []
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLPattern):
            found += [pattern] if hasattr(pattern.callback, "cls") else []
        else:
            found += resources(pattern.url_patterns)
    return found


def test_it_is_as_the_snapshot_says():
    """What changes here changes for every client: look at the difference, then renew it as RENEW says."""
    kept = told()
    kept["servers"], kept["info"]["title"] = [], ""  # as configured
    kept["components"]["securitySchemes"]["session"]["name"] = "bat_session_…"
    now = json.dumps(kept, ensure_ascii=False, indent=1) + "\n"
    if os.environ.get("RENEW"):
        SNAPSHOT.write_text(now)
    assert now == SNAPSHOT.read_text(), f"The interface has changed. If that is meant: {RENEW}"


def test_it_is_valid_openapi():
    validate(told())


def test_every_route_is_in_it_with_every_method_that_it_takes():
    served = {
        (path_of(str(pattern.pattern)), method.lower())
        for pattern in resources()
        for method in METHODS
        if hasattr(pattern.callback.cls, method.lower())
    }
    assert served == {(path, method) for path, method, _ in operations()}


def test_every_operation_says_all_that_a_client_has_to_know():
    ids = [one["operationId"] for _, _, one in operations()]
    assert len(set(ids)) == len(ids)
    for path, method, one in operations():
        assert one["summary"] and one["tags"][0] in openapi.TAGS, path
        assert one["x-codeSamples"][0]["source"].startswith("curl"), path
        yes = [status for status in one["responses"] if status < "300"]  # or nothing can be said yes to
        assert yes or one["operationId"].endswith("_not_here"), (path, method)
        if "requestBody" in one:
            for content in one["requestBody"]["content"].values():
                schema = {**content["schema"], "components": told()["components"]}
                Draft202012Validator(schema).validate(content["example"])
                taken = resolved(content["schema"])["properties"]
                assert [name for name, field in taken.items() if not field.get("description")] == [], (path, method)


def test_every_code_in_it_is_a_refusal_of_that_status():
    known = {(str(kind.status), kind.word()) for kind in refusals.every()}
    for path, _, one in operations():
        for status, response in one["responses"].items():
            schema = resolved(response).get("content", {}).get("application/json", {}).get("schema", {})
            for each in (schema, *schema.get("anyOf", [])):
                if each.get("$ref", "").endswith("/Problem"):
                    for code in each["properties"]["error"]["properties"]["code"]["enum"]:
                        assert code == "invalid" or (status, code) in known, (path, status, code)


@pytest.mark.django_db
def test_it_is_read_as_json_or_yaml_and_once(client):
    plain = client.get("/v1/schema")
    assert plain["Content-Type"] == "application/json"
    assert plain.json() == told()
    for answer in (
        client.get("/v1/schema?format=yaml"),
        client.get("/v1/schema", headers={"accept": "application/yaml"}),
    ):
        assert answer["Content-Type"] == "application/yaml"
        assert yaml.load(answer.content, Loader=yaml.CSafeLoader) == told()
    assert client.get("/v1/schema", headers={"if-none-match": plain["ETag"]}).status_code == 304
    assert client.get("/v1/schema?format=xml").json()["error"]["param"] == "format"


@pytest.mark.django_db
def test_its_page_has_every_operation_and_object_and_runs_no_script(client):
    page = client.get("/v1/docs")
    html = page.content.decode()
    assert "unsafe-inline" not in page["Content-Security-Policy"]
    for _, _, one in operations():
        assert f'id="{one["operationId"]}"' in html
    for name in openapi.COMPONENTS:
        assert f'id="{name}"' in html
    assert "https://cdn" not in html and "<script>" not in html and "style=" not in html
