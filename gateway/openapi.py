"""The interface as OpenAPI 3.1 tells it (RFC 9457 for each "no"), at /v1/schema and, to read, at /v1/docs.

A view's method wears `operation`; an object that it answers is described once, by `shape`, beside the function that
makes it. drf-spectacular reads the routes and the serializers of what is taken, and puts the rest together from these.
That an answer is as described is tested with every answer that any test gets: tests/contract.py.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from typing import Any, TypeVar

from django.conf import settings
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from gateway import refusals
from gateway.refusals import Refused

Schema = dict[str, Any]
View = TypeVar("View", bound=Callable[..., Any])

COMPONENTS: dict[str, Schema] = {}
TAGS = {
    "videos": "Ask for clips, watch them being drawn, download them. In the shapes of OpenAI's videos interface.",
    "models": "What can be asked for.",
    "images": "A picture by a text-to-image model, in the shape of OpenAI's images interface.",
    "webhook_endpoints": "Be told instead of asking: where, of what, and what was sent there.",
    "webhook_event_types": "What can be listened for.",
    "me": "Who asks, and what is left to use.",
    "tokens": "One's own tokens; to a token, itself.",
    "guest_passes": "Lend a part of one's allowance.",
    "submissions": "Bring a work before the reviewers, sign what they approved, appeal against what they refused.",
    "publications": "What is public. No token is needed to read it.",
    "consents": "What one's works may be used for: nothing, unless one says so.",
    "contributions": "What one did for the program, at the rates of the terms that one accepted.",
    "conflicts": "Who must not judge whose works.",
    "terms": "What holds, and a person's acceptance of it.",
    "export": "Everything of one's own, in one ZIP.",
    "audit": "What one did here, as the log has it.",
    "policy": "By what works are judged.",
    "reports": "What somebody from outside says against a public work. Nobody needs a token.",
    "reviews": "The reviewers' desk.",
    "brakes": "Stop one key, one artist, one model or everything: for admins, in a browser's session.",
    "leaks": "Where secret scanners report tokens that they found in public.",
    "schema": "This description.",
    "docs": "The same, as a page.",
}
INTRODUCTION = """\
Send a token as `Authorization: Bearer …`; one is made in a browser, under *Access*, and shown once. A browser's session
works too, with its CSRF token. Addresses have no trailing slash.

- **Lists** are cut by cursor: `after` (an id), `limit`, `order`; `has_more` says whether there is more.
- **Ids** are what they name, then 32 hexadecimal digits: `video_…`. What isn't yours isn't there: 404.
- Each object says in `actions` what its reader can do with it now.
- **A “no”** has one body for every operation: RFC 9457's members on top, OpenAI's `error` inside. Its code is one of
  [these](/docs/refusals). `x-should-retry: false` says that trying again changes nothing.
- Each answer has an `X-Request-ID`, the same as in the audit log.
- **Sent twice, done once**: a POST with an `Idempotency-Key` of your own making is answered the same when it is sent
  again, for a day.
- **Unchanged, not sent**: what GET answers has an `ETag`; with it in `If-None-Match` the answer is 304 and has no body.
"""

# ---------------------------------------------------------------- what a value is


def text(what: str = "", **more: Any) -> Schema:
    """A string."""
    return _said(what, {"type": "string", **more})


def integer(what: str = "", **more: Any) -> Schema:
    """A whole number."""
    return _said(what, {"type": "integer", **more})


def number(what: str = "", **more: Any) -> Schema:
    """Any number."""
    return _said(what, {"type": "number", **more})


def boolean(what: str = "") -> Schema:
    """Yes or no."""
    return _said(what, {"type": "boolean"})


def moment(what: str = "") -> Schema:
    """A date and time as RFC 3339 writes them."""
    return text(what, format="date-time")


def unix(what: str = "") -> Schema:
    """Seconds since 1970."""
    return integer(what)


def id_of(noun: str, what: str = "") -> Schema:
    """An id such as `video_…`."""
    return text(what, pattern=f"^{noun}_[0-9a-f]{{32}}$")


def const(value: str) -> Schema:
    """Always this word."""
    return {"type": "string", "const": value}


def one_of(*words: str, what: str = "") -> Schema:
    """One of these words."""
    return text(what, enum=list(words))


def many(of: Schema, what: str = "") -> Schema:
    """A list of these."""
    return _said(what, {"type": "array", "items": of})


def nullable(schema: Schema) -> Schema:
    """This or null."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    null: Schema = {"type": [schema["type"], "null"]}
    if "enum" in schema:
        null["enum"] = [*schema["enum"], None]
    return {**schema, **null}


def fields(what: str = "", /, *, maybe: Sequence[str] = (), **properties: Schema) -> Schema:
    """An object with all of these, but for those that are there only `maybe`."""
    required = [name for name in properties if name not in maybe]
    return _said(what, {"type": "object", "properties": properties, "required": required})


