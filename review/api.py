"""/v1/submissions, /v1/reviews and /v1/publications: thin over the rules, the same ones that the pages call."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import refusals
from gateway.actors import Actor
from gateway.api import Resource, page, read_id, show_id
from gateway.models.base import Row
from gateway.openapi import (
    MADE_UP,
    PAGE,
    Operation,
    boolean,
    const,
    fields,
    id_of,
    integer,
    many,
    moment,
    more_than,
    nullable,
    number,
    one_of,
    operation,
    operations,
    page_of,
    query,
    shape,
    text,
)
from generation import media
from generation.videos.views import FILE_HEADERS, FILES, VARIANT
from generation.views import own
from review import appeals, consents, decisions, letters, publishing, queue, reasons, screening, submissions
from review.desk import work
from review.models import LICENCES, Clause, Decision, Publication, Signal, Submission
from review.public import answers
from review.reasons import Reasons

VARIANTS = {"video": "video", "thumbnail": "poster", "spritesheet": "sheet"}


class Words(serializers.Serializer[Any]):
    """What a revision says."""

    title = serializers.CharField(max_length=120, help_text="What it is called.")
    credit = serializers.CharField(max_length=120, help_text="Who made it, as it is to be shown.")
    licence = serializers.ChoiceField(choices=LICENCES, help_text="Under what others may use it.")
    description = serializers.CharField(
        max_length=2000, required=False, allow_blank=True, help_text="A few words for who looks at it."
    )


class NewSubmission(Words):
    video = serializers.CharField(help_text="The id of a clip of yours that is completed.")


class NewRevision(Words):
    video = serializers.CharField(required=False, help_text="Another clip in its place; without it the same one stays.")


class Signature(serializers.Serializer[Any]):
    name = serializers.CharField(
        max_length=120, allow_blank=True, help_text="Your name, as it stands under the work: that is the signature."
    )
    revision = serializers.IntegerField(
        min_value=1, help_text="Which revision you sign, so that nothing is signed that was not seen."
    )


class Appealing(serializers.Serializer[Any]):
    words = serializers.CharField(max_length=5000, help_text="Why the answer should be another one.")


class Verdict(serializers.Serializer[Any]):
    """The reasons; `clauses` are numbers of the policy in force, `region` words for a place that is no second."""

    clauses = serializers.ListField(
        child=serializers.IntegerField(),
        required=False,
        default=list,
        help_text="Numbers of clauses of the policy in force.",
    )
    facts = serializers.CharField(
        max_length=5000, required=False, allow_blank=True, default="", help_text="What you saw."
    )
    from_seconds = serializers.FloatField(
        min_value=0, required=False, allow_null=True, default=None, help_text="From where in the clip."
    )
    to_seconds = serializers.FloatField(
        min_value=0, required=False, allow_null=True, default=None, help_text="To where in the clip."
    )
    region = serializers.CharField(
        max_length=200,
        required=False,
        allow_blank=True,
        default="",
        help_text="Where in the picture, in words, or “the whole clip”.",
    )
    note = serializers.CharField(
        max_length=2000,
        required=False,
        allow_blank=True,
        default="",
        help_text="For colleagues; the artist does not read it.",
    )

    def reasons(self) -> Reasons:
        told = {**self.validated_data}
        told.pop("note")
        numbers = set(told.pop("clauses"))
        found = {
            clause.number: clause.pk for clause in Clause.objects.filter(retired_at__isnull=True, number__in=numbers)
        }
        if numbers - found.keys():
            raise refusals.UnknownClause(param="clauses")
        return Reasons(clauses=list(found.values()), **told)


# ---------------------------------------------------------------- submissions (artists)


REVISION = shape(
    "Revision",
    "What was submitted: a file and its words.",
    number=integer(),
    sha256=text(),
    title=text(),
    credit=text(),
    licence=one_of(*(name for name, _ in LICENCES)),
    description=text(),
)
DECISION = shape(
    "Decision",
    "An answer about a revision.",
    id=id_of("decision"),
    verdict=one_of(*Decision.VERDICTS),
    by_default=boolean("Nobody answered in time."),
    take_down=boolean(),
    clauses=many(fields(number=integer(), version=integer(), title=text())),
    facts=text(),
    from_seconds=nullable(number()),
    to_seconds=nullable(number()),
    region=text(),
    effective_at=nullable(moment()),
    letter=nullable(text("As its artist gets it.")),
)
SUBMISSION = shape(
    "Submission",
    "A work before the reviewers, as its artist may know it.",
    id=id_of("submission"),
    object=const("submission"),
    video=id_of("video"),
    status=one_of(*(state for state in Submission.MOVES if state not in Submission.HIDDEN)),
    created_at=moment(),
    due_at=nullable(moment("When an answer is due.")),
    revision=nullable(REVISION),
    decision=nullable(DECISION),
    appeal=nullable(
        fields(
            status=text("none, possible, or what became of it."),
            can_until=nullable(moment()),
            words=nullable(text()),
            filed_at=nullable(moment()),
            due_at=nullable(moment()),
            answered_at=nullable(moment()),
            message=nullable(text()),
        )
    ),
    publication=nullable(id_of("publication")),
    published=boolean(),
    actions=many(one_of("sign_off", "revise", "withdraw", "appeal", "withdraw_appeal")),
)
WORDS = {"title": "Kiln", "credit": "Ines Marchetti", "licence": "CC-BY-4.0"}


def show_submission(row: Submission, clauses: Mapping[UUID, Clause] | None = None) -> dict[str, Any]:
    """A submission as its artist may know it; `clauses` are those of the whole page, when it is one of many."""
    state, publication = row.shown_state, row.public
    live = publication is not None and publication.state == "published"
    letter = letters.foremost(row, letters.of(row, clauses=clauses))
    actions = []
    if state == "approved" and publication is None:
        actions.append("sign_off")
    if state == "changes_requested":
        actions.append("revise")
    if state in ("submitted", "changes_requested", "approved"):
        actions.append("withdraw")
    if letter is not None and letter.may_appeal:
        actions.append("appeal")
    if letter is not None and letter.appeal_state == "open":
        actions.append("withdraw_appeal")
    decision = row.verdict if state in ("approved", "rejected", "changes_requested") else None
    if letter is not None and letter.stands:
        decision = letter.decision
    return {
        "id": show_id("submission", row.pk),
        "object": "submission",
        "video": show_id("video", row.generation_id),
        "status": state,
        "created_at": row.created_at,
        "due_at": row.due_at,
        "revision": _revision(row.current),
        "decision": _decision(decision, clauses) if decision else None,
        "appeal": _appeal(letter) if letter else None,
        "publication": show_id("publication", publication.pk) if publication else None,
        "published": live,
        "actions": actions,
    }


def _revision(revision: Any) -> dict[str, Any] | None:
    return revision and {
        "number": revision.number,
        "sha256": revision.sha256,
        "title": revision.title,
        "credit": revision.credit,
        "licence": revision.licence,
        "description": revision.description,
    }


def _appeal(letter: letters.Letter) -> dict[str, Any]:
    """The appeal against the answer that holds, or that there may be one; what its hearing brought once in effect."""
    appeal, answer = letter.appeal, letter.answer
    return {
        "status": letter.appeal_state or ("possible" if letter.may_appeal else "none"),
        "can_until": letter.until if letter.may_appeal else None,
        "words": appeal.words if appeal else None,
        "filed_at": appeal.created_at if appeal else None,
        "due_at": appeal.due_at if appeal else None,
        "answered_at": answer.effective_at if answer else None,
        "message": answer.facts if answer else None,
    }


def _decision(decision: Decision, known: Mapping[UUID, Clause] | None = None) -> dict[str, Any]:
    if known is None:
        known = {clause.pk: clause for clause in reasons.clauses_of(decision)}
    clauses = [known[pk] for pk in decision.clauses]
    return {
        "id": show_id("decision", decision.pk),
        "verdict": decision.verdict,
        "by_default": decision.role == "default",
        "take_down": decision.role == "take_down",
        "clauses": [{"number": clause.number, "version": clause.version, "title": clause.title} for clause in clauses],
        "facts": decision.facts,
        "from_seconds": decision.from_seconds,
        "to_seconds": decision.to_seconds,
        "region": decision.region,
        "effective_at": decision.effective_at,
        "letter": reasons.letter(decision, clauses)[1] if decision.verdict != "escalate" else None,
    }


class Submissions(Resource):
    """Submit a work; list one's own, `?video=` those of one work."""

    @operation(
        "submit_work",
        "Submit a work",
        {201: SUBMISSION},
        body=NewSubmission,
        example={"video": f"video_{MADE_UP}", **WORDS},
        no=[
            refusals.NotFound,
            refusals.MissingScope,
            refusals.Suspended,
            refusals.TermsNotAccepted,
            refusals.NothingToSubmit,
            refusals.OnlyATest,
            refusals.AlreadySubmitted,
        ],
    )
    def post(self, request: Request) -> Response:
        asked = NewSubmission(data=request.data)
        asked.is_valid(raise_exception=True)
        words = {**asked.validated_data}
        generation = own(self.actor, read_id("video", words.pop("video")))
        made = submissions.submit(generation, by=self.actor, **words)
        return Response(show_submission(_mine(self, made.pk)), status=201)

    @operation(
        "list_submissions",
        "List what you submitted",
        {200: page_of(SUBMISSION)},
        query=[*PAGE, query("video", text(), "Those of one work.")],
    )
    def get(self, request: Request) -> Response:
        rows = _own(self.actor)
        if video := request.query_params.get("video"):
            rows = rows.filter(generation=read_id("video", video))
        clauses = {clause.pk: clause for clause in Clause.objects.all()}
        return Response(page(request, rows, "submission", lambda row: show_submission(row, clauses)))


