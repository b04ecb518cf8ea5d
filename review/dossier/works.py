"""What is in a dossier about the works: the files, what they were made with, and what became of them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, Q

from gateway import audit, refusals
from gateway.actors import Actor
from generation import media
from generation.models import Generation, Output, Picture
from review import screening, statements
from review.dossier.archive import PIECE, Member
from review.dossier.rows import briefly, each, lines, pretty
from review.models import Appeal, Clause, Decision, Publication, Revision, Submission
from review.reasons import letter

NAMES = {"video": "clip.mp4", "poster": "poster.webp", "sheet": "sheet.webp"}


def told(by: Actor) -> Iterator[Member]:
    """All of it."""
    for work in each(of(by).listed()):
        yield from _work(work, by)
    with briefly():
        clauses = {clause.pk: clause for clause in Clause.objects.all()}
    for submission in each(_submissions(by)):
        path = f"submissions/{submission.created_at:%Y-%m-%d}-{submission.pk.hex}.json"
        with briefly():
            shown = _submission(submission, clauses)
        yield Member(path, pretty(shown))
    yield Member("looked/reviewers.jsonl", lines(_looks(by)))


def of(by: Actor) -> Any:
    """Everything that they asked for, or a guest of theirs."""
    return Generation.objects.filter(membership__user=by.user)


def files(by: Actor) -> Any:
    """The files of it."""
    return Output.objects.filter(generation__membership__user=by.user)


def pictures(by: Actor) -> Any:
    """What they brought for clips to begin from."""
    return Picture.objects.filter(membership__user=by.user)


def _work(work: Generation, by: Actor) -> Iterator[Member]:
    folder = f"works/{work.created_at:%Y-%m-%d}-{work.pk.hex}"
    outputs = sorted(work.outputs.all(), key=lambda output: output.kind)
    yield Member(f"{folder}/work.json", pretty(_facts(work, outputs)))
    for output in outputs:
        yield _file(f"{folder}/{NAMES.get(output.kind, output.kind)}", by, "export", output)
    if work.picture is not None:
        yield _file(f"{folder}/{_name(work.picture)}", by, "own picture", work.picture)


def _file(path: str, by: Actor, purpose: media.PurposeName, kept: Output | Picture) -> Member:
    try:
        opened = media.open_for(by, purpose, kept)
    except refusals.NotFound:
        return Member(path, why="The file is not kept here any more.")
    return Member(path, _bytes(opened), size=kept.size, sha256=kept.sha256, stored=True)


def _name(picture: Picture) -> str:
    return f"begins-from.{PurePath(picture.path).suffix.removeprefix('.')}"


def _bytes(opened: media.Opened) -> Iterator[bytes]:
    with opened.file as file:
        while chunk := file.read(PIECE):
            yield chunk


def _facts(work: Generation, outputs: list[Output]) -> dict[str, Any]:
    return {
        "id": work.pk,
        "state": work.state,
        "prompt": work.prompt,
        "seed": work.seed,
        "model": {"name": work.model.name, "slug": work.model.slug, "revision": work.model_revision},
        "settings": {
            "size": work.size,
            "seconds": work.seconds,
            "frames_a_second": work.fps,
            "frames": work.frames,
            "steps": work.steps,
            "guidance": work.guidance,
        },
        "credits": work.credits,
        "test": work.test,
        "by_a_guest": work.guest_pass_id is not None,
        "guest_pass": work.guest_pass_id,
        "token": work.token_id,
        "asked": work.created_at,
        "begun": work.started_at,
        "ended": work.ended_at,
        "remixed_from": work.remixed_from_id,
        "deleted": work.deleted_at,
        "begun_how_often": work.fence,
        "error": {"code": work.error_code, "message": work.error_message} if work.error_code else None,
        "notes": work.notes,
        "speed_preset": work.preset,
        "seconds_of_each_stage": work.timings,
        "not_begun_by_then_it_is_cancelled": work.cancel_after,
        "begins_from": {
            "file": _name(work.picture),
            "sha256": work.picture.sha256,
            "bytes": work.picture.size,
            "type": work.picture.media_type,
            "size": f"{work.picture.width}x{work.picture.height}",
        }
        if work.picture
        else None,
        "files": [
            {
                "file": NAMES.get(output.kind, output.kind),
                "sha256": output.sha256,
                "bytes": output.size,
                "type": output.media_type,
                "size": f"{output.width}x{output.height}",
                "frames": output.frames,
                "seconds": output.seconds,
            }
            for output in outputs
        ],
    }


def _submissions(by: Actor) -> Any:
    known = Q(decides=True) | Q(role__in=["appeal", "take_down"])  # a look that settled nothing is the reviewers' own
    told = Decision.objects.effective().filter(known).select_related("appeal__hearing").order_by("id")
    said = Prefetch("decisions", told, "told")
    revisions = (
        Revision.objects.select_related("output", "sign_off")
        .prefetch_related(said, "output__screening__signals")
        .order_by("number")
    )
    mine = Submission.objects.filter(membership__user=by.user).listed()
    return mine.prefetch_related(Prefetch("revisions", revisions, "all_revisions"))


def _submission(row: Any, clauses: dict[UUID, Clause]) -> dict[str, Any]:
    return {
        "id": row.pk,
        "work": row.generation_id,
        "submitted": row.created_at,
        "answer_due": row.due_at,
        "state": row.shown_state,
        "revisions": [_revision(revision, clauses) for revision in row.all_revisions],
        "publication": _publication(row.public) if row.public else None,
    }


def _revision(row: Any, clauses: dict[UUID, Clause]) -> dict[str, Any]:
    signature = getattr(row, "sign_off", None)
    return {
        "number": row.number,
        "at": row.created_at,
        "work": row.output.generation_id,
        "sha256": row.sha256,
        "title": row.title,
        "credit": row.credit,
        "licence": row.licence,
        "description": row.description,
        "decisions": [_decision(decision, row, clauses) for decision in row.told],
        "signals": [
            {"kind": seen.kind, "raised": seen.raised, "words": seen.words, "value": seen.value, "frames": seen.frames}
            for seen in screening.report(getattr(row.output, "screening", None)).signals
        ],
        "signed": {"at": signature.created_at, "as": signature.name} if signature else None,
    }


def _decision(row: Decision, revision: Revision, clauses: dict[UUID, Clause]) -> dict[str, Any]:
    row.revision = revision
    named = [clauses[pk] for pk in row.clauses if pk in clauses] if row.verdict in Decision.REFUSALS else []
    subject, body = letter(row, named)
    appeal = getattr(row, "appeal", None)
    return {
        "id": row.pk,
        "verdict": row.verdict,
        "role": row.role,
        "in_effect": row.effective_at,
        "clauses": [
            {"number": clause.number, "version": clause.version, "title": clause.title, "text": clause.body}
            for clause in named
        ],
        "facts": row.facts,
        "from_seconds": row.from_seconds,
        "to_seconds": row.to_seconds,
        "region": row.region,
        "letter": {"subject": subject, "body": body},
        "statement": statements.statement(row) if row.verdict in Decision.REFUSALS else None,
        "appeal": _appeal(appeal) if appeal else None,
    }


def _appeal(row: Appeal) -> dict[str, Any]:
    """Of an answer that can still be undone nothing is told."""
    heard = row.hearing is not None and row.hearing.effective_at <= datetime.now(UTC)
    return {
        "id": row.pk,
        "at": row.created_at,
        "words": row.words,
        "answer_due": row.due_at,
        "state": row.state if heard or row.state == "withdrawn" else "open",
        "answer": row.hearing_id if heard else None,
    }


def _publication(row: Publication) -> dict[str, Any]:
    return {
        "id": row.pk,
        "page": f"/works/{row.pk.hex}",
        "state": row.state,
        "since": row.created_at,
        "ended": row.ended_at,
        "reason": row.reason,
    }


def _looks(by: Actor) -> Iterator[dict[str, Any]]:
    """When reviewers opened it; who they are is theirs."""
    for submission in each(Submission.objects.filter(membership__user=by.user)):
        with briefly():
            looks = list(audit.of(submission).filter(action="submission.viewed").values_list("at", flat=True))
        yield from ({"submission": submission.pk, "at": at, "who": "a reviewer"} for at in looks)
