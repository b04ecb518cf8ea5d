"""What is compared after each step of a work's life, played at random: see test_life_machine.py."""

import copy
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now
from django.test import RequestFactory
from django.utils import timezone

from gateway import actors, refusals
from gateway.actors import Actor
from gateway.api import show_id
from gateway.models import Brake, Entry, Notice, User
from generation import media
from generation.models import Generation
from review import api, consents, history, looks, queue
from review.models import Appeal, Clause, Decision, Publication, Screening, Signal, Submission
from review.public import answers
from tests import makers

T = TypeVar("T")
LANES = {"submitted": "first", "awaiting_second": "second", "escalated": "escalated"}
HIDDEN = {"awaiting_second": "submitted", "escalated": "submitted"}
GONE = {"withdrawn": refusals.GoneByItsArtist, "taken_down": refusals.TakenDown}


def sum_of(table: str) -> str:
    return f"(select md5(string_agg(row::text, '' order by id)) from {table} row)"


FINGERPRINT = "select (select count(*) from audit.entry), " + ", ".join(
    sum_of(table)
    for table in (
        *("review_submission", "review_decision", "review_appeal", "review_publication", "review_conflict"),
        *("gateway_notice", "gateway_brake", "gateway_consent", "gateway_membership", "gateway_user"),
    )
)


@dataclass(frozen=True)
class Cast:
    """Two artists, the first of whom reviews too, four reviewers and an admin; and the clips of the artists.

    Of the clips the first and the last are calm: the program has looked at them, and saw nothing. It saw something in
    the third, and has not looked at the second.
    """

    people: list[User]
    clips: list[Generation]
    clauses: dict[UUID, Clause]

    @classmethod
    def come(cls) -> "Cast":
        ines, tomas = makers.artist("Ines", credits=90), makers.artist("Tomás", credits=90)
        User.objects.filter(pk=ines.user.pk).update(is_reviewer=True)
        reviewers = [makers.reviewer(name) for name in ("Rosa", "Rui", "Remedios", "Rita")]
        ada = makers.admin("Ada")
        User.objects.filter(pk=ada.user.pk).update(is_reviewer=True)
        clauses = makers.policy()
        clips = [makers.completed(ines, seed=seed) for seed in range(3)] + [makers.completed(tomas, seed=3)]
        people = [actor.user for actor in (ines, tomas, *reviewers, ada)]
        return cls(people, clips, {clause.pk: clause for clause in clauses})


@dataclass
class Page:
    """Everything that there is, as somebody who opened their pages at this moment knows it."""

    rows: list[Submission]
    decisions: list[Decision]
    appeals: list[Appeal]
    publications: list[Publication]

    @classmethod
    def opened(cls) -> "Page":
        pending = ExpressionWrapper(Q(effective_at__gt=Now(), undone_at__isnull=True), BooleanField())
        listed = Submission.objects.listed().prefetch_related(None).select_related(None).order_by("pk")
        around = ("membership__user", "membership__cohort", "current__output", "publication")
        page = cls(
            list(listed.select_related(*around)),
            list(Decision.objects.select_related("revision").annotate(pending=pending).order_by("pk")),
            list(Appeal.objects.order_by("pk")),
            list(Publication.objects.order_by("pk")),
        )
        rows = {row.pk: row for row in page.rows}
        for decision in page.decisions:
            decision.revision.submission = rows[decision.revision.submission_id]
        for appeal in page.appeals:
            appeal.decision = next(decision for decision in page.decisions if decision.pk == appeal.decision_id)
        for work in page.publications:
            work.submission = rows[work.submission_id]
            work.revision = work.submission.current
        return page

    def row(self, pk: UUID) -> Submission:
        return next(row for row in self.rows if row.pk == pk)

    def refusals_that_stand(self) -> list[Decision]:
        """What an artist may want to appeal against."""
        appealed = {appeal.decision_id for appeal in self.appeals}
        told = [d for d in self.decisions if in_effect(d) and d.verdict in Decision.REFUSALS and d.pk not in appealed]
        return [d for d in told if d.decides or d.role == "take_down"]


def held(row: Submission) -> bool:
    return row.lease_until is not None and row.lease_until > timezone.now()


