"""A work's whole life, played at random: whatever people try in whatever order, the promises of the product hold.

Artists, reviewers, an admin and the clock do what they may want at that moment, and now and then what nobody should:
twice in a row, from a page that they opened long ago, or in another's name. Each call is done or refused, never an
error, and after each step the database, the artist's view and the public doors are compared with what was told.
"""

import random
from collections.abc import Callable
from datetime import timedelta
from itertools import cycle
from typing import Any, TypeVar

import pytest
from django.db.models.functions import Now
from django.db.transaction import atomic, set_rollback
from django.utils import timezone
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from gateway import brakes, members
from gateway.models import Brake, Consent, Membership, User
from review import appeals, clock, conflicts, consents, decisions, publishing, queue, submissions
from review.models import Appeal, Conflict, Decision, Publication, ReviewPolicy, Submission
from review.reasons import NONE, Reasons
from tests import makers
from tests.review.life import HIDDEN, Cast, World, fresh, held, in_effect, is_told

pytestmark = pytest.mark.django_db
T = TypeVar("T", bound=Callable[..., None])
STARTS = {
    "nothing yet": "",
    "waiting": "submit",
    "a change asked for": "submit look:request_changes wait",
    "refused": "submit look:reject wait",
    "appealed": "submit look:reject wait appeal",
    "escalated": "submit look:escalate wait",
    "approved by silence, if late": "silence submit",
    "approved by silence": "silence submit late",
    "in hand": "submit take",
    "waiting for two": "two submit",
    "looked at by one of two": "two submit look:approve wait",
    "approved": "submit look:approve wait",
    "public": "submit look:approve wait sign",
    "taken down": "submit look:approve wait sign down",
    "taken down, appealed": "submit look:approve wait sign down appeal",
    "public again": "submit look:approve wait sign down appeal overturn wait",
    "appealed twice": "submit look:reject wait appeal again",
}
REVIEWERS = (2, 3, 4, 5, 6, 0)
anybody = st.integers(0, 6)
reviewers = st.sampled_from(REVIEWERS)
seldom = st.sampled_from([False, False, False, False, True])
verdicts = st.sampled_from(
    ["approve", "approve", "approve", "request_changes", "request_changes", "reject", "escalate"]
)
policies = st.fixed_dictionaries(
    {
        "reviewers": st.sampled_from([1, 2]),
        "sample_percent": st.sampled_from([0, 0, 100]),
        "second_clauses": st.sampled_from([[], [], [4]]),
        "by_default": st.sampled_from([True, True, False]),
    }
)
Draw = Callable[[Any], Any]
ACTS: dict[str, tuple[int, Callable[["Life"], Any]]] = {}


def may(weight: int, when: Callable[["Life"], Any] = lambda life: True) -> Callable[[T], T]:
    """What may happen in a life when something is so, and how often it is wanted."""

    def known(act: T) -> T:
        ACTS[act.__name__] = weight, when
        return act

    return known


def to_be_signed(row: Submission) -> bool:
    return row.shown_state == "approved" and row.public is None


