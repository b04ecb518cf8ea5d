"""A browser without scripts: it reads pages, and fills and sends the forms that they show."""

import html
import re
from html.parser import HTMLParser
from typing import Any

from django.test import Client


class Form:
    """One form of a page: where it goes, what it holds, and the other places that its buttons send it to."""

    def __init__(self, attributes: dict[str, str]) -> None:
        self.id = attributes.get("id", "")
        self.method = attributes.get("method", "get")
        self.actions = {attributes.get("action", "")}
        self.fields: dict[str, Any] = {}


class Forms(HTMLParser):
    """Finds the forms of a page, with the values that a browser would send back."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self.inside: Form | None = None
        self.buttons: list[tuple[str, str]] = []
        self.select, self.textarea = "", ""
        self.feed(page)
        for owner, action in self.buttons:
            for form in self.found:
                if form.id == owner:
                    form.actions.add(action)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.inside = Form(told)
            self.found.append(self.inside)
        elif tag == "button" and "formaction" in told:
            self.buttons.append((told.get("form", self.inside.id if self.inside else ""), told["formaction"]))
        elif self.inside is None or not (name := told.get("name", self.select)):
            return
        elif tag == "input" and told.get("type") in ("checkbox", "radio"):
            if "checked" in told:
                self.inside.fields.setdefault(name, []).append(told.get("value", "on"))
        elif tag == "input":
            self.inside.fields[name] = told.get("value", "")
        elif tag == "textarea":
            self.inside.fields[name], self.textarea = "", name
        elif tag == "select":
            self.select = name
        elif tag == "option" and ("selected" in told or self.select not in self.inside.fields):
            self.inside.fields[self.select] = told.get("value", "")

    def handle_data(self, data: str) -> None:
        if self.textarea and self.inside is not None:
            self.inside.fields[self.textarea] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = None
        elif tag == "textarea":
            self.textarea = ""
        elif tag == "select":
            self.select = ""


class Browser:
    """One person's browser, with Django's check of forged requests on."""

    def __init__(self) -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.page = ""
        self.status = 0
        self.where = ""
        self.asked: list[tuple[str, str]] = []  # method and id of each request

    def goes_to(self, path: str, status: int = 200) -> "Browser":
        return self._answer("GET", path, self.client.get(path), status)

    def sends(self, action: str, status: int = 200, **fields: Any) -> "Browser":
        """Fill and send the form of this page that goes to `action`."""
        forms = [form for form in self._forms_to(action) if form.method == "post"]
        assert forms, f"{self.where} has no form to {action}"
        return self.forges(action, status, **{**forms[0].fields, **fields})

    def forges(self, action: str, status: int = 200, **fields: Any) -> "Browser":
        """Send what no form of this page would, with this browser's own token."""
        if "csrfmiddlewaretoken" not in fields:
            fields["csrfmiddlewaretoken"] = self.token
        return self._answer("POST", action, self.client.post(action, fields), status)

    @property
    def token(self) -> str:
        return Forms(self.page).found[0].fields["csrfmiddlewaretoken"]

    @property
    def text(self) -> str:
        """What a person reads, without the marks."""
        body = re.sub(r"<(script|style|head)\b.*?</\1>", " ", self.page, flags=re.DOTALL)
        body = re.sub(r"</?(span|output|strong|em|small|a|code|time|kbd)\b[^>]*>", "", body)
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())

    def reads(self, *sentences: str) -> "Browser":
        for sentence in sentences:
            assert sentence in self.text, (sentence, self.where, self.text)
        return self

    def can_send(self, action: str) -> bool:
        return bool(self._forms_to(action))

    def _forms_to(self, action: str) -> list[Form]:
        wanted = {action, ""} if action == self.where else {action}  # a form that names no place goes to its own page
        return [form for form in Forms(self.page).found if wanted & form.actions]

    def _answer(self, method: str, path: str, answer: Any, status: int) -> "Browser":
        self.asked.append((method, answer["X-Request-ID"]))
        if answer.status_code in (302, 303):
            return self.goes_to(answer["Location"], status)
        self.page = b"".join(answer.streaming_content if answer.streaming else [answer.content]).decode(
            errors="replace"
        )
        self.status, self.where, self.answer = answer.status_code, path, answer
        assert self.status == status, (method, path, self.status, self.text[:600])
        return self
