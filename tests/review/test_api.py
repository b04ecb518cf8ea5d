"""/v1/submissions, /v1/reviews and /v1/publications."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import refusals
from gateway.models import Entry
from gateway.models.base import new_id
from review import decisions, publishing, queue, submissions
from review.models import Clause, Decision, Publication, Submission
from tests import makers

pytestmark = pytest.mark.django_db
WORDS = {"title": "Kiln", "credit": "An artist", "licence": "CC-BY-4.0"}
REASONS = {"clauses": [4], "facts": "It blinks.", "from_seconds": 0.5}
SIGNED = {"name": "An artist", "revision": 1}


def video(generation) -> str:
    return f"video_{generation.pk.hex}"


def at(submission: Submission, act: str = "", room: str = "submissions") -> str:
    return f"/v1/{room}/submission_{submission.pk.hex}" + (f"/{act}" if act else "")


def review(submission: Submission, act: str = "") -> str:
    return at(submission, act, "reviews")


def refused(answer, kind: type[refusals.Refused], **facts: object) -> None:
    """The one body for every "no": problem members at the top, OpenAI's error inside, the refusal's own sentence."""
    told = answer.json()
    code = kind.code.fget(kind.__new__(kind))  # type: ignore[attr-defined]
    assert (answer.status_code, told["status"], told["error"]["code"]) == (kind.status, kind.status, code), told
    sentence = " ".join((kind.__doc__ or "").split())
    assert told["detail"] == told["error"]["message"] == (sentence.format(**facts) if facts else sentence)
    assert answer["Content-Type"].startswith("application/json")


# ---------------------------------------------------------------- the artist's side


def test_a_work_is_submitted_shown_listed_and_taken_back(artist, client_of):
    client, generation = client_of(artist), makers.completed(artist)
    made = client.post("/v1/submissions", {"video": video(generation), **WORDS}, format="json")
    assert made.status_code == 201
    shown = made.json()
    assert (shown["object"], shown["status"], shown["video"]) == ("submission", "submitted", video(generation))
    assert (shown["revision"]["number"], shown["revision"]["title"]) == (1, "Kiln")
    assert shown["revision"]["sha256"] == generation.output("video").sha256
    assert shown["actions"] == ["withdraw"]
    assert client.get(f"/v1/submissions/{shown['id']}").json() == shown
    assert client.get("/v1/submissions").json()["data"] == [shown]
    assert client.get(f"/v1/submissions?video={video(generation)}").json()["data"] == [shown]
    assert client.get(f"/v1/submissions?video={video(makers.completed(artist, seed=2))}").json()["data"] == []
    gone = client.post(f"/v1/submissions/{shown['id']}/withdraw").json()
    assert (gone["status"], gone["actions"]) == ("withdrawn", [])


@pytest.mark.parametrize(
    ("words", "param"),
    [
        ({"title": ""}, "title"),
        ({"title": "  \n"}, "title"),
        ({"title": "x" * 121}, "title"),
        ({"title": "a\0b"}, "title"),
        ({"title": "\ud800"}, "title"),
        ({"credit": None}, "credit"),
        ({"licence": "MIT"}, "licence"),
        ({"description": "x" * 2001}, "description"),
        ({"video": ["x"]}, "video"),
    ],
)
def test_a_field_that_can_not_be_read_is_named(artist, client_of, words, param):
    asked = {"video": video(makers.completed(artist)), **WORDS, **words}
    answer = client_of(artist).post("/v1/submissions", json.dumps(asked), content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert answer.json()["detail"].startswith(f"{param}: ")
    assert not Submission.objects.exists()


def test_each_refused_step_of_the_artist_has_its_own_sentence(artist, client_of):
    client = client_of(artist)
    refused(
        client.post("/v1/submissions", {"video": video(makers.queued(artist)), **WORDS}, format="json"),
        refusals.NothingToSubmit,
        state="queued",
    )
    refused(client.post("/v1/submissions", {"video": "video_" + "0" * 32, **WORDS}, format="json"), refusals.NotFound)
    generation = makers.completed(artist)
    submission = makers.submitted(artist, generation)
    again = client.post("/v1/submissions", {"video": video(generation), **WORDS}, format="json")
    refused(again, refusals.AlreadySubmitted)
    refused(client.post(at(submission, "sign_off"), SIGNED, format="json"), refusals.NotApproved, state="submitted")
    nameless = client.post(at(submission, "sign_off"), {**SIGNED, "name": " "}, format="json")
    refused(nameless, refusals.NotSignedOff)
    refused(client.post(at(submission, "revise"), WORDS, format="json"), refusals.WrongState,
            noun="submission", state="submitted", to="submitted")  # fmt: skip
    client.post(at(submission, "withdraw"))
    refused(client.post(at(submission, "withdraw")), refusals.WrongState,
            noun="submission", state="withdrawn", to="withdrawn")  # fmt: skip


def test_an_outdated_revision_is_not_signed(artist, client_of, no_undo):
    submission = makers.submitted(artist)
    makers.decided(submission)
    answer = client_of(artist).post(at(submission, "sign_off"), {**SIGNED, "revision": 7}, format="json")
    refused(answer, refusals.OutdatedRevision, asked=7, current=1)


@pytest.mark.parametrize("revision", ["1; drop", None, 0, -1, 10**30, 1.5, [], "9" * 2000])
def test_a_revision_that_is_none_is_refused_and_signs_nothing(artist, client_of, no_undo, revision):
    submission = makers.submitted(artist)
    makers.decided(submission)
    answer = client_of(artist).post(at(submission, "sign_off"), {**SIGNED, "revision": revision}, format="json")
    assert answer.status_code in (400, 409)
    assert not Publication.objects.exists()


def test_the_decision_and_its_letter_are_told_when_it_is_in_effect(artist, client_of, no_undo):
    submission = makers.submitted(artist)
    makers.decided(submission, "request_changes")
    shown = client_of(artist).get(at(submission)).json()
    assert (shown["status"], shown["actions"]) == ("changes_requested", ["revise", "withdraw", "appeal"])
    decision = shown["decision"]
    assert [clause["number"] for clause in decision["clauses"]] == [4]
    assert (decision["facts"], decision["from_seconds"]) == ("It blinks.", 0.5)
    assert "It blinks." in decision["letter"]
    for private in ("note", "reviewer"):
        assert private not in decision
    revised = client_of(artist).post(at(submission, "revise"), {**WORDS, "title": "Softer"}, format="json").json()
    assert (revised["status"], revised["revision"]["number"], revised["decision"]) == ("submitted", 2, None)


def test_signing_publishes_and_answers_where(artist, client_of, guest, no_undo):
    submission = makers.submitted(artist)
    makers.decided(submission)
    client = client_of(artist)
    assert client.get(at(submission)).json()["actions"] == ["sign_off", "withdraw"]
    signed = client.post(at(submission, "sign_off"), SIGNED, format="json").json()
    assert signed["published"] is True
    again = client.post(at(submission, "sign_off"), SIGNED, format="json").json()
    assert again["publication"] == signed["publication"]
    shown = guest.get(f"/v1/publications/{signed['publication']}").json()
    assert (shown["status"], shown["credit"]) == ("published", "An artist")
    assert guest.get(shown["video_url"]).status_code == guest.get(shown["poster_url"]).status_code == 200


# ---------------------------------------------------------------- strangers and scopes


def test_a_stranger_is_answered_that_there_is_nothing(artist, stranger, client_of, no_undo):
    published = makers.published(artist)
    submission = makers.submitted(artist)
    client = client_of(stranger)
    doors = [
        client.get(at(submission)),
        client.get(f"/v1/submissions/submission_{'0' * 32}"),
        client.post(at(submission, "withdraw")),
        client.post(at(submission, "sign_off"), SIGNED, format="json"),
        client.post(at(submission, "revise"), WORDS, format="json"),
        client.post("/v1/submissions", {"video": video(submission.generation), **WORDS}, format="json"),
        client.post(f"/v1/publications/publication_{published.pk.hex}/withdraw"),
    ]
    for answer in doors:
        refused(answer, refusals.NotFound)
    assert client.get("/v1/submissions").json()["data"] == []
    assert client.get(f"/v1/submissions?video={video(submission.generation)}").json()["data"] == []


@pytest.mark.parametrize("room", ["submissions", "reviews"])
@pytest.mark.parametrize(
    "name", ["x", "submission_", "submission_zz", "video_{}", "submission_{}0", "{}", "_{}", "%00"]
)
def test_an_id_that_is_none_is_nothing(artist, reviewer, client_of, room, name):
    submission = makers.submitted(artist)
    client = client_of(artist if room == "submissions" else reviewer)
    answer = client.get(f"/v1/{room}/{name.format(submission.pk.hex)}")
    assert answer.status_code == 404


SCOPED = [
    ("submit", "generate", lambda c, s: c.post(at(s, "withdraw"))),
    ("submit", "publish", lambda c, s: c.post(at(s, "revise"), WORDS, format="json")),
    (
        "submit",
        "generate",
        lambda c, s: c.post("/v1/submissions", {"video": video(s.generation), **WORDS}, format="json"),
    ),
    ("publish", "submit", lambda c, s: c.post(at(s, "sign_off"), SIGNED, format="json")),
]


@pytest.mark.parametrize(("needed", "has", "ask"), SCOPED)
def test_a_token_does_only_what_it_was_made_for(artist, client_of, needed, has, ask):
    refused(ask(client_of(artist, has), makers.submitted(artist)), refusals.MissingScope, scope=needed)


def test_a_reviewers_token_without_the_scope_reviews_nothing(artist, client_of):
    both = makers.artist()
    both.user.is_reviewer = True
    both.user.save()
    submission = makers.submitted(artist)
    client = client_of(both, "generate")
    for answer in (
        client.get("/v1/reviews"),
        client.post("/v1/reviews/next"),
        client.get(review(submission)),
        client.get(review(submission, "content")),
        client.post(review(submission, "take")),
        client.post(review(submission, "approve"), {}, format="json"),
        client.post(review(submission, "undo")),
    ):
        assert answer.status_code in (403, 404)
        assert "prompt" not in answer.json()
    assert makers.seen(submission).holder_id is None


def test_a_token_with_the_scope_of_somebody_who_reviews_no_more(artist, reviewer, client_of):
    submission = makers.submitted(artist)
    client = client_of(reviewer)
    client.post(review(submission, "take"))
    type(reviewer.user).objects.update(is_reviewer=False)
    for answer in (
        client.get("/v1/reviews"),
        client.get(review(submission)),
        client.get(review(submission, "content")),
        client.post(review(submission, "approve"), {}, format="json"),
    ):
        refused(answer, refusals.ReviewersOnly)


# ---------------------------------------------------------------- the reviewer's side


def test_a_review_from_the_queue_to_the_verdict_and_back(artist, reviewer, client_of):
    submission = makers.submitted(artist)
    client = client_of(reviewer)
    waiting = client.get("/v1/reviews").json()["data"]
    assert [(row["id"], row["actions"]) for row in waiting] == [(f"submission_{submission.pk.hex}", ["take"])]
    assert "prompt" not in waiting[0]
    taken = client.post("/v1/reviews/next").json()
    assert taken["prompt"] == submission.generation.prompt
    assert client.get(review(submission)).json() == taken
    assert client.get(review(submission, "content")).status_code == 200
    makers.policy()
    decided = client.post(review(submission, "reject"), REASONS, format="json").json()
    assert (decided["verdict"], decided["clauses"][0]["number"]) == ("reject", 4)
    refused(client.get(review(submission)), refusals.NotFound)
    refused(client.get(review(submission, "content")), refusals.NotFound)
    assert client.post(review(submission, "undo")).json()["lease_until"]
    assert client.post(review(submission, "approve"), {}, format="json").json()["verdict"] == "approve"


def test_each_refused_step_of_the_reviewer_has_its_own_sentence(artist, reviewer, client_of, settings):
    settings.UNDO_SECONDS = 0
    client, colleague = client_of(reviewer), client_of(makers.reviewer())
    refused(client.post("/v1/reviews/next"), refusals.NothingWaiting)
    submission = makers.submitted(artist)
    makers.policy()
    refused(client.post(review(submission, "approve"), {}, format="json"), refusals.NotHeld)
    refused(client.post(review(submission, "renew")), refusals.NotHeld)
    refused(client.post(review(submission, "release")), refusals.NotHeld)
    client.post(review(submission, "take"))
    refused(colleague.post(review(submission, "take")), refusals.HeldByAnother)
    refused(client.post(review(submission, "reject"), {}, format="json"), refusals.ReasonsMissing,
            missing="a clause of the policy and the facts and the place in the clip")  # fmt: skip
    refused(client.post(review(submission, "reject"), {**REASONS, "clauses": [99]}, format="json"),
            refusals.UnknownClause)  # fmt: skip
    Submission.objects.update(renewals=queue.RENEWALS)
    refused(client.post(review(submission, "renew")), refusals.NoMoreRenewals)
    client.post(review(submission, "approve"), {}, format="json")
    refused(client.post(review(submission, "undo")), refusals.TooLateToUndo)
    refused(client.post(review(submission, "take")), refusals.NothingWaiting)
    refused(colleague.post(review(submission, "undo")), refusals.NotFound)
    refused(client_of(artist).get("/v1/reviews"), refusals.MissingScope, scope="review")
    refused(client_of(artist).post(review(submission, "take")), refusals.ReviewersOnly)


def test_nobody_reviews_their_own_by_rest(client_of):
    both = makers.artist()
    both.user.is_reviewer = True
    both.user.save()
    submission = makers.submitted(both)
    client = client_of(both)
    refused(client.post(review(submission, "take")), refusals.OwnWork)
    refused(client.post(review(submission, "approve"), {}, format="json"), refusals.OwnWork)
    assert client.get("/v1/reviews").json()["data"] == []


def test_the_reviewer_reads_what_the_shown_clip_was_asked_for(artist, reviewer, client_of, no_undo):
    """A new version may be another clip: then its prompt, seed and settings are the ones to look at."""
    submission = makers.submitted(artist, makers.completed(artist, prompt="a red circle", seed=1))
    makers.decided(submission, "request_changes")
    other = makers.completed(artist, prompt="a green square", seed=2)
    submissions.resubmit(makers.seen(submission), by=artist, generation=other, **WORDS)
    client = client_of(reviewer)
    client.post(review(submission, "take"))
    shown = client.get(review(submission)).json()
    assert (shown["prompt"], shown["seed"]) == ("a green square", 2)


def test_the_public_reads_which_model_made_the_published_clip(artist, guest, no_undo):
    sketch = makers.sketch()
    other = type(sketch).objects.get(pk=sketch.pk)
    other.pk, other.slug, other.name, other.position = new_id(), "other", "Other", 99
    other._state.adding = True
    other.save()
    submission = makers.submitted(artist)
    makers.decided(submission, "request_changes")
    clip = makers.completed(artist, model="other")
    submissions.resubmit(makers.seen(submission), by=artist, generation=clip, **WORDS)
    makers.decided(submission)
    publication = publishing.sign_off(makers.seen(submission), by=artist, revision=2, name="An artist")
    assert guest.get(f"/v1/publications/publication_{publication.pk.hex}").json()["model"] == "other"
    assert guest.get(f"/works/{publication.pk.hex}").context["generation"].model.name == "Other"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", 1e400, "1e999"])
@pytest.mark.parametrize("field", ["from_seconds", "to_seconds"])
def test_no_number_gets_into_a_decision_as_one(artist, reviewer, client_of, no_undo, field, number):
    """It would be stored, and from then on no answer that shows it is JSON: the artist's own list would fail."""
    submission = makers.submitted(artist)
    makers.policy()
    client = client_of(reviewer)
    client.raise_request_exception = False
    client.post(review(submission, "take"))
    answer = client.post(
        review(submission, "reject"), json.dumps({**REASONS, field: number}), content_type="application/json"
    )
    assert answer.status_code == 400
    assert client_of(artist).get("/v1/submissions").status_code == 200


BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "clauses": BODIES | st.lists(st.integers(), max_size=3) | st.just([4]),
        "facts": BODIES | st.text(),
        "from_seconds": BODIES | st.floats() | st.sampled_from(["NaN", "inf", "1_0", "٣"]),
        "to_seconds": BODIES | st.floats(),
        "region": BODIES | st.text(),
        "note": BODIES | st.text(),
    },
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=FIELDS | BODIES, act=st.sampled_from(["reject", "request_changes", "approve", "escalate"]))
def test_whatever_a_reviewer_sends_is_a_verdict_or_a_refusal_and_stays_readable(
    artist, reviewer, client_of, world, body, act
):
    submission, client, reader = world
    answer = client.post(review(submission, act), json.dumps(body), content_type="application/json")
    assert answer.status_code in (200, 400), (answer.status_code, body)
    answer.json()
    if answer.status_code == 200:
        assert reader.get("/v1/submissions").status_code == 200
        decisions.undo(Decision.objects.select_related("revision__submission").latest("id"), by=reviewer)


@pytest.fixture
def world(artist, reviewer, client_of):
    submission = makers.submitted(artist)
    makers.policy()
    queue.take(submission, by=reviewer)
    client = client_of(reviewer)
    client.raise_request_exception = False
    return submission, client, client_of(artist)


