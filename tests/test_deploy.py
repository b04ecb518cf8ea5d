"""What `deploy/` says is true of this code: commands, options, settings, files."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from celery.bin.celery import celery
from django.core.management import get_commands, load_command_class

from gateway import celery as clock
from gateway.services.places import APP_ROLE, OWNER_ROLE
from generation.catalogue import SOURCE

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
BINARIES = "/opt/bon-a-tirer/.venv/bin/"
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}
# Read by others than our settings: by CUDA, by torch, and by PostgreSQL's image and our script in it.
OTHERS = {
    "CUDA_VISIBLE_DEVICES",
    "TORCHINDUCTOR_CACHE_DIR",
    "TRITON_CACHE_DIR",
    "POSTGRES_DB",
    "POSTGRES_PASSWORD",
    "OWNER_PASSWORD",
    "APP_PASSWORD",
}


def settings() -> set[str]:
    """Every variable that the settings read."""
    calls = [
        node for node in ast.walk(ast.parse((ROOT / "gateway/settings.py").read_text())) if isinstance(node, ast.Call)
    ]
    return {
        call.args[0].value
        for call in calls
        if getattr(call.func, "id", "").startswith("env") and call.args and isinstance(call.args[0], ast.Constant)
    }


def said(command: list[str]) -> None:
    """Fail unless this is something that can be said: a program of ours, its subcommand, its options."""
    program, *words = command
    program = program.removeprefix(BINARIES)
    if program == "python":
        script, name, *options = words
        assert script == "manage.py"
        load_command_class(get_commands()[name], name).create_parser(script, name).parse_args(options)
    elif program == "celery":
        assert words[:2] == ["-A", "gateway"]
        subcommand = celery.commands[words[2]]
        made = subcommand.make_parser(context()).parse_args(words[3:])
        assert made[1] == [], "words that are no options"
    else:
        raise AssertionError(f"nobody knows {program}")


def context() -> Any:
    return click.Context(celery)


def commands() -> dict[str, list[str]]:
    found = {f"compose {name}": service["command"] for name, service in OURS.items() if "command" in service}
    for number, line in enumerate(re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)):
        found[f"Dockerfile {number}"] = ast.literal_eval(line)
    for unit in UNITS:
        (line,) = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
        found[unit.name] = shlex.split(line)
    return found


@pytest.mark.parametrize("where", commands())
def test_every_command_can_be_said(where: str):
    said(commands()[where])


def test_a_word_that_is_no_option_would_be_noticed():
    with pytest.raises(Exception, match="--quues"):
        said(["celery", "-A", "gateway", "worker", "--quues", "chores"])


def test_every_variable_is_one_that_the_settings_read():
    named: set[str] = set()
    for path in (*DEPLOY.glob("*.env.example"), *UNITS):
        pattern = r"^#?([A-Z][A-Z0-9_]+)=" if path.suffix == ".example" else r"^Environment=([A-Z0-9_]+)="
        named |= set(re.findall(pattern, path.read_text(), re.MULTILINE))
    for service in COMPOSE["services"].values():
        named |= set(service.get("environment", {}))
    named |= set(re.findall(r"(\w+_DIR)=/srv", DOCKERFILE))
    assert named - settings() - OTHERS == set()
    assert {"SECRET_KEY", "DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "S3_BUCKET"} <= named


def test_services_name_what_is_there():
    stages = set(re.findall(r"^FROM \S+ AS (\w+)$", DOCKERFILE, re.MULTILINE))
    volumes = set(COMPOSE["volumes"])
    for name, service in COMPOSE["services"].items():
        assert set(service.get("depends_on", {})) <= set(COMPOSE["services"]), name
        if name in OURS:
            assert service["build"]["target"] in stages, name
            assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        files = service.get("env_file", [])
        for file in [files] if isinstance(files, str) else files:
            assert (DEPLOY / f"{file}.example").is_file(), file
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in volumes, volume
    copied = [word for line in re.findall(r"^COPY (.*)$", DOCKERFILE, re.MULTILINE) for word in line.split()[:-1]]
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert all((ROOT / word).exists() for word in copied) and set(copied) == kept


def test_only_workers_have_torch_and_only_migrate_the_owners_password():
    for name, service in OURS.items():
        assert (service["build"]["target"] == "worker") == name.startswith("gpu"), name
        assert ("owner.env" in service["env_file"]) == (name == "migrate"), name
    web = DOCKERFILE.partition(" AS web")[2].partition(" AS worker")[0]
    assert "worker" not in web and "torch" not in web


def test_a_worker_hears_of_every_pool_in_the_catalogue_and_chores_of_all_else():
    pools = {f"gpu.{pool}" for pool in re.findall(r'^pool = "(.*)"$', SOURCE.read_text(), re.MULTILINE)}
    heard = {
        where: command[command.index("-Q") + 1].split(",") for where, command in commands().items() if "-Q" in command
    }
    for where, queues in heard.items():
        assert set(queues) == ({clock.app.conf.task_default_queue} if "chores" in where else pools), where
    assert sum("beat" in command for command in commands().values()) == 2, "one scheduler in each way of running it"


def test_the_databases_roles_are_those_of_the_settings():
    script = (DEPLOY / "postgres/roles.sh").read_text()
    assert os.access(DEPLOY / "postgres/roles.sh", os.X_OK)
    assert f"create role {OWNER_ROLE} login" in script and f"create role {APP_ROLE} login" in script
    assert f"//{APP_ROLE}:" in (DEPLOY / "gateway.env.example").read_text()
    assert f"//{OWNER_ROLE}:" in (DEPLOY / "owner.env.example").read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_takes_the_units(tmp_path: Path):
    for unit in UNITS:
        text = (
            unit.read_text().replace(BINARIES, f"{Path(sys.executable).parent}/").replace("/opt/bon-a-tirer", str(ROOT))
        )
        (tmp_path / unit.name.replace("@.", "@0.")).write_text(text)
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(tmp_path.glob("*.service"))],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in found.stderr.splitlines() if "gateway-" in line]
    assert (ours, found.returncode) == ([], 0), found.stderr
