"""One work's whole journey over REST, with tokens; each refused step has its code and its sentence."""

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from gateway.models import Entry, Token
from generation.models import Generation
from review import decisions
from review.models import Decision, Publication
from tests import makers

pytestmark = pytest.mark.django_db
PROMPT = "a pale sun over a grey field"
WORDS = {"title": "Harbour", "credit": "Ines Marchetti", "licence": "CC-BY-NC-4.0", "description": "For my mother."}
SIGNED = {"name": "Ines Marchetti", "revision": 1}
WHY = {"clauses": [4], "facts": "It blinks hard.", "from_seconds": 0.5}


class Client:
    """One person's script, which remembers what it asked."""

    def __init__(self, secret: str = "") -> None:
        self.client = APIClient()
        self.asked: list[tuple[str, str, str]] = []  # method, id of the request, code of the refusal
        if secret:
            self.client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")

    def get(self, path: str, status: int = 200, code: str = "", says: str = "") -> Any:
        return self._answer("GET", path, self.client.get(f"/v1{path}"), (status, code, says))

    def post(self, path: str, body: Any = None, status: int = 200, code: str = "", says: str = "") -> Any:
        answer = self.client.post(f"/v1{path}", body or {}, format="json")
        return self._answer("POST", path, answer, (status, code, says))

    def _answer(self, method: str, path: str, answer: Any, expected: tuple[int, str, str]) -> Any:
        status, code, says = expected
        self.asked.append((method, answer["X-Request-ID"], code))
        if answer.streaming:
            assert answer.status_code == status
            return b"".join(answer.streaming_content)
        told = answer.json()
        assert answer.status_code == status, (method, path, answer.status_code, told)
        if code:
            assert (told["error"]["code"], told["status"]) == (code, status), told
            assert says in told["detail"] == told["error"]["message"], told
        return told