def in_effect(decision: Decision) -> bool:
    return decision.undone_at is None and not decision.pending


def is_told(decision: Decision) -> bool:
    return in_effect(decision) and (decision.decides or decision.role in ("appeal", "take_down"))


def marker(text: str) -> str:
    """The number that each text of a reviewer bears, such as [0007]."""
    return text[text.index("[") : text.index("]") + 1]


@dataclass
class Memory:
    """What was done, said and named so far, kept apart from the database."""

    told: dict[UUID, str] = field(default_factory=dict)  # what each submission's artist knows it as
    withdrawn: set[UUID] = field(default_factory=set)
    signed: set[UUID] = field(default_factory=set)  # revisions, by their artist
    unsaid: set[UUID] = field(default_factory=set)  # decisions that came into effect when there was nobody to tell
    brakes: dict[UUID, Brake] = field(default_factory=dict)
    named: dict[UUID, tuple[UUID, UUID]] = field(default_factory=dict)  # by a conflict: reviewer and artist
    allowed: dict[tuple[UUID, UUID | None, str], bool] = field(default_factory=dict)


class World:
    """The cast in one life, what is remembered of it, and the promises."""

    cast: ClassVar[Cast]
    seen: ClassVar[Counter[str]] = Counter()

    def begin(self) -> None:
        self.people = self.present()
        self.memory = Memory()
        self.pages: list[Page] = []
        self.changed = True
        self.texts = 0
        self.turns = 0
        self.compared: Any = None  # what the database was like when the promises were looked at
        self.untouched = False  # whether nobody has done anything since
        self.last: tuple[str, Callable[[], Any], Callable[[Any], None] | None] | None = None

    # ---------------------------------------------------------------- doing

    def present(self) -> list[User]:
        return list(User.objects.filter(pk__in=[user.pk for user in self.cast.people]).order_by("pk"))

    def by(self, which: int) -> Actor:
        """One of the people, as the next request makes them out."""
        return actors.person(self.people[which])

    def owner(self, row: Submission) -> int:
        return next(nth for nth, user in enumerate(self.people) if user.pk == row.membership.user_id)

    def text(self, words: str) -> str:
        self.texts += 1
        return f"{words} [{self.texts:04}]"

    @property
    def page(self) -> Page:
        if self.changed:
            self.pages.append(Page.opened())
            self.changed = False
        return self.pages[-1]

    def attempt(self, what: str, call: Callable[[], T], after: Callable[[T], None] | None = None) -> bool:
        """Whether it was done. A refused call has changed nothing; anything but Refused ends the life."""
        self.last = (what, call, after)
        before = self.compared if self.untouched else self.fingerprint()
        try:
            made = call()
        except refusals.Refused as refusal:
            self.seen[f"{what}: {refusal.code}"] += 1
            assert self.fingerprint() == before, "a refusal changes nothing"
            return False
        self.seen[what] += 1
        self.changed, self.untouched = True, False
        if after is not None:
            after(made)
        return True

    def screen(self, row: Submission) -> None:
        """The program looks at what was submitted, when it is one of those that it looks at."""
        nth = self.cast.clips.index(row.generation)
        if nth != 1:
            screening, new = Screening.objects.get_or_create(
                output=row.current.output, version=1, defaults={"done_at": Now()}
            )
            if new:
                Signal.objects.create(screening=screening, kind="blank", raised=nth == 2, value=0.5, limit=0.4)

    def fingerprint(self) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(FINGERPRINT)
            return cursor.fetchone()

    # ---------------------------------------------------------------- what always holds

    def promises(self) -> None:
        self.turns += 1
        now, self.untouched = self.fingerprint(), True
        if now == self.compared:
            return  # nobody did anything, so nothing is otherwise
        with connection.cursor() as cursor:  # what the database would say at the commit
            cursor.execute("set constraints all immediate")
            cursor.execute("set constraints all deferred")
        self.changed, self.compared = True, now
        page = self.page
        self.waiting_is_in_order(page)
        self.looks_are_by_different_people(page)
        self.only_the_signed_is_public(page)
        self.the_log_knows_it(page)
        self.nobody_was_told_too_much(page)
        # What is asked by many queries is asked in turns.
        (self.the_line_is_a_reviewers, self.the_artist_sees_what_they_were_told, self.the_doors_agree)[self.turns % 3](
            page
        )

    def waiting_is_in_order(self, page: Page) -> None:
        heard = {appeal.decision.revision.submission_id for appeal in page.appeals if appeal.state == "open"}
        for row in page.rows:
            assert row.hearing == (row.pk in heard), "an appeal is open, or none is"
            assert row.lane == ("appeal" if row.hearing else LANES.get(row.state))
            assert row.lane is None or row.due_at is not None
            assert row.holder_id is None or row.lane is not None, "only what waits is held"
            assert (row.holder_id, row.membership.user_id) not in self.memory.named.values()
            assert (row.state == "withdrawn") == (row.pk in self.memory.withdrawn), "what is withdrawn stays so"
        assert queue.lanes() == {lane: sum(row.lane == lane for row in page.rows) for lane in Submission.LANES}

    def the_line_is_a_reviewers(self, page: Page) -> None:
        reviewer = self.by((0, 2, 3, 4, 5, 6)[self.turns // 3 % 6])
        for waits in queue.waiting_for(reviewer):
            row = page.row(waits.pk)
            assert row.lane and not held(row) and row.membership.user_id != reviewer.user.pk
            assert (reviewer.user.pk, row.membership.user_id) not in self.memory.named.values()
            assert not any(d.pending and d.revision_id == row.current_id for d in page.decisions)

    def looks_are_by_different_people(self, page: Page) -> None:
        stand = [decision for decision in page.decisions if decision.undone_at is None]
        outcomes = [d.revision_id for d in stand if d.decides and d.role in Decision.OUTCOMES]
        assert len(outcomes) == len(set(outcomes)), "one answer a revision"
        looks = [(d.revision_id, d.reviewer_id) for d in stand if d.role in ("first", "second", "final")]
        assert len(looks) == len(set(looks)), "another look is another reviewer's"
        for decision in page.decisions:
            if decision.verdict in Decision.REFUSALS:
                assert decision.clauses and decision.facts.strip()
                assert decision.from_seconds is not None or decision.region.strip()
            if decision.role == "appeal":
                work = decision.revision.submission.generation_id
                before = [d for d in stand if d.revision.submission.generation_id == work and d.pk < decision.pk]
                assert decision.reviewer_id not in {d.reviewer_id for d in before}, "an appeal is a third person's"

    def only_the_signed_is_public(self, page: Page) -> None:
        public = set(Publication.objects.public().values_list("pk", flat=True))
        for work in page.publications:
            row = page.row(work.submission_id)
            if work.state == "published":
                assert (row.state, row.current_id) == ("approved", work.revision_id)
                approvals = [d for d in page.decisions if d.verdict == "approve" and d.decides and in_effect(d)]
                assert work.revision_id in self.memory.signed & {d.revision_id for d in approvals}
            assert (work.ended_at is None) == (work.state == "published")
            assert (work.pk in public) == self.is_shown(work)

    def the_doors_agree(self, page: Page) -> None:
        if page.publications:
            self.its_file_answers_so(page.publications[self.turns // 3 % len(page.publications)])
        row = page.rows[self.turns // 3 % len(page.rows)] if page.rows else None
        if row is not None and row.current.output.generation_id not in {
            work.revision.output.generation_id for work in page.publications
        }:
            try:
                media.open_for(actors.NOBODY, "public", row.current.output, under=Publication.objects.public())
            except refusals.NotFound:
                pass
            else:
                raise AssertionError("nobody has signed it")

    def is_shown(self, work: Publication) -> bool:
        return work.state == "published" and not any(self.stops(brake, work) for brake in self.memory.brakes.values())

    def stops(self, brake: Brake, work: Publication) -> bool:
        membership = work.submission.membership
        targets = {"artist": membership.user_id, "cohort": membership.cohort_id, "all": None}
        return (brake.scope, brake.target) == ("publication", work.pk) or (
            brake.closes and brake.scope in targets and brake.target == targets[brake.scope]
        )

    def its_file_answers_so(self, work: Publication) -> None:
        shown = self.is_shown(work)
        try:
            answer = answers.file_of(RequestFactory().get("/"), work.pk, "video")
        except refusals.Refused as refusal:
            assert not shown
            assert type(refusal) is GONE.get(work.state, refusals.NotShownNow)
            assert "video_url" not in api.show_publication(work) or work.state == "published"
        else:
            assert shown
            assert hashlib.sha256(b"".join(answer.streaming_content)).hexdigest() == work.revision.sha256
            trained = self.allows(work, "train")
            assert ("noai" in answer.headers.get("X-Robots-Tag", "")) is not trained
            assert ("train" in consents.of(work)) is trained

    def allows(self, work: Publication, purpose: str) -> bool:
        """Whether its artist said so last: for the clip, and for the work on whose page it is."""
        user, allowed = work.submission.membership.user_id, self.memory.allowed
        clips = {work.submission.generation_id, work.revision.output.generation_id}
        general = allowed.get((user, None, purpose), False)
        return all(allowed.get((user, clip, purpose), general) for clip in clips)

    def the_log_knows_it(self, page: Page) -> None:
        rows = [*page.rows, *page.publications, *page.appeals]
        subjects = [row.pk for row in (*rows, *page.decisions)]
        log: dict[UUID, list[str]] = {pk: [] for pk in subjects}
        for action, pk in (
            Entry.objects.filter(subject_id__in=subjects).order_by("id").values_list("action", "subject_id")
        ):
            log[pk].append(action)
        for row in rows:
            moves = [action for action in log[row.pk] if action.partition(".")[2] in row.MOVES]
            assert moves[-1] == f"{row.NOUN}.{row.state}"
        for decision in page.decisions:
            undone, said = decision.undone_at is not None, decision.announced_at is not None
            assert not (undone and said)
            expected = {f"decision.{decision.verdict}": 1, "decision.undone": undone, "decision.in_effect": said}
            assert Counter(log[decision.pk]) == +Counter(expected)

    def nobody_was_told_too_much(self, page: Page) -> None:
        letters = [f"{n.subject} {n.body}" for n in Notice.objects.filter(user__in=self.people[:2])]
        for decision in page.decisions:
            said = decision.announced_at is not None and is_told(decision) and decision.pk not in self.memory.unsaid
            if decision.facts:
                assert sum(marker(decision.facts) in letter for letter in letters) == said
        yeses = [d for d in page.decisions if d.announced_at and is_told(d) and not d.facts]
        assert sum("is approved" in letter for letter in letters) == sum(d.pk not in self.memory.unsaid for d in yeses)
        for row in page.rows:
            assert row.shown_state == self.memory.told[row.pk], "the artist knows what they were told"

    def the_artist_sees_what_they_were_told(self, page: Page) -> None:
        """Their resource, their history and the state of their work speak of those answers, and of no other."""
        theirs = Submission.objects.visible_to(self.by(1)).exclude(membership__user=self.people[1])
        assert not theirs.exists(), "a stranger sees nothing"
        if not page.rows:
            return
        row = Submission.objects.told().get(pk=page.rows[-1 - self.turns // 3 % min(2, len(page.rows))].pk)
        about = [d for d in page.decisions if d.revision.submission.generation_id == row.generation_id]
        known = [decision for decision in about if is_told(decision)]
        secret = {user.name for user in self.people[2:]} | {"escalated", "awaiting"}
        secret |= {marker(d.facts) for d in page.decisions if d.facts and not is_told(d)}
        shown = api.show_submission(row, self.cast.clauses)
        lines = [event.sentence for event in history.events(row.generation, row)]
        seen_by = [(look.who, look.why) for look in looks.at_work(row.generation)]
        told = json.dumps([shown, lines, seen_by, history.status(row.generation, row)], default=str, ensure_ascii=False)
        assert not [word for word in secret if word in told]
        assert shown["status"] == self.memory.told[row.pk]
        if shown["decision"] is not None:
            assert shown["decision"]["id"] in {show_id("decision", decision.pk) for decision in known}
        if shown["appeal"] is not None and shown["appeal"]["status"] in ("upheld", "overturned"):
            assert any(decision.role == "appeal" for decision in known)
        for verdict, sentence in history.VERDICTS.items():
            assert lines.count(sentence) <= sum(decision.verdict == verdict for decision in known)


def fresh(row: T) -> T:
    """The row as it was on somebody's page, for one call."""
    return copy.deepcopy(row)