def shape(name: str, what: str, /, *, maybe: Sequence[str] = (), **properties: Schema) -> Schema:
    """Name an object for the whole interface; what it returns points to it."""
    COMPONENTS[name] = fields(what, maybe=maybe, **properties)
    return {"$ref": f"#/components/schemas/{name}"}


def more_than(base: Schema, name: str, what: str, /, *, maybe: Sequence[str] = (), **properties: Schema) -> Schema:
    """Name an object that has all that `base` has, and these."""
    known = COMPONENTS[base["$ref"].rpartition("/")[2]]
    optional = [each for each in known["properties"] if each not in known["required"]]
    return shape(name, what, maybe=[*maybe, *optional], **{**known["properties"], **properties})


def page_of(of: Schema, /, **more: Schema) -> Schema:
    """A page of these, as gateway.api.page cuts it, and what stands beside it."""
    name = of["$ref"].rpartition("/")[2]
    return shape(
        f"{name}Page",
        "A page of a list.",
        object=const("list"),
        data=many(of),
        first_id=nullable(text()),
        last_id=nullable(text()),
        has_more=boolean("Whether there is more after `last_id`."),
        maybe=(),
        **more,
    )


def _said(what: str, schema: Schema) -> Schema:
    return {"description": what, **schema} if what else schema


PROBLEM = shape(
    "Problem",
    "A “no”: RFC 9457's members on top, OpenAI's `error` inside.",
    type=text("Where the refusal is explained.", format="uri"),
    title=text(),
    status=integer(),
    detail=text("One sentence for a person."),
    error=fields(
        message=text("The same sentence."),
        type=text(),
        param=nullable(text("The field that it is about.")),
        code=text("What a program switches on."),
    ),
)

# ---------------------------------------------------------------- parameters and headers


def query(name: str, schema: Schema, what: str, *, required: bool = False) -> OpenApiParameter:
    """Something that is asked for behind the question mark."""
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=what, required=required)


PAGE = (
    query("after", text(), "The id after which the page begins: the `last_id` of the one before."),
    query("limit", integer(minimum=0, maximum=100, default=20), "How many."),
    query("order", one_of("asc", "desc") | {"default": "desc"}, "By when they were made."),
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key", text(minLength=1, maxLength=255), OpenApiParameter.HEADER, description="Sent twice, done once."
)
# How the id in an address begins, by the name that its route gives it.
IDS = {"pass_id": "guest_pass", "endpoint_id": "webhook_endpoint", "delivery_id": "webhook_delivery"}
#: What makes an address into one that can be tried, and a body into one that means something.
MADE_UP = "0190f3c7a1b27c4d8e5f60718293a4b5"

HEADERS = {
    "X-Request-ID": text("The request, as the audit log names it.", format="uuid"),
    "RateLimit-Policy": text("How many requests a minute there are (draft-ietf-httpapi-ratelimit-headers)."),
    "RateLimit": text("How many of them are left."),
    "Retry-After": integer("After how many seconds to ask again."),
    "WWW-Authenticate": text("Bearer."),
    "x-should-retry": text("“false”: trying again changes nothing."),
    "Idempotent-Replayed": text("“true”: this was answered before, and nothing was done again."),
    "ETag": text("What stands in If-None-Match next time, for a 304."),
    "Content-Range": text("Which bytes these are, of how many."),
    "openai-poll-after-ms": text("After how many milliseconds to ask again."),
}

# ---------------------------------------------------------------- operations


@dataclass(frozen=True)
class File:
    """An answer that is a file, of one of these media types."""

    types: tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    """What one method of one address takes and answers.

    `answers` has what it says yes with, by status: a shape, a File, or None for no body. `no` are the refusals that are
    its own; those of every operation (who asks, how often, in what form) come by themselves.
    """

    id: str
    summary: str
    answers: Mapping[int, Schema | File | None]
    body: Any = None
    example: Mapping[str, Any] | None = None
    query: Sequence[OpenApiParameter] = ()
    no: Sequence[type[Refused]] = ()
    headers: Mapping[int, Sequence[str]] = field(default_factory=dict)
    more: str = ""


def operation(*said: Any, **more: Any) -> Callable[[View], View]:
    """Say of a view's method what it does: see Operation for the words."""
    told = Operation(*said, **more)

    def worn(method: View) -> View:
        method.operation = told  # type: ignore[attr-defined]
        return method

    return worn


def operations(acts: Mapping[str, Operation]) -> Callable[[View], View]:
    """The same of a method that does what its view's `act` says."""

    def worn(method: View) -> View:
        method.operations = acts  # type: ignore[attr-defined]
        return method

    return worn