class OneSubmission(Resource):
    """One's own submission."""

    @operation("get_submission", "Read one", {200: SUBMISSION})
    def get(self, request: Request, submission_id: str) -> Response:
        return Response(show_submission(_mine(self, read_id("submission", submission_id))))


class SubmissionAct(Resource):
    """withdraw, sign_off, revise, appeal, withdraw_appeal."""

    act: str = ""

    @operations(
        {
            "withdraw": Operation(
                "withdraw_submission",
                "Withdraw it",
                {200: SUBMISSION},
                no=[refusals.MissingScope, refusals.WrongState],
            ),
            "sign_off": Operation(
                "sign_off",
                "Sign: bon à tirer",
                {200: SUBMISSION},
                body=Signature,
                example={"name": "Ines Marchetti", "revision": 1},
                no=[
                    refusals.MissingScope,
                    refusals.Suspended,
                    refusals.TermsNotAccepted,
                    refusals.NotSignedOff,
                    refusals.NotApproved,
                    refusals.OutdatedRevision,
                    refusals.WrongState,
                ],
                more="What was approved goes public. A second signature answers with what the first one published.",
            ),
            "revise": Operation(
                "revise_submission",
                "Bring it anew",
                {200: SUBMISSION},
                body=NewRevision,
                example={**WORDS, "title": "Kiln, softer"},
                no=[
                    refusals.MissingScope,
                    refusals.Suspended,
                    refusals.TermsNotAccepted,
                    refusals.NothingToSubmit,
                    refusals.OnlyATest,
                    refusals.WrongState,
                    refusals.AnswerComing,
                ],
                more="With other words, or another video.",
            ),
            "appeal": Operation(
                "appeal",
                "Appeal against the answer",
                {200: SUBMISSION},
                body=Appealing,
                example={"words": "Look at the second half again: nothing blinks there."},
                no=[
                    refusals.MissingScope,
                    refusals.WordsMissing,
                    refusals.NothingToAppeal,
                    refusals.AlreadyAppealed,
                ],
                more="Somebody who has not decided about this work hears it.",
            ),
            "withdraw_appeal": Operation(
                "withdraw_appeal",
                "Take the appeal back",
                {200: SUBMISSION},
                no=[refusals.MissingScope, refusals.WrongState, refusals.AnswerComing],
            ),
        }
    )
    def post(self, request: Request, submission_id: str) -> Response:
        found = _mine(self, read_id("submission", submission_id))
        if self.act == "withdraw":
            submissions.withdraw(found, by=self.actor)
        elif self.act == "appeal":
            said = Appealing(data=request.data)
            said.is_valid(raise_exception=True)
            appeals.file(letters.at_issue(found), by=self.actor, **said.validated_data)
        elif self.act == "withdraw_appeal":
            appeals.withdraw(letters.appeal_about(found), by=self.actor)
        elif self.act == "sign_off":
            signature = Signature(data=request.data)
            signature.is_valid(raise_exception=True)
            publishing.sign_off(found, by=self.actor, **signature.validated_data)
        else:
            asked = NewRevision(data=request.data)
            asked.is_valid(raise_exception=True)
            words = {**asked.validated_data}
            other = words.pop("video", None)
            generation = own(self.actor, read_id("video", other)) if other else None
            submissions.resubmit(found, by=self.actor, generation=generation, **words)
        return Response(show_submission(_mine(self, found.pk)))


