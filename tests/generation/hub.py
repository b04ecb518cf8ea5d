"""A model hub of one's own, over HTTP: the few addresses that the hub's client asks."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SHA = "5" * 40
LARGE = 1000  # bytes from which a file is stored apart, and named by its SHA-256


class Hub:
    """What it has, `files` by name; `log` is what was asked for; `broken` names are sent with other bytes, `failing` ones not at all."""

    def __init__(self, folder: Path, repository: str) -> None:
        self.repository = repository
        self.files = {
            path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        }
        self.log: list[tuple[str, str]] = []
        self.broken: set[str] = set()
        self.failing: set[str] = set()
        self.gated = False
        self.url = ""

    def got(self) -> list[str]:
        """Which files were sent."""
        return [
            path.partition(f"/resolve/{SHA}/")[2] for verb, path in self.log if verb == "GET" and "/resolve/" in path
        ]

    def told(self) -> dict[str, Any]:
        return {"_id": "1", "id": self.repository, "sha": SHA, "siblings": [self._file(name) for name in self.files]}

    def _file(self, name: str) -> dict[str, Any]:
        data = self.files[name]
        told: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": self.etag(name)}
        if len(data) >= LARGE:
            told["blobId"] = "0" * 40
            told["lfs"] = {"sha256": self.etag(name), "size": len(data), "pointerSize": 130}
        return told

    def etag(self, name: str) -> str:
        data = self.files[name]
        if len(data) >= LARGE:
            return hashlib.sha256(data).hexdigest()
        return hashlib.sha1(b"blob %d\0%b" % (len(data), data)).hexdigest()


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """The hub answers until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            hub.log.append((self.command, path))
            known = f"/{hub.repository}/resolve/{SHA}/"
            if path.startswith(f"/api/models/{hub.repository}/revision/"):
                revision = path.rpartition("/")[2]
                if revision not in ("main", SHA):
                    self._answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
                else:
                    self._answer(200, json.dumps(hub.told()).encode(), {"Content-Type": "application/json"})
            elif path.startswith(known) and hub.gated:
                self._answer(403, b"{}", {"X-Error-Code": "GatedRepo"})
            elif path.startswith(known) and (name := path.removeprefix(known)) in hub.files:
                data = hub.files[name]
                if name in hub.failing:
                    self._answer(403, b"{}", {})  # a 500 would be asked again for half a minute
                    return
                if name in hub.broken:
                    data = bytes(len(data))
                headers = {"ETag": f'"{hub.etag(name)}"', "X-Repo-Commit": SHA}
                self._answer(200, data, headers)
            else:
                kind = "EntryNotFound" if path.startswith(known) else "RepoNotFound"
                self._answer(404, b"{}", {"X-Error-Code": kind})

        do_HEAD = do_GET

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        hub.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield hub
        finally:
            server.shutdown()