# ---------------------------------------------------------------- what everybody reads


def test_of_a_withdrawn_work_only_that_it_was_here(artist, guest, client_of, no_undo):
    publication = makers.published(artist)
    path = f"/v1/publications/publication_{publication.pk.hex}"
    assert client_of(artist).post(f"{path}/withdraw").json()["status"] == "withdrawn"
    answer = guest.get(path)
    assert answer.status_code == 410
    told = answer.json()
    assert told["status"] == "withdrawn" and told["ended_at"]
    assert not {"video_url", "poster_url", "sha256", "description", "licence"} & told.keys()
    refused(guest.get(f"{path}/content"), refusals.GoneByItsArtist)
    refused(client_of(artist).post(f"{path}/withdraw"), refusals.WrongState,
            noun="publication", state="withdrawn", to="withdrawn")  # fmt: skip


def test_what_the_program_took_down_is_not_said_to_be_withdrawn_by_its_artist(artist, admin, guest, no_undo):
    publication = makers.published(artist)
    makers.taken_down(publication, by=admin)
    answer = guest.get(f"/v1/publications/publication_{publication.pk.hex}/content")
    assert answer.status_code in (410, 451)
    assert "The artist has withdrawn" not in answer.json()["detail"]


@pytest.mark.parametrize("variant", ["spritesheet", "nothing", "", "video/../sheet"])
def test_only_clip_and_poster_are_public(artist, guest, no_undo, variant):
    publication = makers.published(artist)
    answer = guest.get(f"/v1/publications/publication_{publication.pk.hex}/content?variant={variant}")
    assert answer.status_code in (400, 404)