def _own(actor: Actor) -> QuerySet[Submission]:
    """One's own; to a test token none, for no test is submitted."""
    rows = Submission.objects.told().filter(membership__user=actor.user)
    return rows.none() if actor.is_test else rows


def _mine(resource: Resource, pk: Any) -> Submission:
    found = _own(resource.actor).filter(pk=pk).first()
    if found is None:
        raise refusals.NotFound
    return found


# ---------------------------------------------------------------- reviews (reviewers)

ALWAYS = ("renew", "release", "conflict")
ANSWERS = {
    "first": ("approve", "reject", "request_changes", "escalate"),
    "second": ("approve", "reject", "request_changes", "escalate"),
    "escalated": ("approve", "reject", "request_changes"),
    "appeal": ("uphold", "overturn"),
}


EARLIER = more_than(DECISION, "EarlierDecision", "For reviewers.", role=one_of(*Decision.ROLES), note=text())
SIGNAL = fields(
    kind=one_of(*Signal.KINDS),
    raised=boolean(),
    failed=boolean(),
    words=text(),
    value=nullable(number()),
    limit=nullable(number()),
    at_seconds=nullable(number()),
    frames=many(integer()),
    evidence={"type": "object"},
)
HELD = {
    "prompt": text(),
    "by_guest": boolean(),
    "model": text(),
    "seed": integer(),
    "steps": integer(),
    "size": text(),
    "seconds": number(),
    "earlier": many(EARLIER),
    "screening": fields(status=one_of("waiting", "done", "incomplete"), words=text()),
    "signals": many(SIGNAL, "What was found in it automatically. Signals inform and never decide."),
    "appeal": fields(id=id_of("appeal"), words=text(), decision=DECISION),
}
REVIEW = shape(
    "Review",
    "A submission as a reviewer sees it; the work itself only under a lease.",
    maybe=list(HELD),
    id=id_of("submission"),
    object=const("review"),
    status=one_of(*Submission.MOVES),
    lane=nullable(one_of(*Submission.LANES)),
    due_at=nullable(moment()),
    cohort=text(),
    revision=nullable(REVISION),
    lease_until=nullable(moment()),
    kept=nullable(integer("How often the lease was extended.")),
    actions=many(text()),
    **HELD,
)
REVIEWERS = (refusals.ReviewersOnly, refusals.MissingScope)
REASONED = {"clauses": [4], "facts": "The left half blinks.", "from_seconds": 0.5}


