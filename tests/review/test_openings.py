"""Private works stay private: an admin opens one for a reason that its artist reads, for a quarter of an hour."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from gateway import audit, refusals
from gateway.models import Notice
from review import history, looks, openings
from review.models import Opening
from tests import makers

pytestmark = pytest.mark.django_db
PROMPT = "a very private kiln"
REASON = "You wrote that the clip does not play."


@pytest.fixture
def work(artist):
    return makers.completed(artist, prompt=PROMPT)


def over(opening: Opening) -> None:
    """Its quarter of an hour ended a moment ago."""
    with connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")
        cursor.execute("alter table review_opening disable trigger fixed")
        cursor.execute(
            "update review_opening set created_at = now() - interval '15 min', ends_at = now() - interval '1 s'"
        )
        cursor.execute("alter table review_opening enable trigger fixed")


def test_an_admin_sees_figures_until_they_say_why_and_the_artist_reads_it(work, artist, admin, browser_of):
    browser, at = browser_of(admin), f"/program/works/{work.pk.hex}"
    assert f'href="{at}"' in browser.get("/program/works?q=Ines").content.decode()
    assert f'href="{at}"' in browser.get(f"/program/works?q=video_{work.pk.hex}").content.decode()
    for page in (at, "/program/works?q=Ines"):
        assert PROMPT not in browser.get(page).content.decode()
    assert browser.get(f"{at}/video.mp4").status_code == 404
    assert browser.post(at, {"reason": " "}).status_code == 422
    page = browser.post(at, {"reason": REASON}, follow=True).content.decode()
    assert PROMPT in page and "/video.mp4" in page
    assert browser.get(f"{at}/video.mp4").status_code == 200
    told = Notice.objects.get(user=artist.user)
    assert (told.subject, told.path) == ("Ada Lindqvist opened a work of yours", f"/mine/{work.pk.hex}")
    assert REASON in told.body
    (look,) = looks.at_work(work)
    assert (look.who, look.why, look.times) == ("Ada Lindqvist, an admin", REASON, 1)
    assert history.events(work, None)[-1].sentence == "An admin opened it, for a reason that stands below."
    assert REASON in browser_of(artist).get(f"/mine/{work.pk.hex}").content.decode()


def test_it_ends_by_itself_and_is_nobody_elses(work, artist, admin, browser_of):
    at = f"/program/works/{work.pk.hex}"
    opening = openings.begin(work, by=admin, reason=REASON)
    colleague = browser_of(makers.admin("Bo Ek"))
    assert colleague.get(f"{at}/video.mp4").status_code == 404 and PROMPT not in colleague.get(at).content.decode()
    other = makers.completed(artist)
    assert browser_of(admin).get(f"/program/works/{other.pk.hex}/video.mp4").status_code == 404
    over(opening)
    assert browser_of(admin).get(f"{at}/video.mp4").status_code == 404
    assert [entry.action for entry in audit.of(opening)] == ["work.opened"]


def test_only_an_admin_with_a_reason_opens(work, artist, reviewer):
    for somebody in (artist, reviewer):
        with pytest.raises(refusals.AdminsOnly):
            openings.begin(work, by=somebody, reason=REASON)
    with pytest.raises(refusals.ReasonNeeded):
        openings.begin(work, by=makers.admin(), reason="\n")


def test_the_database_refuses_one_without_a_reason_or_without_an_end(work, admin):
    for told in ({"reason": " "}, {"reason": "x", "ends_at": Now() + openings.timedelta(hours=1)}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Opening.objects.create(admin=admin.user, generation=work, **told)
    opening = openings.begin(work, by=admin, reason=REASON)
    for change in ({"reason": "another"}, {"ends_at": Now()}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Opening.objects.filter(pk=opening.pk).update(**change)
