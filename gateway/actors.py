"""Who is asking: once, for every door."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal
from uuid import UUID

from gateway import refusals
from gateway.models import GuestPass, Impersonation, Membership, Token, User

Kind = Literal["person", "token", "guest", "worker", "system", "nobody"]


@dataclass(frozen=True)
class Actor:
    """Who acts: a person in a browser, a token, a guest, a worker, the program itself, or nobody that we know.

    Rule functions take one as `by=`; audit entries name it. A guest has a guest pass and no `user`: what asks for a
    person never takes them for the artist whose pass it is.
    """

    kind: Kind
    user: User | None = None
    token: Token | None = None
    name: str = ""  # of a worker
    impersonation: Impersonation | None = None  # an admin looks as `user`: to read, not to change
    session: UUID | None = None  # which browser session of theirs, see gateway.keys.alias
    guest_pass: GuestPass | None = None
    visitor: bytes = b""  # which of a pass's guests, as a fingerprint of what their browser keeps
    visitor_address: bytes = b""  # where from, as a fingerprint of one day

    @property
    def credential(self) -> tuple[str, UUID | None, UUID | None]:
        """With what they ask: which kind, its id, and whose it is."""
        if self.guest_pass is not None:
            return "guest_pass", self.guest_pass.pk, self.guest_pass.membership.user_id
        owner = self.user.pk if self.user is not None else None
        if self.token is not None:
            return "token", self.token.pk, owner
        return "session", self.session, self.impersonation.admin_id if self.impersonation is not None else owner

    @property
    def is_test(self) -> bool:
        """Whether a test token asks: it draws tests, and of what there is it sees tests alone."""
        return self.token is not None and self.token.is_test

    @property
    def is_reviewer(self) -> bool:
        return self.user is not None and self.user.is_active and self.user.is_reviewer

    @property
    def is_admin(self) -> bool:
        return self.user is not None and self.user.is_active and self.user.is_staff and self.token is None

    @cached_property
    def membership(self) -> Membership | None:
        """The one that is not left, if any; a token's is that which it was issued under, a guest's their artist's."""
        if self.guest_pass is not None:
            return self.guest_pass.membership
        if self.user is None:
            return None
        if self.token is not None:
            issued_under = self.token.membership
            return issued_under if issued_under is not None and issued_under.state != "left" else None
        return self.user.memberships.select_related("cohort").exclude(state="left").first()

    @cached_property
    def former(self) -> Membership | None:
        """The place that they had, of somebody who has none now: what they made there is still theirs."""
        if self.user is None or self.membership is not None:
            return None
        return self.user.memberships.select_related("cohort").order_by("-id").first()

    def must_be_member(self) -> Membership:
        """Their membership. Raises NotAMember, or Suspended when it is; of a guest's artist GuestPassPaused."""
        if self.guest_pass is not None and self.guest_pass.membership.state != "active":
            raise refusals.GuestPassPaused
        if self.membership is None:
            raise refusals.NotAMember
        if self.membership.state == "suspended":
            raise refusals.Suspended
        return self.membership

    def must_be_reviewer(self) -> User:
        """Raises ReviewersOnly for everyone else."""
        if not self.is_reviewer or self.user is None:
            raise refusals.ReviewersOnly
        return self.user

    def must_be_admin(self) -> User:
        """Raises AdminsOnly for everyone else; a token is never an admin."""
        if not self.is_admin or self.user is None:
            raise refusals.AdminsOnly
        return self.user

    def must_have(self, scope: str) -> None:
        """Raises MissingScope when a token without `scope` asks; a person in a browser has all, a guest has one."""
        if self.kind == "guest" and scope != "generate":
            raise refusals.NotForGuests
        if self.token is not None and scope not in self.token.scopes:
            raise refusals.MissingScope(scope=scope)


NOBODY = Actor("nobody")
SYSTEM = Actor("system")


def person(user: User, session: UUID | None = None) -> Actor:
    """Somebody who is signed in."""
    return Actor("person", user=user, session=session)


def worker(name: str) -> Actor:
    """A process that draws."""
    return Actor("worker", name=name)