def show_review(row: Submission, *, held: bool) -> dict[str, Any]:
    """A submission as a reviewer sees it; the work itself only under a lease."""
    shown = {
        "id": show_id("submission", row.pk),
        "object": "review",
        "status": row.state,
        "lane": row.lane,
        "due_at": row.due_at,
        "cohort": row.membership.cohort.name,
        "revision": _revision(row.current),
        "lease_until": row.lease_until if held else None,
        "kept": row.renewals if held else None,
        "actions": [*ALWAYS, *ANSWERS[row.lane]] if held and row.lane else ["take"],
    }
    if held:
        generation = row.must_have_revision().output.generation
        clauses = {clause.pk: clause for clause in Clause.objects.all()}
        shown |= {
            "prompt": generation.prompt,
            "by_guest": generation.guest_pass_id is not None,
            "model": generation.model.slug,
            "seed": generation.seed,
            "steps": generation.steps,
            "size": generation.size,
            "seconds": generation.seconds,
            "earlier": [
                {**_decision(decision, clauses), "role": decision.role, "note": decision.note}
                for decision in decisions.earlier(row)
            ],
            **screening.of(row.must_have_revision().output).told(),
        }
        if (appeal := appeals.open_about(row) if row.lane == "appeal" else None) is not None:
            shown["appeal"] = {
                "id": show_id("appeal", appeal.pk),
                "words": appeal.words,
                "decision": _decision(appeal.decision, clauses),
            }
    return shown