class Described(AutoSchema):
    """drf-spectacular's reading of a view, with what its method wears. An undescribed method raises LookupError."""

    @property
    def told(self) -> Operation:
        method = getattr(self.view, self.method.lower())
        acts: Mapping[str, Operation] = getattr(method, "operations", {})
        told = acts.get(getattr(self.view, "act", ""), getattr(method, "operation", None))
        if told is None:
            raise LookupError(f"{self.method} {self.path} does not say what it does: see gateway/openapi.py")
        return told

    @property
    def is_public(self) -> bool:
        return not self.view.permission_classes

    def get_operation_id(self) -> str:
        return self.told.id

    def get_summary(self) -> str:
        return self.told.summary

    def get_description(self) -> str:  # type: ignore[override]
        return self.told.more

    def get_tags(self) -> list[str]:
        return [self.path.split("/")[2]]

    def get_auth(self) -> list[Schema]:
        if not self.view.authentication_classes:
            return []
        return [{"bearer": []}, {"session": []}, *([{}] if self.is_public else [])]

    def get_request_serializer(self) -> Any:
        return self.told.body

    def get_serializer_name(self, serializer: Any, direction: str) -> str:
        """What is taken is named apart from what is answered."""
        return type(serializer).__name__.removesuffix("Request") + "Request"

    def get_response_serializers(self) -> Any:
        return {}

    def get_override_parameters(self) -> list[Any]:
        path = [self._path_parameter(name) for name in re.findall(r"{(\w+)}", self.path)]
        return [*path, *self.told.query, *([IDEMPOTENCY_KEY] if self.method == "POST" else [])]

    def _path_parameter(self, name: str) -> OpenApiParameter:
        noun = IDS.get(name, name.removesuffix("_id"))
        schema, what = id_of(noun), f"The {noun.replace('_', ' ')}'s id."
        if noun == "secret":
            schema, what = text(), "The secret that came with the first answer."
        elif noun == "model":
            schema, what = text(), "The model's short name."
        elif noun == "token":
            schema, what = text(pattern="^(self|token_[0-9a-f]{32})$"), "The token's id, or `self`: the one that asks."
        return OpenApiParameter(name, schema, OpenApiParameter.PATH, description=what)

    def get_operation(self, *said: Any) -> Schema:
        made: Schema = super().get_operation(*said) or {}
        made["responses"] = self._responses()
        if self.told.example is not None and "requestBody" in made:
            for content in made["requestBody"]["content"].values():
                content["example"] = self.told.example
        made["x-codeSamples"] = [{"lang": "Shell", "label": "curl", "source": self._curl()}]
        return made

    def _responses(self) -> Schema:
        told, found = self.told, {}
        paced = [] if self.is_public and not self.view.authentication_classes else ["RateLimit-Policy", "RateLimit"]
        for status, answer in told.answers.items():
            made: Schema = {"description": WORDS[status]}
            if isinstance(answer, File):
                made["content"] = {kind: {"schema": {}} for kind in answer.types}
            elif answer is not None:
                made["content"] = {"application/json": {"schema": answer}}
            found[str(status)] = made | _headers(
                "X-Request-ID", *paced, *REPEATED[self.method], *told.headers.get(status, ())
            )
        if self.method == "GET" and 200 in told.answers and 304 not in told.answers:
            found["304"] = {"description": WORDS[304]} | _headers("X-Request-ID", *paced, "ETag")
        for status, kinds in groupby(sorted(self._refusals()), key=lambda one: one[0]):
            codes = list(dict.fromkeys(code for _, code in kinds))
            schema = PROBLEM | {"properties": {"error": {"properties": {"code": {"enum": codes}}}}}
            known = found.get(str(status))
            if known is not None and "content" in known:  # a body of its own, or a “no”
                schema = {"anyOf": [known["content"]["application/json"]["schema"], schema]}
            made = {"description": WORDS[status], "content": {"application/json": {"schema": schema}}}
            made |= _headers("X-Request-ID", "x-should-retry", *NO_HEADERS.get(status, ()))
            found[str(status)] = _pointed_to(" ".join(codes), made)
        return dict(sorted(found.items()))

    def _refusals(self) -> list[tuple[int, str]]:
        """Status and code of each “no” that it can answer, its own and those of every operation."""
        told, known = self.told, bool(self.view.authentication_classes)
        unsafe, has_input = self.method != "GET", self.told.body is not None
        kinds: list[type[Refused]] = [*told.no, refusals.LogUnavailable]
        found = []
        if known:
            kinds += [refusals.BadToken, refusals.NotFromHere, refusals.Braked, refusals.SecondFactorFirst]
            kinds += [refusals.TooManyRequests, refusals.Slowed]
            kinds += [] if self.is_public else [refusals.SignInFirst]
            found += [(403, INVALID)] if unsafe else []  # a session's request without its CSRF token
        kinds += [refusals.ReadOnlyWhileImpersonating] if unsafe else []
        if self.method == "POST":
            kinds += [refusals.KeyUnreadable, refusals.KeyDiffers, refusals.StillRunning, refusals.AnswerNotKept]
        if "{" in self.path or any(each.name == "after" for each in told.query):
            kinds.append(refusals.NotFound)
        if has_input or told.query:
            found.append((400, INVALID))
        if has_input:
            kinds.append(refusals.RequestTooLarge)
            found.append((415, INVALID))
        return found + [(kind.status, kind.word()) for kind in kinds]

    def _curl(self) -> str:
        """The request as it can be typed, once TOKEN and GATEWAY are set."""
        path = re.sub(r"{(\w+)}", lambda found: _sample(found[1]), self.path.removeprefix("/v1"))
        line = [f'curl -s "$GATEWAY{path}"']
        if self.method not in ("GET", "POST") or (self.method == "POST" and self.told.body is None):
            line[0] += f" -X {self.method}"
        if not self.is_public:
            line.append('-H "Authorization: Bearer $TOKEN"')
        if self.told.body is not None:
            line.append("-H 'Content-Type: application/json'")
            line.append("-d '" + json.dumps(self.told.example or {}, ensure_ascii=False) + "'")
        if any(isinstance(answer, File) for answer in self.told.answers.values()):
            line.append("-o file")
        return " \\\n  ".join(line)


