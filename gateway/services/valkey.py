"""Valkey for one machine: the broker. It keeps nothing, because nothing that matters is only in it."""

import signal
import socket

from gateway.services import binaries
from gateway.services.places import Places, account
from gateway.services.supervisor import Child

NAME = "valkey"


def child(places: Places) -> Child:
    """Valkey on its socket."""
    options = {
        "port": "0",
        "unixsocket": str(places.valkey_socket),
        "unixsocketperm": "700",
        "dir": str(places.valkey),
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
        "maxmemory-policy": "noeviction",
    }
    arguments = [word for key, value in options.items() for word in (f"--{key}", value)]
    return Child(
        name=NAME,
        argv=[binaries.valkey(), *arguments],
        log=places.logs / "valkey.log",
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        cwd=places.valkey,
        account=account() if places.as_root else None,
        ready=lambda: ready(places),
        stop_signal=signal.SIGTERM,
    )


def ready(places: Places) -> bool:
    """Whether it answers a PING."""
    try:
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(1.0)
            door.connect(str(places.valkey_socket))
            door.sendall(b"PING\r\n")
            return door.recv(16).startswith(b"+PONG")
    except OSError:
        return False