class Life(RuleBasedStateMachine, World):
    """What people and the clock may do. `done` and `refused` calls are counted over all lives."""

    begins = "nothing yet"  # one of STARTS

    def __init__(self) -> None:
        super().__init__()
        self.one_life = atomic()
        self.one_life.__enter__()
        self.begin()

    def teardown(self) -> None:
        set_rollback(True)
        self.one_life.__exit__(None, None, None)

    @initialize()
    def start(self) -> None:
        for act in STARTS[self.begins].split():
            name, _, verdict = act.partition(":")
            if name in ("two", "silence"):
                self.set_policy(0, {"reviewers": 2} if name == "two" else {"by_default": True})
            elif name == "submit":
                self.submit(0, 0, "Kiln")
            elif name == "take":
                self.take(self.page.rows[-1], 2)
            elif name == "look":
                self.look(self.page.rows[-1], 2, verdict, [4])
            elif name == "wait":
                self.wait()
                self.announce()
            elif name == "sign":
                self.sign(self.page.rows[-1], 0, 0)
            elif name == "down":
                self.take_down(self.page.publications[-1], 6)
            elif name == "late":
                self.strike(self.page.rows[-1])
            elif name == "overturn":
                self.take(self.page.rows[-1], 3)
                self.hear(self.page.rows[-1], 3, "overturn")
            elif name == "again":
                self.appeal(self.page.appeals[-1].decision, 0)
            else:
                self.appeal(self.page.refusals_that_stand()[-1], 0)

    @invariant()
    def the_promises_hold(self) -> None:
        self.promises()

    # ---------------------------------------------------------------- artists

    def submit(self, who: int, clip: int, title: str) -> bool:
        work = self.cast.clips[clip]
        words = self.words(title)

        def after(made: Submission) -> None:
            assert self.people[who].pk == work.membership.user_id
            self.memory.told[made.pk] = "submitted"
            self.screen(made)

        return self.attempt("submit", lambda: submissions.submit(work, by=self.by(who), **words), after)

    def words(self, title: str) -> dict[str, str]:
        return {"title": title, "credit": "An artist", "licence": "CC-BY-4.0"}

    def resubmit(self, row: Submission, who: int, clip: int | None) -> bool:
        other = None if clip is None else self.cast.clips[clip]

        def after(made: Submission) -> None:
            assert self.people[who] == row.membership.user
            assert self.memory.told[row.pk] == "changes_requested"
            self.memory.told[row.pk] = "submitted"

        return self.attempt(
            "resubmit",
            lambda: submissions.resubmit(fresh(row), by=self.by(who), generation=other, **self.words("Kiln, softer")),
            after,
        )

    def sign(self, row: Submission, who: int, off: int) -> bool:
        number = row.current.number + off

        def after(made: Publication) -> None:
            now = Submission.objects.select_related("current").get(pk=row.pk)
            assert self.people[who] == row.membership.user
            if made.revision_id not in self.memory.signed:
                assert self.memory.told[row.pk] == "approved"
                assert now.current.number == number
                assert made.revision_id == now.current_id
            self.memory.signed.add(made.revision_id)

        return self.attempt(
            "sign",
            lambda: publishing.sign_off(fresh(row), by=self.by(who), revision=number, name="An artist"),
            after,
        )

    def withdraw(self, row: Submission, who: int) -> bool:
        def after(_: None) -> None:
            assert self.people[who] == row.membership.user
            self.gone(row)

        return self.attempt("withdraw", lambda: submissions.withdraw(fresh(row), by=self.by(who)), after)

    def unpublish(self, work: Publication, who: int) -> bool:
        def after(_: None) -> None:
            assert self.people[who] == work.submission.membership.user
            self.gone(work.submission)

        return self.attempt("unpublish", lambda: publishing.withdraw(fresh(work), by=self.by(who)), after)

    def gone(self, row: Submission) -> None:
        self.memory.told[row.pk] = "withdrawn"
        self.memory.withdrawn.add(row.pk)

    def appeal(self, decision: Decision, who: int) -> bool:
        def after(made: Appeal) -> None:
            now = next(row for row in self.page.decisions if row.pk == decision.pk)
            assert is_told(now) and now.verdict in Decision.REFUSALS
            assert self.people[who] == decision.revision.submission.membership.user

        return self.attempt(
            "appeal", lambda: appeals.file(fresh(decision), by=self.by(who), words="It is one slow pulse."), after
        )

    # ---------------------------------------------------------------- reviewers

    def take(self, row: Submission, who: int) -> bool:
        return self.attempt("take", lambda: queue.take(fresh(row), by=self.by(who)))

    def decide(self, row: Submission, who: int, verdict: str, clauses: list[int]) -> bool:
        named = [pk for pk, clause in self.cast.clauses.items() if clause.number in clauses]
        told: dict[str, Any] = {}
        if verdict == "approve":
            told = {"considered": named}
        elif verdict != "escalate":
            told = {
                "reasons": Reasons(clauses=named, facts=self.text("It blinks."), from_seconds=0.5) if named else NONE
            }

        def after(made: Decision) -> None:
            artist = row.membership.user
            assert artist != self.people[who]
            assert (self.people[who].pk, artist.pk) not in self.memory.named.values()
            where = {User.objects.get(pk=user.pk).studio.lower() for user in (artist, self.people[who])}
            assert where == {""} or len(where) == 2
            agrees = {True: " agrees", False: " disagrees"} if made.role == "second" else {}
            self.seen[made.role + agrees.get(made.decides, "")] += 1

        return self.attempt(verdict, lambda: getattr(decisions, verdict)(fresh(row), by=self.by(who), **told), after)

    def look(self, row: Submission, who: int, verdict: str, clauses: list[int]) -> bool:
        self.take(row, who)
        return self.decide(self.page.row(row.pk), who, verdict, clauses)

    def hear(self, row: Submission, who: int, outcome: str) -> bool:
        message = self.text("The light is slow.")
        call = {"uphold": appeals.uphold, "overturn": appeals.overturn}[outcome]
        return self.attempt(outcome, lambda: call(fresh(row), by=self.by(who), message=message))

    def undo(self, decision: Decision, who: int) -> bool:
        def after(_: None) -> None:
            assert decision.reviewer == self.people[who]

        return self.attempt("undo", lambda: decisions.undo(fresh(decision), by=self.by(who)), after)

    # ---------------------------------------------------------------- admins and the clock

    def take_down(self, work: Publication, who: int) -> bool:
        named = [pk for pk, clause in self.cast.clauses.items() if clause.number == 4]
        reasons = Reasons(clauses=named, facts=self.text("It blinks."), region="the sky")
        return self.attempt("take down", lambda: publishing.take_down(fresh(work), by=self.by(who), reasons=reasons))

    def wait(self, **ago: int) -> None:
        """Every window that is open ends, so that what was decided is what the artist knows."""
        makers.windows_over(**ago)
        self.seen["the windows end"] += 1
        self.changed = True
        for row in self.page.rows:
            if row.state != "withdrawn":
                self.memory.told[row.pk] = HIDDEN.get(row.state, row.state)

    def announce(self) -> None:
        """Let it be told, once, to those who have not withdrawn meanwhile."""
        page = self.page
        due = [decision for decision in page.decisions if in_effect(decision) and decision.announced_at is None]
        down = {work.revision_id for work in page.publications if work.state == "taken_down"}
        for decision in due:
            nobody = page.row(decision.revision.submission_id).state == "withdrawn"
            if nobody or (
                decision.role == "appeal"
                and not decision.decides
                and decision.verdict == "approve"
                and decision.revision_id not in down
            ):
                self.memory.unsaid.add(decision.pk)
        assert decisions.announce() == len(due)
        if not due:
            return
        assert decisions.announce() == 0
        self.seen["announce"] += 1
        self.changed = True
        public = {work.revision_id for work in self.page.publications if work.state == "published"}
        self.seen["the work is public again"] += len(down & public)

    def set_policy(self, cohort: int, asked: dict[str, Any]) -> None:
        where = self.people[cohort].memberships.get().cohort
        ReviewPolicy.objects.update_or_create(cohort=where, defaults=asked)
        self.seen["policy"] += 1

    # ---------------------------------------------------------------- what may happen next

    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        """One of what is possible by now; what stands first below is the plainest life, with which Hypothesis begins.

        (As thirty rules it would switch most of them off in each life.)
        """
        self.seen["steps"] += 1
        possible = [name for name, (weight, when) in ACTS.items() if when(self) for _ in range(weight)]
        getattr(self, data.draw(st.sampled_from(possible), label="what"))(data.draw)

    @may(3, lambda life: len(life.page.rows) < 4)
    def submits(self, draw: Draw) -> None:
        taken = {
            row.generation_id for row in self.page.rows if row.state not in ("withdrawn", "rejected") or row.hearing
        }
        free = [nth for nth, clip in enumerate(self.cast.clips) if clip.pk not in taken]
        clip = draw(st.sampled_from(free if free and not draw(seldom) else range(4)))
        self.submit((0 if clip < 3 else 1) ^ draw(seldom), clip, "Kiln")

    @may(10, lambda life: life.some(lambda row: row.lane in ("first", "second", "escalated")))
    def looks(self, draw: Draw) -> None:
        row = self.one_of(draw, self.page.rows, lambda row: row.lane in ("first", "second", "escalated"))
        verdict, clauses = draw(verdicts), draw(st.sampled_from([[4], [4], [1], [1, 4], []]))
        if held(row) and not draw(seldom):
            self.decide(row, self.holder(row), verdict, clauses)
        else:
            self.look(row, self.who_may(row, draw(reviewers)), verdict, clauses)

    @may(6, lambda life: any(decision.pending for decision in life.page.decisions))
    def the_windows_end(self, draw: Draw) -> None:
        self.wait()
        if draw(st.booleans()):
            self.announce()

    @may(4, lambda life: life.some(to_be_signed))
    def signs(self, draw: Draw) -> None:
        row = self.one_of(draw, self.page.rows, to_be_signed)
        self.sign(row, self.owner(row) ^ draw(seldom), draw(st.sampled_from([0, 0, 0, 1, -1])))

    @may(8, lambda life: life.some(lambda row: row.shown_state == "changes_requested"))
    def sends_a_new_version(self, draw: Draw) -> None:
        row = self.one_of(draw, self.page.rows, lambda row: row.shown_state == "changes_requested")
        self.resubmit(row, self.owner(row), draw(st.sampled_from([None, None, 0, 1, 3])))

    @may(3, lambda life: any(work.state == "published" for work in life.page.publications))
    def takes_down(self, draw: Draw) -> None:
        work = self.one_of(draw, self.page.publications, lambda work: work.state == "published")
        self.take_down(work, 2 if draw(seldom) else 6)

    @may(3, lambda life: life.page.refusals_that_stand())
    def appeals_against_it(self, draw: Draw) -> None:
        appealed = [appeal.decision for appeal in self.page.appeals]  # for a second time, sometimes
        decision = self.one_of(draw, (draw(seldom) and appealed) or self.page.refusals_that_stand())
        self.appeal(decision, self.owner(decision.revision.submission))

    @may(6, lambda life: life.some(lambda row: row.lane == "appeal"))
    def hears_the_appeal(self, draw: Draw) -> None:
        row = self.one_of(draw, self.page.rows, lambda row: row.lane == "appeal")
        by = self.holder(row) if held(row) else self.who_may(row, draw(reviewers))
        self.take(row, by)
        self.hear(row, by, draw(st.sampled_from(["uphold", "overturn", "overturn"])))

    @may(5, lambda life: any(decision.pending for decision in life.page.decisions))
    def undoes_it(self, draw: Draw) -> None:
        decision = self.one_of(draw, self.page.decisions, lambda decision: decision.pending)
        own = self.decider(decision)
        self.undo(decision, 5 if draw(seldom) and own != 5 else own)

    @may(3, lambda life: life.some(lambda row: row.lane and not held(row)))
    def takes_the_next(self, draw: Draw) -> None:
        who, lane = draw(reviewers), draw(st.sampled_from([None, None, *Submission.LANES]))

        def after(taken: Submission) -> None:
            row = self.pages[-1].row(taken.pk)  # as it was before
            assert not held(row) and lane in (None, row.lane)
            assert taken.holder == self.people[who] != row.membership.user

        self.attempt("take the next", lambda: queue.take_next(by=self.by(who), lane=lane), after)

    @may(2, lambda life: life.some(held))
    def keeps_it(self, draw: Draw) -> None:
        row = self.one_of(draw, self.page.rows, held)
        by = 3 if draw(seldom) else self.holder(row)
        for _ in range(draw(st.sampled_from([1, 1, 11]))):
            self.attempt("renew", lambda: queue.renew(fresh(row), by=self.by(by)))

    @may(4, lambda life: life.some(held))
    def lets_it_go(self, draw: Draw) -> None:
        row = self.one_of(draw, self.page.rows, held)
        by = self.holder(row)
        how = draw(st.sampled_from(["release", "skip", "decline"]))

        def after(_: object) -> None:
            if how == "decline":
                conflict = Conflict.objects.get(reviewer=self.people[by], lifted_at=None, artist=row.membership.user)
                self.memory.named[conflict.pk] = self.people[by].pk, row.membership.user_id

        self.attempt(how, lambda: getattr(queue, how)(fresh(row), by=self.by(by)), after)

    @may(2, lambda life: life.some(held))
    def lets_it_lapse(self, draw: Draw) -> None:
        row = self.one_of(draw, self.page.rows, held)
        over = timedelta(seconds=1) + draw(st.sampled_from([0, 1])) * queue.lease()
        Submission.objects.filter(pk=row.pk).update(lease_until=Now() - over)
        self.seen["the lease runs out"] += 1

    @may(2, lambda life: any(appeal.state == "open" for appeal in life.page.appeals))
    def takes_the_appeal_back(self, draw: Draw) -> None:
        appeal = self.one_of(draw, self.page.appeals, lambda appeal: appeal.state == "open")
        by = self.owner(appeal.decision.revision.submission)
        self.attempt("withdraw the appeal", lambda: appeals.withdraw(fresh(appeal), by=self.by(by)))

    @may(1, lambda life: life.some(lambda row: row.state != "withdrawn"))
    def withdraws(self, draw: Draw) -> None:
        shown = [work for work in self.page.publications if work.state != "withdrawn"]
        if shown and draw(st.booleans()):
            work = self.one_of(draw, shown)
            self.unpublish(work, self.owner(work.submission))
        else:
            row = self.one_of(draw, self.page.rows, lambda row: row.state != "withdrawn")
            self.withdraw(row, self.owner(row))

    @may(2, lambda life: life.some(lambda row: row.lane is not None))
    def the_clock_strikes(self, draw: Draw) -> None:
        self.strike(self.one_of(draw, self.page.rows, lambda row: row.lane is not None))

    def strike(self, late: Submission) -> None:
        Submission.objects.filter(pk=late.pk).update(due_at=Now() - timedelta(seconds=1))
        self.changed = True
        page = self.page
        pending = {decision.revision_id for decision in page.decisions if decision.pending}
        due = [row for row in page.rows if row.lane and not row.overdue_at and row.due_at < timezone.now()]
        due = [row for row in due if not held(row) and row.current_id not in pending]
        assert clock.strike() == len(due)
        assert clock.strike() == 0
        self.seen["strike"] += bool(due)
        self.changed = True
        for row in due:
            now = self.page.row(row.pk)
            if now.state == "approved" and row.state == "submitted":
                self.silence_approved(row, now)
            else:
                assert now.state == ("escalated" if row.lane in ("first", "second") else row.state)
                assert now.overdue_at is not None

    def silence_approved(self, before: Submission, now: Submission) -> None:
        policy = ReviewPolicy.objects.get(cohort=before.membership.cohort)
        assert policy.by_default and not before.second
        assert before.current.output.generation in (self.cast.clips[0], self.cast.clips[3]), "the calm ones"
        verdict = makers.seen(now).verdict
        assert verdict.role == "default" and verdict.reviewer is None
        of_it = [d for d in self.page.decisions if d.revision.submission.generation_id == before.generation_id]
        assert not [d for d in of_it if d.undone_at is None and d.verdict != "approve"]
        self.memory.told[now.pk] = "approved"
        self.seen["approved by silence"] += 1

    @may(1, lambda life: life.page.refusals_that_stand())
    def half_a_year_passes(self, draw: Draw) -> None:
        if draw(seldom):
            self.wait(days=185)

    @may(1)
    def names_a_conflict(self, draw: Draw) -> None:
        reviewer, artist = draw(reviewers), draw(st.sampled_from([0, 0, 1]))
        if busy := self.busy():
            reviewer, artist = draw(st.sampled_from(busy))
        pair = self.people[reviewer], self.people[artist]

        def after(made: Conflict) -> None:
            self.memory.named[made.pk] = pair[0].pk, pair[1].pk

        by = draw(st.sampled_from([artist, artist, reviewer, 6, 5]))
        if by == artist and draw(st.booleans()):
            email = pair[0].email.upper()
            self.attempt("name an address", lambda: conflicts.name_address(email, by=self.by(by)), after)
        else:
            self.attempt("name a conflict", lambda: conflicts.name(*pair, by=self.by(by)), after)

    @may(2, lambda life: life.memory.named)
    def lifts_it(self, draw: Draw) -> None:
        conflict = self.one_of(draw, list(Conflict.objects.filter(lifted_at__isnull=True).order_by("pk")))

        def after(_: None) -> None:
            self.memory.named.pop(conflict.pk, None)

        by = draw(st.sampled_from([6, 6, 2]))
        self.attempt("lift the conflict", lambda: conflicts.lift(conflict, by=self.by(by)), after)

    @may(1)
    def joins_a_studio(self, draw: Draw) -> None:
        together = draw(st.sampled_from(self.busy())) if self.busy() else ()
        for who in together or (draw(anybody),):
            studio = draw(st.sampled_from(["Atelier Nord", "atelier nord", ""]))
            self.attempt("join a studio", lambda who=who, studio=studio: conflicts.set_studio(studio, by=self.by(who)))
        self.people = self.present()

    @may(1)
    def changes_the_policy(self, draw: Draw) -> None:
        self.set_policy(draw(st.integers(0, 1)), draw(policies))

    @may(1, lambda life: not life.memory.brakes)
    def pulls_a_brake(self, draw: Draw) -> None:
        work = self.page.publications[-1].pk if self.page.publications else None
        targets = {"artist": self.people[0].pk, "cohort": self.cast.clips[0].membership.cohort_id, "all": None}
        targets |= {"publication": work} if work else {}
        scope, closes = draw(st.sampled_from(sorted(targets))), draw(st.booleans())

        def after(made: Brake) -> None:
            self.memory.brakes[made.pk] = made

        brake = {"label": "it", "reason": "A test.", "closes": closes}
        self.attempt("pull a brake", lambda: brakes.pull(scope, targets[scope], by=self.by(6), **brake), after)

    @may(4, lambda life: life.memory.brakes)
    def lets_go(self, draw: Draw) -> None:
        brake = next(iter(self.memory.brakes.values()))

        def after(_: None) -> None:
            self.memory.brakes.pop(brake.pk, None)

        self.attempt("release the brake", lambda: brakes.release(fresh(brake), by=self.by(6)), after)

    @may(1)
    def is_suspended_or_resumed(self, draw: Draw) -> None:
        membership = Membership.objects.get(user=self.people[draw(st.sampled_from([0, 0, 1]))])
        if membership.state == "active" and draw(seldom):
            self.attempt("suspend", lambda: members.suspend(membership, by=self.by(6), reason="A reason."))
        elif membership.state != "active":
            self.attempt("resume", lambda: members.resume(membership, by=self.by(6)))

    @may(1)
    def answers_for_a_use(self, draw: Draw) -> None:
        who, clip, yes = draw(st.integers(0, 1)), draw(st.integers(-1, 3)), draw(st.booleans())
        purpose = draw(st.sampled_from(["train", "promote"]))
        work = self.cast.clips[clip] if clip >= 0 else None

        def after(made: Consent) -> None:
            self.memory.allowed[self.people[who].pk, work.pk if work else None, purpose] = yes

        answer = consents.give if yes else consents.take_back
        self.attempt("allow" if yes else "take back", lambda: answer(purpose, by=self.by(who), work=work), after)

    @may(2, lambda life: life.last)
    def clicks_twice(self, draw: Draw) -> None:
        self.seen["clicked twice"] += 1
        self.attempt(*self.last)

    @may(4, lambda life: len(life.pages) > 3 and life.pages[-3].rows)
    def meddles(self, draw: Draw) -> None:
        """Anybody tries anything, from a page that they opened some time ago; the artist mostly with their own."""
        page = self.pages[max(-draw(st.integers(1, 7)), -len(self.pages))]
        if not page.rows:
            return
        row, who = self.one_of(draw, page.rows), draw(anybody)
        calls: dict[str, Callable[[int], object]] = {
            "submit": lambda who: self.submit(who, 0, "Kiln"),
            "resubmit": lambda who: self.resubmit(row, who, None),
            "sign": lambda who: self.sign(row, who, 0),
            "take": lambda who: self.take(row, who),
            "decide": lambda who: self.decide(row, who, draw(verdicts), [4]),
            "hear": lambda who: self.hear(row, who, draw(st.sampled_from(["uphold", "overturn"]))),
            "renew": lambda who: self.attempt("renew", lambda: queue.renew(fresh(row), by=self.by(who))),
            "release": lambda who: self.attempt("release", lambda: queue.release(fresh(row), by=self.by(who))),
        }
        if draw(seldom):
            calls |= {"withdraw": lambda who: self.withdraw(row, who)}
        if page.decisions:
            decision = self.one_of(draw, page.decisions)
            calls |= {"appeal": lambda who: self.appeal(decision, who), "undo": lambda who: self.undo(decision, who)}
        if page.publications:
            work = self.one_of(draw, page.publications)
            calls |= {
                "unpublish": lambda who: self.unpublish(work, who),
                "take down": lambda who: self.take_down(work, who),
            }
        act = draw(st.sampled_from(sorted(calls)))
        if act in ("resubmit", "sign", "appeal", "withdraw", "unpublish") and not draw(seldom):
            who = self.owner(row)
        self.seen[f"{act} from a page of some time ago"] += 1
        calls[act](who)

    @may(1)
    def somebody_tells_them(self, draw: Draw) -> None:
        self.announce()

    # ---------------------------------------------------------------- choosing

    def some(self, wanted: Callable[[Submission], Any]) -> bool:
        return any(wanted(row) for row in self.page.rows)

    def one_of(self, draw: Draw, rows: list[Any], wanted: Callable[[Any], Any] = bool) -> Any:
        """One of those rows, mostly the latest."""
        found = [row for row in rows if wanted(row)]
        return found[-1 - draw(st.sampled_from([0, 0, 0, 1, 2])) % len(found)]

    def holder(self, row: Submission) -> int:
        return next(who for who, user in enumerate(self.people) if user.pk == row.holder_id)

    def busy(self) -> list[tuple[int, int]]:
        """Who has a work in hand at the moment, or has just answered it, and its artist."""
        held_now = [(self.holder(row), self.owner(row)) for row in self.page.rows if held(row)]
        undoable = [decision for decision in self.page.decisions if decision.pending]
        return held_now + [(self.decider(d), self.owner(d.revision.submission)) for d in undoable]

    def decider(self, decision: Decision) -> int:
        return next(who for who in REVIEWERS if self.people[who].pk == decision.reviewer_id)

    def who_may(self, row: Submission, who: int) -> int:
        """A reviewer who has not judged this work, from `who` on."""
        work = row.generation_id
        judged = {d.reviewer_id for d in self.page.decisions if d.revision.submission.generation_id == work}
        for step in range(len(REVIEWERS)):
            able = REVIEWERS[(REVIEWERS.index(who) + step) % len(REVIEWERS)]
            user = self.people[able]
            if row.membership.user != user and (row.lane == "first" or user.pk not in judged):
                return able
        return who