def test_pages_of_a_list_are_cut_by_a_cursor(artist, client_of):
    made = [makers.submitted(artist, makers.completed(artist, seed=n)) for n in range(5)]
    client = client_of(artist)
    first = client.get("/v1/submissions?limit=2").json()
    second = client.get(f"/v1/submissions?limit=2&after={first['last_id']}").json()
    third = client.get(f"/v1/submissions?limit=2&after={second['last_id']}").json()
    found = [row["id"] for page in (first, second, third) for row in page["data"]]
    assert found == [f"submission_{row.pk.hex}" for row in reversed(made)]
    assert [page["has_more"] for page in (first, second, third)] == [True, True, False]
    upwards = client.get("/v1/submissions?order=asc&limit=5").json()["data"]
    assert [row["id"] for row in upwards] == found[::-1]


@pytest.mark.parametrize(
    "query", ["limit=-0", "limit=101", "limit=x", "limit=-1", "order=up", "after=x", "after=video_1", "video=x"]
)
def test_a_page_that_can_not_be_cut_is_refused(artist, client_of, query):
    assert client_of(artist).get(f"/v1/submissions?{query}").status_code in (400, 404)


def test_each_request_and_each_change_of_a_journey_by_rest_is_in_the_log(artist, client_of):
    client = client_of(artist)
    generation = makers.completed(artist)
    answer = client.post("/v1/submissions", {"video": video(generation), **WORDS}, format="json")
    mine = Entry.objects.filter(request_id=answer["X-Request-ID"]).order_by("id")
    assert [entry.action for entry in mine] == ["request.received", "submission.submitted", "request.answered"]
    said = json.loads(bytes(mine[2].body))
    assert said["facts"]["status"] == 201 and said["facts"]["route"] == "v1/submissions"
    assert said["actor"]["kind"] == "token" and said["actor"]["id"] == str(artist.user.pk)
    again = client.post("/v1/submissions", {"video": video(generation), **WORDS}, format="json")
    mine = Entry.objects.filter(request_id=again["X-Request-ID"]).order_by("id")
    assert [entry.action for entry in mine] == ["request.received", "request.answered"]
    assert json.loads(bytes(mine[1].body))["facts"]["refused"] == "already_submitted"


def test_the_policy_that_a_reviewer_names_is_numbered_by_what_is_in_force(artist, reviewer, client_of):
    makers.policy()
    old = Clause.objects.get(number=4)
    Clause.objects.filter(pk=old.pk).update(retired_at=old.created_at)
    new = Clause.objects.create(number=4, version=2, title="Flashing light", body="b", example="e")
    submission = makers.submitted(artist)
    client = client_of(reviewer)
    client.post(review(submission, "take"))
    assert client.post(review(submission, "reject"), REASONS, format="json").status_code == 200
    assert Decision.objects.get().clauses == [new.pk]