class Lane(serializers.Serializer[Any]):
    """In which line: all of them unless one is named."""

    lane = serializers.ChoiceField(
        choices=Submission.LANES,
        required=False,
        allow_null=True,
        default=None,
        help_text="Which line; without it all of them.",
    )


class Hearing(serializers.Serializer[Any]):
    """The answer to an appeal: `message` is read by the artist, `note` by colleagues."""

    message = serializers.CharField(
        max_length=5000, required=False, allow_blank=True, default="", help_text="What the artist reads."
    )
    note = serializers.CharField(
        max_length=2000,
        required=False,
        allow_blank=True,
        default="",
        help_text="For colleagues; the artist does not read it.",
    )


class Reviews(Resource):
    """What waits, due first; `?lane=` one line of it."""

    @operation(
        "list_reviews",
        "List what waits",
        {200: fields(object=const("list"), data=many(REVIEW))},
        query=[query("lane", one_of(*Submission.LANES), "One line of it.")],
        no=REVIEWERS,
    )
    def get(self, request: Request) -> Response:
        self.actor.must_have("review")
        asked = Lane(data=request.query_params)
        asked.is_valid(raise_exception=True)
        rows = queue.waiting_for(self.actor, **asked.validated_data).listed()[:100]
        return Response({"object": "list", "data": [show_review(row, held=False) for row in rows]})


class NextReview(Resource):
    """Take what is due first, under a lease of ten minutes."""

    @operation(
        "take_next_review",
        "Take what is due first",
        {200: REVIEW},
        body=Lane,
        example={"lane": "first"},
        no=[*REVIEWERS, refusals.NothingWaiting],
        more="Under a lease of ten minutes.",
    )
    def post(self, request: Request) -> Response:
        asked = Lane(data=request.data)
        asked.is_valid(raise_exception=True)
        taken = queue.take_next(by=self.actor, **asked.validated_data)
        return Response(show_review(queue.look(taken.pk, by=self.actor), held=True))


class OneReview(Resource):
    """A work on one's desk."""

    @operation("get_review", "Look at what you hold", {200: REVIEW}, no=REVIEWERS)
    def get(self, request: Request, submission_id: str) -> Response:
        self.actor.must_have("review")
        try:
            held = queue.look(read_id("submission", submission_id), by=self.actor)
        except refusals.NotHeld:
            raise refusals.NotFound from None
        return Response(show_review(held, held=True))


class ReviewContent(Resource):
    """The file on one's desk."""

    @operation(
        "download_review",
        "Download the file of what you hold",
        FILES,
        query=[VARIANT],
        no=REVIEWERS,
        headers=FILE_HEADERS,
    )
    def get(self, request: Request, submission_id: str) -> HttpResponseBase:
        self.actor.must_have("review")
        kind = VARIANTS.get(request.query_params.get("variant", "video"), "")
        opened = work.open_held(self.actor, read_id("submission", submission_id), kind)
        return media.respond(request._request, opened)


