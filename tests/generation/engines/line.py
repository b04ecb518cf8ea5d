"""A line to a server that a test can cut, and mend."""

import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Line:
    """`url` leads to the server; `after` bytes have come back through it, it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self.to, self.url = (host, port), ""
        self.cut = False
        self.after: int | None = None
        self.refused = 0


@contextmanager
def to(host: str, port: int) -> Iterator[Line]:
    line = Line(host, port)

    class Call(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if line.cut:
                line.refused += 1
                return
            with socket.create_connection(line.to) as server:
                ends = {self.request: server, server: self.request}
                while not line.cut:
                    ready, _, _ = select.select(list(ends), [], [], 0.02)
                    for end in ready:
                        data = end.recv(4096)
                        if not data:
                            return
                        if end is server and line.after is not None:
                            line.after -= len(data)
                            if line.after <= 0:
                                line.after = None
                                return
                        ends[end].sendall(data)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address, daemon_threads = True, True

    with Server(("127.0.0.1", 0), Call) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        line.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield line
        finally:
            server.shutdown()
