"""The web, as large as its one setting says."""

import os
import subprocess
import sys
import time

import pytest
import requests

from tests.gateway.services.processes import command_line, descendants
from tests.live import ROOT, free_port

SIZES = "from gateway import settings as s; print(s.WEB_PROCESSES, s.THREADS_EACH, s.DATABASES['default']['OPTIONS']['pool']['max_size'])"


@pytest.mark.parametrize(("threads", "sizes"), [("1", "1 1 1"), ("8", "1 8 8"), ("12", "2 6 6"), ("33", "5 7 7")])
def test_threads_are_spread_over_processes_and_each_has_a_connection(threads, sizes):
    env = {**os.environ, "WEB": "1", "WEB_THREADS": threads}
    told = subprocess.run([sys.executable, "-c", SIZES], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert told.stdout.split() == sizes.split()


def test_it_is_served_by_so_many_processes_and_ends_when_told():
    port = free_port()
    env = {name: value for name, value in os.environ.items() if name != "WEB"} | {"WEB_THREADS": "12"}
    web = subprocess.Popen([sys.executable, "manage.py", "web", "--port", str(port)], cwd=ROOT, env=env)
    try:
        until = time.monotonic() + 30
        while True:
            try:
                assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
                break
            except requests.ConnectionError:
                assert web.poll() is None and time.monotonic() < until
                time.sleep(0.1)
        serving = [pid for pid in descendants(web.pid) if "resource_tracker" not in command_line(pid)]
        assert len(serving) == 2
        web.terminate()
        assert web.wait(15) == 0
    finally:
        web.kill()
