"""Where a person is signed in: list, end one, end all the others."""

from datetime import timedelta

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import audit, refusals
from gateway.actors import Actor
from gateway.models import User

BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Macintosh", "Linux")


def named(agent: str) -> str:
    """What a person calls the browser that says this of itself; what is no browser is left as it is."""
    browser = next((name for word, name in BROWSERS.items() if f"{word}/" in agent), None)
    system = next((system for system in SYSTEMS if system in agent), None)
    if browser is None:
        return agent[:80] or "A program that does not say what it is"
    return f"{browser} on {system}" if system else browser


def of(user: User) -> QuerySet[UserSession]:
    """The browsers in which this person is signed in, the latest used first."""
    alive = Session.objects.filter(expire_date__gt=Now()).values("session_key")
    return UserSession.objects.filter(user=user, session_key__in=alive).order_by("-last_seen_at", "-pk")


def seen(key: str, *, address: str, agent: str) -> None:
    """Note when and from where a session was last used, at most once a minute."""
    minute_ago = Now() - timedelta(minutes=1)
    UserSession.objects.filter(session_key=key, last_seen_at__lt=minute_ago).update(
        last_seen_at=Now(), ip=address or "0.0.0.0", user_agent=agent[:200]
    )


def end(session: UserSession, *, by: Actor) -> None:
    """End a session of one's own: its next request is nobody's. Raises NotFound for anybody else's."""
    if by.user is None or session.user_id != by.user.pk:
        raise refusals.NotFound
    _end([session], by=by)


def end_others(*, by: Actor, keep: str | None) -> int:
    """End all of one's sessions but the one with the key `keep`; return how many that were."""
    others = list(UserSession.objects.filter(user=by.user).exclude(session_key=keep or ""))
    _end(others, by=by)
    return len(others)


def end_all(user: User, *, by: Actor) -> None:
    """An admin ends every session of a person. Raises AdminsOnly."""
    by.must_be_admin()
    _end(list(UserSession.objects.filter(user=user)), by=by)


def forget_old() -> int:
    """Erase sessions that have ended, and from where they were used; return of how many."""
    Session.objects.filter(expire_date__lt=Now()).delete()
    over = UserSession.objects.exclude(session_key__in=Session.objects.values("session_key"))
    return over.delete()[0]


def _end(sessions: list[UserSession], *, by: Actor) -> None:
    with atomic():
        Session.objects.filter(session_key__in=[session.session_key for session in sessions]).delete()
        UserSession.objects.filter(pk__in=[session.pk for session in sessions]).delete()
        if sessions:
            audit.record("session.ended", by=by, subject=sessions[0].user, facts={"sessions": len(sessions)})
