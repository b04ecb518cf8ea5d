"""/v1/schema: the interface, described. /v1/docs is the same to read."""

import json
from functools import cache

import yaml
from django.http import HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response, set_response_etag
from rest_framework.request import Request

from gateway import openapi
from gateway.api import Invalid, Resource
from gateway.openapi import File, one_of, operation, query

FORMATS = {"json": "application/json", "yaml": "application/yaml"}  # RFC 9512


class Schema(Resource):
    """As JSON or YAML: by `?format=`, else by Accept."""

    permission_classes = ()

    @operation(
        "get_schema",
        "Read this description",
        {200: File(tuple(FORMATS.values())), 304: None},
        query=[query("format", one_of(*FORMATS), "Else Accept says which; without either it is JSON.")],
        headers={200: ["ETag"], 304: ["ETag"]},
        more="OpenAPI 3.1. The same to read is at `/v1/docs`.",
    )
    def get(self, request: Request) -> HttpResponseBase:
        accepts = request.headers.get("Accept", "")
        form = request.query_params.get("format") or ("yaml" if "yaml" in accepts else "json")
        if form not in FORMATS:
            raise Invalid(what=f"format: “{form}” is none of {', '.join(FORMATS)}.", param="format")
        response = HttpResponse(_written(form), content_type=FORMATS[form])
        set_response_etag(response)
        conditional = get_conditional_response(request._request, etag=response["ETag"], response=response)
        assert conditional is not None  # only without a response to begin with
        return conditional


@cache
def _written(form: str) -> bytes:
    told = openapi.document()
    if form == "json":
        return json.dumps(told, ensure_ascii=False).encode()
    text: bytes = yaml.dump(told, Dumper=_Plain, allow_unicode=True, sort_keys=False, encoding="utf-8")
    return text


class _Plain(yaml.CSafeDumper):
    """Without anchors: what is said twice is written twice, so that any reader of YAML can read it."""

    def ignore_aliases(self, data: object) -> bool:
        return True