HOLDING = (*REVIEWERS, refusals.NotHeld)
DECIDING = (*HOLDING, refusals.OwnWork, refusals.AppealWaits, refusals.UnknownClause, refusals.WrongState)
ACTS = {
    "take": Operation(
        "take_review",
        "Take it",
        {200: REVIEW},
        no=[*REVIEWERS, refusals.OwnWork, refusals.HeldByAnother, refusals.NothingWaiting, refusals.NoMoreRenewals],
    ),
    "renew": Operation(
        "renew_review", "Keep it for another ten minutes", {200: REVIEW}, no=[*HOLDING, refusals.NoMoreRenewals]
    ),
    "release": Operation("release_review", "Let it go to somebody else", {200: REVIEW}, no=HOLDING),
    "conflict": Operation(
        "decline_review", "Let it go: you know this artist", {200: REVIEW}, no=[*HOLDING, refusals.AlreadyNamed]
    ),
    "approve": Operation(
        "approve", "Approve it", {200: DECISION}, body=Verdict, example={"note": "Fine."}, no=DECIDING
    ),
    "reject": Operation(
        "reject",
        "Refuse it, with reasons",
        {200: DECISION},
        body=Verdict,
        example=REASONED,
        no=[*DECIDING, refusals.ReasonsMissing],
    ),
    "request_changes": Operation(
        "request_changes",
        "Ask for changes, with reasons",
        {200: DECISION},
        body=Verdict,
        example=REASONED,
        no=[*DECIDING, refusals.ReasonsMissing],
    ),
    "escalate": Operation(
        "escalate", "Ask a colleague", {200: DECISION}, body=Verdict, example={"note": "Clause 2?"}, no=DECIDING
    ),
    "undo": Operation(
        "undo_decision",
        "Take your decision back, before it takes effect",
        {200: REVIEW},
        no=[*REVIEWERS, refusals.NotYoursToUndo, refusals.TooLateToUndo, refusals.WrongState],
    ),
    **{
        act: Operation(
            f"{act}_answer",
            summary,
            {200: DECISION},
            body=Hearing,
            example={"message": "We looked at it again."},
            no=[*HOLDING, refusals.NoAppealOpen, refusals.HeardByAnother, refusals.WordsMissing, refusals.WrongState],
        )
        for act, summary in (("uphold", "Hear the appeal: it stays"), ("overturn", "Hear the appeal: it is approved"))
    },
}


class ReviewAct(Resource):
    """take, renew, release, conflict, approve, reject, request_changes, escalate, uphold, overturn, undo."""

    act: str = ""

    @operations(ACTS)
    def post(self, request: Request, submission_id: str) -> Response:
        self.actor.must_be_reviewer()
        found = Submission.objects.listed().filter(pk=read_id("submission", submission_id)).first()
        if found is None:
            raise refusals.NotFound
        if self.act == "take":
            queue.take(found, by=self.actor)
            queue.look(found.pk, by=self.actor)
        elif self.act == "renew":
            queue.renew(found, by=self.actor)
        elif self.act == "release":
            queue.release(found, by=self.actor)
        elif self.act == "conflict":
            queue.decline(found, by=self.actor)
        elif self.act == "undo":
            _undo(self, found)
        else:
            return Response(_decision(self._decide(request, found)))
        held = self.act not in ("release", "conflict")
        return Response(show_review(_any(found), held=held))

    def _decide(self, request: Request, found: Submission) -> Decision:
        if self.act in ("uphold", "overturn"):
            answer = Hearing(data=request.data)
            answer.is_valid(raise_exception=True)
            hears = appeals.overturn if self.act == "overturn" else appeals.uphold
            return hears(found, by=self.actor, **answer.validated_data)
        asked = Verdict(data=request.data)
        asked.is_valid(raise_exception=True)
        note = asked.validated_data["note"]
        if self.act == "approve":
            return decisions.approve(found, by=self.actor, note=note, considered=asked.reasons().clauses)
        if self.act == "escalate":
            return decisions.escalate(found, by=self.actor, note=note)
        rule = decisions.reject if self.act == "reject" else decisions.request_changes
        return rule(found, by=self.actor, reasons=asked.reasons(), note=note)


def _undo(resource: Resource, submission: Submission) -> None:
    latest = (
        Decision.objects.select_related("revision__submission")
        .filter(revision__submission=submission, reviewer=resource.actor.user)
        .order_by("-id")
        .first()
    )
    if latest is None:
        raise refusals.NotFound
    decisions.undo(latest, by=resource.actor)


def _any(row: Row) -> Submission:
    return Submission.objects.listed().get(pk=row.pk)


# ---------------------------------------------------------------- publications (anyone)


