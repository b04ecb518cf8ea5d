"""Run by test_supervisor.py: a supervisor with real children, and the like of each of the gateway's own processes."""

import os
import sys
from pathlib import Path

from gateway.services import postgres, valkey
from gateway.services.places import Places
from gateway.services.supervisor import Child, Stopped, Supervisor

HERE = Path(__file__).parent


def main(folder: Path, port: str) -> None:
    """Bring everything up, say so, and watch."""
    places = Places(folder / "data")
    places.prepare()
    environment = {**os.environ, "BROKER": f"redis+socket://{places.valkey_socket}"}

    def program(name: str, *arguments: str) -> Child:
        argv = [sys.executable, "-m", *arguments]
        return Child(name, argv, places.logs / f"{name}.log", env=environment, cwd=HERE, stop_timeout=5.0)

    supervisor = Supervisor(lambda line: print(line, flush=True))
    with supervisor.signals():
        try:
            with supervisor:
                supervisor.start(valkey.child(places), postgres.child(places, fsync=False))
                supervisor.wait(valkey.NAME, postgres.NAME)
                supervisor.start(
                    program(
                        "web",
                        "granian",
                        "--interface",
                        "wsgi",
                        "--port",
                        port,
                        "--no-ws",
                        "little:application",
                    ),
                    program("worker", "celery", "-A", "little:app", "worker", "-c", "1", "--without-mingle"),
                )
                print("ready", flush=True)
                supervisor.watch()
        except Stopped:
            pass
    print("stopped", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