def test_the_whole_journey_over_rest(artist, stranger, reviewer):
    makers.policy()
    makers.sketch()
    artist.membership.credits = 2
    artist.membership.save()
    ines, tomas = Client(makers.token(artist)), Client(makers.token(stranger))
    rosa, guest = Client(makers.token(reviewer)), Client()
    drawer = Client(makers.token(artist, "generate"))  # a script that may draw, and nothing else

    # 1. A clip is asked for.
    guest.get("/videos", 401, "sign_in_first", "Sign in first")
    Client("bat_artist_" + "0" * 36).get("/videos", 401, "bad_token", "This token is unknown")
    assert [model["id"] for model in ines.get("/models")["data"]] == ["sketch"]
    ines.post("/videos", {"prompt": " "}, 400, "prompt_missing", "the prompt is empty")
    ines.post("/videos", {"prompt": "word " * 40}, 400, "prompt_too_long", "has 40 words")
    ines.post("/videos", {"prompt": PROMPT, "model": "veo-3"}, 400, "unknown_model", "There is no model “veo-3” here")
    ines.post("/videos", {"prompt": PROMPT, "seconds": 12}, 400, "not_offered", "does not offer seconds “12”")
    made = ines.post("/videos", {"prompt": PROMPT, "seconds": "2", "seed": 7})
    video, generation = made["id"], Generation.objects.get()
    assert (made["status"], made["credits"], made["queue"]["position"]) == ("queued", 2, None)
    drawer.post("/videos", {"prompt": PROMPT}, 402, "not_enough_credits", "0 of 2 are free")
    rosa.post("/videos", {"prompt": PROMPT}, 403, "missing_scope", "lacks the scope “generate”")
    ines.get(f"/videos/{video}/content", 409, "not_ready", "This video is queued")
    ines.post("/submissions", {"video": video, **WORDS}, 409, "nothing_to_submit", "This generation is queued")

    # 2. It is drawn: its artist has it, nobody else.
    makers.drawn(generation)
    assert ines.get(f"/videos/{video}")["status"] == "completed"
    clip = ines.get(f"/videos/{video}/content")
    assert clip[4:8] == b"ftyp"
    assert ines.get(f"/videos/{video}/content?variant=thumbnail")[:4] == b"RIFF"
    for door in (f"/videos/{video}", f"/videos/{video}/content"):
        tomas.get(door, 404, "not_found", "There is nothing here")
        rosa.get(door, 404, "not_found", "There is nothing here")
    ines.post(f"/videos/{video}/cancel", None, 409, "wrong_state", "This generation is completed")

    # 3. It is submitted.
    tomas.post("/submissions", {"video": video, **WORDS}, 404, "not_found")
    drawer.post("/submissions", {"video": video, **WORDS}, 403, "missing_scope", "lacks the scope “submit”")
    ines.post("/submissions", {"video": video, **WORDS, "licence": "MIT"}, 400, "invalid", "licence: ")
    shown = ines.post("/submissions", {"video": video, **WORDS}, 201)
    mine, desk = f"/submissions/{shown['id']}", f"/reviews/{shown['id']}"
    assert (shown["status"], shown["actions"], shown["video"]) == ("submitted", ["withdraw"], video)
    ines.post("/submissions", {"video": video, **WORDS}, 409, "already_submitted")
    ines.post(f"{mine}/sign_off", SIGNED, 409, "not_approved", "This submission is submitted")
    tomas.get(mine, 404, "not_found")

    # 4. A reviewer looks, asks for a change, takes it back, and approves.
    ines.get("/reviews", 403, "missing_scope")
    ines.post(f"{desk}/take", None, 403, "reviewers_only", "Only a reviewer may do that.")
    assert [row["id"] for row in rosa.get("/reviews")["data"]] == [shown["id"]]
    rosa.post(f"{desk}/approve", {}, 409, "not_held", "You do not hold this submission")
    rosa.get(f"{desk}/content", 404, "not_found")
    taken = rosa.post("/reviews/next")
    assert (taken["prompt"], taken["seed"], taken["revision"]["title"]) == (PROMPT, 7, "Harbour")
    assert rosa.get(f"{desk}/content") == clip
    Client(makers.token(makers.reviewer())).post(f"{desk}/take", None, 409, "held_by_another")
    rosa.post(f"{desk}/reject", {}, 400, "reasons_missing", "a clause of the policy")
    rosa.post(f"{desk}/reject", {**WHY, "clauses": [77]}, 400, "unknown_clause")
    assert rosa.post(f"{desk}/request_changes", WHY)["verdict"] == "request_changes"
    before = ines.get(mine)
    assert (before["status"], before["decision"]) == ("submitted", None)
    ines.post(f"{mine}/revise", WORDS, 409, "wrong_state", "This submission is submitted")
    rosa.post(f"{desk}/undo")
    rosa.post(f"{desk}/approve", {})
    ines.post(f"{mine}/sign_off", SIGNED, 409, "not_approved", "This submission is submitted")
    rosa.get(f"{desk}/content", 404, "not_found")

    # 5. It is in effect: the artist signs.
    makers.in_effect(Decision.objects.latest("id"))
    decisions.announce()
    rosa.post(f"{desk}/undo", None, 409, "too_late_to_undo")
    told = ines.get(mine)
    assert (told["status"], told["actions"], told["decision"]["verdict"]) == (
        "approved",
        ["sign_off", "withdraw"],
        "approve",
    )
    assert guest.get("/publications")["data"] == []
    drawer.post(f"{mine}/sign_off", SIGNED, 403, "missing_scope", "lacks the scope “publish”")
    tomas.post(f"{mine}/sign_off", SIGNED, 404, "not_found")
    ines.post(f"{mine}/sign_off", {**SIGNED, "name": ""}, 400, "not_signed_off", "Sign with your name")
    ines.post(
        f"{mine}/sign_off", {**SIGNED, "revision": 2}, 409, "outdated_revision", "You would be signing revision 2"
    )
    signed = ines.post(f"{mine}/sign_off", SIGNED)
    assert signed["published"]

    # 6. Anyone sees it; and then that it was here.
    public = f"/publications/{signed['publication']}"
    assert [row["id"] for row in guest.get("/publications")["data"]] == [signed["publication"]]
    seen = guest.get(public)
    assert (seen["title"], seen["credit"], seen["licence"]) == ("Harbour", "Ines Marchetti", "CC-BY-NC-4.0")
    assert seen["sha256"] == shown["revision"]["sha256"] and "prompt" not in seen
    assert guest.get(f"{public}/content") == clip
    tomas.post(f"{public}/withdraw", None, 404, "not_found")
    guest.post(f"{public}/withdraw", None, 401, "sign_in_first")
    drawer.post(f"{public}/withdraw", None, 403, "missing_scope")
    assert ines.post(f"{public}/withdraw")["status"] == "withdrawn"
    gone = guest.get(public, 410)
    assert gone["status"] == "withdrawn" and "video_url" not in gone
    guest.get(f"{public}/content", 410, "gone_by_its_artist", "The artist has withdrawn this work.")
    assert guest.get("/publications")["data"] == []
    ines.post(f"{public}/withdraw", None, 409, "wrong_state")
    assert ines.get(mine)["status"] == "withdrawn"

    # 7. A token that is revoked is dead on its next request.
    Token.objects.filter(user=artist.user).update(revoked_at=shown["created_at"])
    ines.get(mine, 401, "bad_token")

    # 8. Each request is in the log with what was refused, and each change once.
    for client in (ines, tomas, rosa, guest, drawer):
        for method, request_id, code in client.asked:
            entries = list(Entry.objects.filter(request_id=request_id).order_by("id"))
            assert entries[-1].action == "request.answered"
            assert (entries[0].action == "request.received") is (method == "POST")
            assert json.loads(bytes(entries[-1].body))["facts"].get("refused", "") == code
    changes = Entry.objects.exclude(action__startswith="request.").filter(request_id__isnull=False)
    assert list(changes.order_by("id").values_list("action", flat=True)) == [
        "generation.queued",
        "submission.submitted",
        "submission.taken",
        "submission.viewed",
        "submission.changes_requested",
        "decision.request_changes",
        "submission.submitted",
        "decision.undone",
        "submission.approved",
        "decision.approve",
        "sign_off.signed",
        "publication.published",
        "publication.withdrawn",
        "submission.withdrawn",
    ]
    assert Publication.objects.get().state == "withdrawn"


def test_a_browsers_session_works_too_and_is_asked_for_the_forms_token(artist):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(artist.user)
    assert client.get("/v1/videos").status_code == 200
    makers.sketch()
    answer = client.post("/v1/videos", {"prompt": PROMPT}, format="json")
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]
    assert not Generation.objects.exists()


def test_an_address_that_is_none_is_answered_in_json(guest):
    for path in ("/v1/nothing", "/v1/videos/x/y/z", "/v1"):
        answer = guest.get(path)
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
        assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"x"', "1", '{"prompt": {}}', '{"prompt": ["a"]}'])
def test_a_body_that_can_not_be_read_is_refused_in_json(artist, client_of, body):
    makers.sketch()
    client = client_of(artist)
    client.raise_request_exception = False
    for path in ("/v1/videos", "/v1/submissions"):
        answer = client.post(path, body, content_type="application/json")
        assert answer.status_code == 400, (path, answer.content[:200])
        assert answer.json()["error"]["type"] == "invalid_request_error"