HAPPENS = (
    *("submit", "resubmit", "sign", "withdraw", "unpublish", "appeal", "withdraw the appeal", "allow", "take back"),
    *("take", "take the next", "renew", "release", "skip", "decline", "the lease runs out", "the windows end"),
    *("approve", "request_changes", "reject", "escalate", "uphold", "overturn", "undo", "take down", "clicked twice"),
    *("announce", "strike", "approved by silence", "second agrees", "second disagrees", "final", "policy"),
    *("name a conflict", "name an address", "lift the conflict", "join a studio", "suspend", "resume"),
    *("pull a brake", "release the brake", "the work is public again"),
)
IS_REFUSED = (
    *("submit: already_submitted", "sign: outdated_revision", "sign: not_found", "withdraw: wrong_state"),
    *("take: held_by_another", "take: nothing_waiting", "renew: no_more_renewals", "approve: not_held"),
    *("undo: too_late_to_undo", "undo: not_yours_to_undo", "appeal: already_appealed", "appeal: nothing_to_appeal"),
    *("request_changes: reasons_missing", "take down: admins_only", "submit: braked", "escalate: wrong_state"),
)


def live(steps: int, first_seed: int) -> None:
    """Go on until so many steps were taken and all that can happen has happened; say how often each did."""
    Life.seen.clear()
    for nth, begins in enumerate(cycle(STARTS)):
        if Life.seen["steps"] >= steps and all(Life.seen[what] for what in HAPPENS + IS_REFUSED):
            break
        assert Life.seen["steps"] < 2 * steps, [what for what in HAPPENS + IS_REFUSED if not Life.seen[what]]
        Life.begins = begins
        run_state_machine_as_test(
            seed(first_seed + nth)(Life),
            settings=settings(
                max_examples=3,  # what Hypothesis tries later is mostly the same once more
                stateful_step_count=30,
                deadline=None,
                database=None,
                phases=[Phase.generate],  # a life that breaks a promise is told as it was: to shorten it takes minutes
                suppress_health_check=list(HealthCheck),
            ),
        )
    print(dict(Life.seen))


@pytest.fixture
def cast(settings: Any) -> None:
    settings.UNDO_SECONDS = settings.REVIEW_LEASE_SECONDS = 3600  # nothing ends by itself
    Life.cast = Cast.come()


@pytest.mark.timeout(600)
def test_whatever_is_tried_in_whatever_order_the_promises_hold(cast):
    live(1_000, first_seed=0)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_promises_hold_for_ten_thousand_steps(cast):
    live(10_000, first_seed=random.randrange(2**32))
