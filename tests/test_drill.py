"""A leak, played against a whole gateway: seen in time, every door shut within a second, and nobody else notices."""

import re
import shutil
import tempfile
from pathlib import Path

import pytest
import requests

from tests.live import Gateway

pytestmark = [pytest.mark.live, pytest.mark.alone, pytest.mark.timeout(420)]


@pytest.fixture(scope="module")
def gateway():
    # Not below pytest's own folder, which the account that runs PostgreSQL can't pass through.
    folder = Path(tempfile.mkdtemp(prefix="bat-drill-"))
    folder.chmod(0o755)
    running = Gateway(folder / "data", "--no-seed").start()
    yield running
    assert running.stop() == 0
    shutil.rmtree(folder, ignore_errors=True)


def test_a_leak_is_seen_and_every_door_shuts_within_a_second(gateway):
    for _ in range(3):  # a machine that did something else meanwhile is asked anew, about the others' time alone
        found = gateway.manage("drill", "leak", "--url", gateway.url)
        print(found.stdout, found.stderr)
        told = dict(re.findall(r"(\w+)=([\w.]+)", found.stdout.splitlines()[-1] if found.stdout else ""))
        if found.stdout.count("✗") != 1 or "✗ the others: p95" not in found.stdout:
            break
    assert found.returncode == 0, found.stdout + found.stderr
    assert told["ok"] == "1"
    assert float(told["detection_s"]) <= 30 and int(told["detection_calls"]) <= 50
    for door in ("api", "session", "range", "queued", "guest"):
        assert float(told[f"{door}_ms"]) < 1000, door
    assert told["others_refused"] == "0" and float(told["p95_ratio"]) <= 1.5


PLANT = """
from gateway import actors, canaries
from gateway.models import User
print("planted", canaries.plant("x", by=actors.person(User.objects.create_superuser("c@example.org", None)))[1])
"""
USES = "from gateway.models import Canary, Sighting; print('uses', Canary.objects.get().uses, Sighting.objects.filter(kind='canary').count())"


def test_a_canary_sings_after_its_answer_has_left(gateway):
    """The server closes each answer when it has sent it, which is what the singing waits for."""
    secret = re.search(r"planted (\w+)", gateway.manage("shell", "-c", PLANT).stdout)
    assert secret
    answer = requests.get(f"{gateway.url}/v1/models", headers={"Authorization": f"Bearer {secret[1]}"}, timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "bad_token")
    assert "uses 1 1" in gateway.manage("shell", "-c", USES).stdout
