"""The program's terms, by version, and who accepted them."""

from gateway import audit
from gateway.actors import Actor
from gateway.models import Terms, TermsAcceptance, User


def current() -> Terms | None:
    """The latest version; None while the program has none."""
    return Terms.objects.order_by("-version").first()


def accept(terms: Terms, user: User, *, by: Actor) -> None:
    """Record that `user` accepts this version. Accepting twice is no error."""
    _, made = TermsAcceptance.objects.get_or_create(terms=terms, user=user)
    if made:
        audit.record("terms.accepted", by=by, subject=terms, facts={"version": terms.version})
