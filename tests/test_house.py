"""The house's own rules."""

import ast
import importlib
import inspect
import json
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

import gateway
import generation
import review
from gateway import refusals
from gateway.models.base import Living

ROOT = Path(gateway.__file__).resolve().parent.parent
LIVES = [model for model in apps.get_models() if issubclass(model, Living)]
RULES = {
    gateway: "access_requests actors addresses allowances audit.record brakes canaries consents contributions deliveries encryption grants guest_passes impersonations keys leaks limits logs members networks notices outbound prepared pulses second_factors sessions sightings sign_in_links spreadsheets states terms tokens traces webhooks wordings",
    generation: "bare catalogue endings estimates fleet generations guests keeping leases limits media.files media.orphans media.serve metrics model_files pictures room scheduling worker",
    review: (
        "ageing appeals clock conflicts consents decisions departure dossier founding history letters looks openings overview policies "
        "policy precedents publishing queue radius reasons reports shortcuts statements statistics submissions "
        "transparency.counting transparency.disclosure transparency.months transparency.words "
        "screening screening.asking screening.copies screening.findings screening.flashes screening.hashes "
        "screening.looking screening.phrases screening.run screening.sentences screening.stills"
    ),
}


def diagram(model: type[Living]) -> dict[str, set[str]]:
    """The moves that docs/states.md draws."""
    text = (ROOT / "docs/states.md").read_text()
    section = re.search(rf"## {model._meta.app_label}\.{model.__name__}\n(.*?)(?=\n## |\Z)", text, re.DOTALL)
    assert section, f"{model.__name__} is not in docs/states.md"
    moves: dict[str, set[str]] = {state: set() for state in model.MOVES}
    for source, target in re.findall(r"^ +(\w+) --> (\w+)$", section[1], re.MULTILINE):
        moves[source].add(target)
    return moves


@pytest.mark.django_db
@pytest.mark.parametrize("model", LIVES, ids=lambda model: model.__name__)
def test_a_life_is_the_same_in_python_in_the_database_and_on_paper(model):
    assert diagram(model) == model.MOVES
    with connection.cursor() as cursor:
        cursor.execute(
            "select tgargs from pg_trigger where tgname = 'obey_moves' and tgrelid = %s::regclass",
            [model._meta.db_table],
        )
        first, moves = bytes(cursor.fetchone()[0]).decode().rstrip("\0").split("\0")
    assert {state: set(targets) for state, targets in json.loads(moves).items()} == model.MOVES
    assert model._meta.get_field("state").default == first
    assert re.search(rf"\[\*\] --> {first}\n", (ROOT / "docs/states.md").read_text())


def test_every_refusal_is_one_sentence_and_is_documented():
    for name in ("gateway.api", "generation.videos.views", "gateway.urls"):
        importlib.import_module(name)
    told = (ROOT / "docs/refusals.md").read_text()
    for kind in refusals.every():
        sentence = " ".join((kind.__doc__ or "").split())
        assert sentence.endswith(".") or sentence == "{what}", kind
        assert f"| `{kind.word()}` | {kind.status} | {sentence} |" in told, kind


def test_every_setting_is_documented():
    tree = ast.parse((ROOT / "gateway/settings.py").read_text())
    names = {
        call.args[0].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and getattr(call.func, "id", "").startswith("env")
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }
    told = (ROOT / "docs/operations.md").read_text()
    assert {name for name in names if f"`{name}`" not in told} == set()


def test_every_public_rule_says_what_it_is():
    silent = []
    for app, names in RULES.items():
        for name in names.split():
            module = importlib.import_module(f"{app.__name__}.{name}")
            silent += [
                f"{module.__name__}.{function}"
                for function, found in inspect.getmembers(module, inspect.isfunction)
                if found.__module__ == module.__name__ and not function.startswith("_") and not found.__doc__
            ]
    assert silent == []


def test_the_ground_floor_names_no_room_above():
    """Rooms are mounted by name in settings and urls, the clock's bells are named in celery; nowhere else."""
    named = []
    for path in (ROOT / "gateway").rglob("*.py"):
        if path.name in {"settings.py", "urls.py", "celery.py"} or "migrations" in path.parts:
            continue
        tree = ast.parse(path.read_text())
        named += [
            f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch(r"(generation|review)(\.\w+)+|(generation|review)_(?!hours)\w+", node.value)
        ]
    assert named == []


@pytest.mark.django_db
def test_migrations_are_in_step_with_the_models():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
