"""What artists allow, as every public door obeys it, and the receipts of what they took back."""

import pytest

from gateway import refusals
from gateway.models import Consent
from review import consents
from tests import makers

pytestmark = pytest.mark.django_db


def doors(publication) -> list[str]:
    at = publication.pk.hex
    return [
        f"/works/{at}",
        f"/works/{at}/video.mp4",
        f"/works/{at}/poster.webp",
        f"/v1/publications/publication_{at}",
        f"/v1/publications/publication_{at}/content",
    ]


def test_a_revocation_acts_on_the_next_request_at_every_public_door(artist, guest, no_undo):
    publication = makers.published(artist)

    def tags() -> set[str | None]:
        return {guest.get(door).get("X-Robots-Tag") for door in doors(publication)}

    assert tags() == {"noai, noimageai"}
    consents.give("train", by=artist)
    assert tags() == {None}
    assert "To train models" in guest.get(doors(publication)[0]).content.decode()
    assert guest.get(doors(publication)[3]).json()["consents"] == ["train"]
    receipt = consents.take_back("train", by=artist)
    assert tags() == {"noai, noimageai"}
    assert "Allowed uses" in guest.get(doors(publication)[0]).content.decode()
    assert "To train models" not in guest.get(doors(publication)[0]).content.decode()
    assert receipt.reach == {"stopped": 1, "kept": 0}


def test_a_receipt_counts_what_stops_and_what_keeps_its_own_yes(artist, no_undo):
    one, other = makers.published(artist), makers.published(artist)
    makers.published(makers.artist())
    consents.give("train", by=artist)
    consents.give("train", by=artist, work=one.submission.generation)
    assert consents.take_back("train", by=artist).reach == {"stopped": 1, "kept": 1}
    assert (consents.of(one), consents.of(other)) == ({"train"}, frozenset())
    assert consents.take_back("train", by=artist, work=one.submission.generation).reach == {"stopped": 1, "kept": 0}
    assert consents.of(one) == frozenset()


def test_a_clip_from_another_work_s_page_is_allowed_only_what_both_are(artist, no_undo):
    first, clip = makers.completed(artist), makers.completed(artist)
    submission = makers.submitted(artist, first)
    makers.decided(submission, "request_changes")
    words = {"title": "x", "credit": "y", "licence": "CC0-1.0"}
    submission = consents.Publication.submission.field.related_model.objects.get(pk=submission.pk)
    makers.submissions.resubmit(submission, by=artist, generation=clip, **words)
    makers.decided(submission)
    submission.refresh_from_db()
    publication = makers.publishing.sign_off(submission, by=artist, revision=2, name="A")
    consents.give("train", by=artist, work=first)
    assert consents.of(publication) == frozenset()
    consents.give("train", by=artist, work=clip)
    assert consents.of(publication) == {"train"}


def test_nobody_answers_for_somebody_else_s_work(artist, stranger):
    work = makers.completed(artist)
    for rule in (consents.give, consents.take_back):
        with pytest.raises(refusals.NotFound):
            rule("train", by=stranger, work=work)


def test_the_pages_ask_in_full_words_and_keep_the_receipts(artist, stranger, browser_of, no_undo):
    publication = makers.published(artist)
    work = publication.submission.generation_id.hex
    browser = browser_of(artist)
    page = browser.get("/access/consents").content.decode()
    assert page.count("Not allowed") == 4
    assert "every use is off until you allow it" in page
    assert browser.post("/access/consents/train/give").status_code == 302
    assert browser.get("/access/consents").content.decode().count("Not allowed") == 3
    assert "as for all your works" in browser.get(f"/mine/{work}").content.decode()
    answer = browser.post(f"/mine/{work}/consents/train/take-back")
    receipt = browser.get(answer["Location"]).content.decode()
    row = Consent.objects.get(answer="revoked")
    assert str(row.pk) in receipt
    assert "say noai and noimageai again" in receipt
    assert browser_of(stranger).get(answer["Location"]).status_code == 404
    assert browser.post(f"/mine/{work}/consents/train/give").status_code == 302
    assert browser.post("/access/consents/resell/give").status_code == 400


def test_a_client_allows_lists_and_takes_back(artist, stranger, client_of, no_undo):
    publication = makers.published(artist)
    video = f"video_{publication.submission.generation_id.hex}"
    client = client_of(artist)
    made = client.post("/v1/consents", {"purpose": "study", "video": video}, format="json")
    assert (made.status_code, made.json()["answer"], made.json()["video"]) == (201, "given", video)
    assert client.get("/v1/consents").json()["in_force"] == []
    assert client.get(f"/v1/consents?video={video}").json()["in_force"] == ["study"]
    receipt = client.post("/v1/consents/revoke", {"purpose": "study", "video": video}, format="json").json()
    assert receipt["public_works"] == {"stopped": 1, "kept": 0}
    assert receipt["stops"]
    assert client.get(f"/v1/consents/{receipt['id']}").json() == receipt
    assert client_of(stranger).get(f"/v1/consents/{receipt['id']}").status_code == 404
    assert (
        client_of(stranger).post("/v1/consents", {"purpose": "study", "video": video}, format="json").status_code == 404
    )
    assert client.post("/v1/consents/revoke", {"purpose": "train"}, format="json").status_code == 409
    assert client.post("/v1/consents", {"purpose": "resell"}, format="json").status_code == 400
    assert client_of(artist, "generate").post("/v1/consents", {"purpose": "train"}, format="json").status_code == 403
