"""This gateway's web side on a port, in a thread of the test: for clients that can't be given anything but an address."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.servers.basehttp import WSGIRequestHandler, WSGIServer
from django.core.wsgi import get_wsgi_application
from django.db import connection

Application = Callable[[dict[str, Any], Any], Any]


class Quiet(WSGIRequestHandler):
    def log_message(self, *told: Any) -> None:
        pass


@contextmanager
def serving(application: Application | None = None) -> Iterator[str]:
    """Its address. One request after the other, each over a line of its own, so that none is left open at the end."""
    server = WSGIServer(("127.0.0.1", 0), Quiet)
    server.set_app(application or get_wsgi_application())

    def serve() -> None:
        try:
            server.serve_forever(poll_interval=0.05)
        finally:
            connection.close()

    thread = threading.Thread(target=serve, name="web")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