#: What an answer says of having been given before, by method.
REPEATED = {"GET": ["ETag"], "POST": ["Idempotent-Replayed"], "PATCH": [], "DELETE": []}
WORDS = {
    200: "Done.",
    201: "Made.",
    202: "Begun.",
    206: "A part of it.",
    304: "It is as you have it.",
    400: "Something in the request can't be read, or isn't possible.",
    401: "Nobody is known by this token, or none came.",
    402: "There are too few credits.",
    403: "This may not be done, or not by you.",
    404: "There is nothing here, or nothing that you may see.",
    409: "Not as things stand.",
    410: "It was here, and is gone.",
    413: "Too large.",
    415: "Of a kind that isn't read here.",
    416: "There are no such bytes.",
    422: "This key was used for something else.",
    429: "Too often, or too many.",
    501: "There is no such format.",
    503: "Not at this moment.",
    507: "There is no room.",
}
INVALID = "invalid"  # gateway.api.Invalid
NO_HEADERS = {401: ["WWW-Authenticate"], 429: ["Retry-After"], 503: ["Retry-After"]}


#: What many operations answer alike, by its codes.
ALIKE = {
    "bad_token": "BadToken",
    "bad_token sign_in_first": "NotSignedIn",
    "braked not_from_here second_factor_first": "DoorShut",
    "braked invalid not_from_here read_only_while_impersonating second_factor_first": "ChangesShut",
    "not_found": "NotFound",
    "request_too_large": "RequestTooLarge",
    "slowed too_many_requests": "TooMany",
    "log_unavailable": "LogUnavailable",
}
RESPONSES: dict[str, Schema] = {}


def _pointed_to(codes: str, response: Schema) -> Schema:
    if codes not in ALIKE:
        return response
    RESPONSES[ALIKE[codes]] = response
    return {"$ref": f"#/components/responses/{ALIKE[codes]}"}


def _headers(*names: str) -> Schema:
    return {"headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names}}


def _sample(name: str) -> str:
    noun = IDS.get(name, name.removesuffix("_id"))
    return {"secret": "SECRET", "model": "sketch"}.get(noun, f"{noun}_{MADE_UP}")


#: What is sent to webhook endpoints, by event; each is an entry of `webhooks:` (OpenAPI 3.1).
WEBHOOKS: dict[str, Schema] = {}


@cache
def document() -> Schema:
    """The whole description, made once a process: nothing in it depends on who asks."""
    made: Schema = SchemaGenerator().get_schema(request=None, public=True)
    made["info"] = {
        "title": settings.PROGRAM_NAME,
        "version": "1",
        "summary": "An artist-controlled gateway to generative video models.",
        "description": INTRODUCTION,
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    }
    made["servers"] = [{"url": settings.BASE_URL}]
    made["components"]["schemas"] = dict(sorted({**made["components"]["schemas"], **COMPONENTS}.items()))
    made["components"]["responses"] = dict(sorted(RESPONSES.items()))
    made["components"]["headers"] = {name: {"schema": schema} for name, schema in HEADERS.items()}
    made["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "bat_artist_… or bat_service_…"},
        "session": {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME},
    }
    made["tags"] = [{"name": name, "description": what} for name, what in TAGS.items()]
    if WEBHOOKS:
        made["webhooks"] = WEBHOOKS
    return made