ON_VIEW = {
    "licence": one_of(*(name for name, _ in LICENCES)),
    "description": text(),
    "sha256": text(),
    "model": text(),
    "video_url": text(),
    "poster_url": text(),
}
PUBLICATION = shape(
    "Publication",
    "A published work; of an ended one only that it was here.",
    maybe=["title", "credit", *ON_VIEW],
    id=id_of("publication"),
    object=const("publication"),
    status=one_of(*Publication.MOVES),
    title=text(),
    credit=text(),
    published_at=moment(),
    ended_at=nullable(moment()),
    url=text(),
    **ON_VIEW,
)
ONE_PUBLICATION = more_than(
    PUBLICATION,
    "OnePublication",
    "A published work, what its artist allows, and to them where it was submitted.",
    maybe=["consents", "clauses", "submission"],
    consents=many(text()),
    clauses=many(integer(), "Under which it was taken down."),
    submission=id_of("submission"),
)


def show_publication(row: Publication) -> dict[str, Any]:
    """A published work; of an ended one only that it was here."""
    shown: dict[str, Any] = {
        "id": show_id("publication", row.pk),
        "object": "publication",
        "status": row.state,
        **({} if row.state == "taken_down" else {"title": row.revision.title, "credit": row.revision.credit}),
        "published_at": row.created_at,
        "ended_at": row.ended_at,
        "url": f"/works/{row.pk.hex}",
    }
    if row.state == "published":
        shown |= {
            "licence": row.revision.licence,
            "description": row.revision.description,
            "sha256": row.revision.sha256,
            "model": row.revision.output.generation.model.slug,
            "video_url": f"/works/{row.pk.hex}/video.mp4",
            "poster_url": f"/works/{row.pk.hex}/poster.webp",
        }
    return shown


class Publications(Resource):
    """What is public. No token is needed to read it."""

    permission_classes = ()

    @operation("list_publications", "List what is public", {200: page_of(PUBLICATION)}, query=PAGE)
    def get(self, request: Request) -> Response:
        return Response(page(request, Publication.objects.feed().listed(), "publication", show_publication))


class OnePublication(Resource):
    """A published work, or 410 and the tombstone."""

    permission_classes = ()

    @operation(
        "get_publication",
        "Read one, or its tombstone",
        {200: ONE_PUBLICATION, 410: ONE_PUBLICATION},
        no=[refusals.NotShownNow],
    )
    def get(self, request: Request, publication_id: str) -> Response:
        found = answers.ever_public(read_id("publication", publication_id))
        allowed = consents.of(found)
        live = found.state == "published"
        shown = show_publication(found) | ({"consents": sorted(allowed)} if live else {})
        if found.state == "taken_down":
            shown["clauses"] = [clause.number for clause in publishing.taken_down_under(found)]
        if found.submission.membership.user == self.actor.user:  # where its letter and its appeal are
            shown["submission"] = show_id("submission", found.submission_id)
        response = Response(shown, status=200 if live else 410)
        answers.tell(response, found, allowed)
        return response


class PublicationContent(Resource):
    """A published file."""

    permission_classes = ()

    @operation(
        "download_publication",
        "Download its file",
        FILES,
        query=[VARIANT],
        no=[refusals.NotShownNow, refusals.GoneByItsArtist, refusals.TakenDown],
        headers=FILE_HEADERS,
    )
    def get(self, request: Request, publication_id: str) -> HttpResponseBase:
        kind = VARIANTS.get(request.query_params.get("variant", "video"), "")
        return answers.file_of(request._request, read_id("publication", publication_id), kind)


class WithdrawPublication(Resource):
    """Its artist takes it back."""

    @operation(
        "withdraw_publication",
        "Take your work off the wall",
        {200: PUBLICATION},
        no=[refusals.MissingScope, refusals.WrongState],
    )
    def post(self, request: Request, publication_id: str) -> Response:
        found = (
            Publication.objects.listed()
            .filter(pk=read_id("publication", publication_id), submission__membership__user=self.actor.user)
            .first()
        )
        if found is None:
            raise refusals.NotFound
        publishing.withdraw(found, by=self.actor)
        return Response(show_publication(found))
