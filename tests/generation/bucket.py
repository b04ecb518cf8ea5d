"""An S3-compatible store of one's own, over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

KEYS = {"aws_access_key_id": "a key", "aws_secret_access_key": "a secret", "region_name": "us-east-1"}
number = count(1)


@dataclass
class Store:
    """One bucket of it; `env` is how a process is told of it, `options` how a storage is."""

    url: str
    name: str
    client: Any
    asked: list[str] = field(default_factory=list)  # the ranges

    @property
    def env(self) -> dict[str, str]:
        return {
            "S3_BUCKET": self.name,
            "S3_ENDPOINT": self.url,
            "S3_REGION": "us-east-1",
            "S3_ACCESS_KEY": "a key",
            "S3_SECRET_KEY": "a secret",
            "S3_PREFIX": "works",
        }

    @property
    def options(self) -> dict[str, str]:
        return {
            "bucket_name": self.name,
            "endpoint_url": self.url,
            "region_name": "us-east-1",
            "access_key": "a key",
            "secret_key": "a secret",
            "location": "works",
        }

    def keys(self) -> set[str]:
        return {each["Key"] for each in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])}


@contextmanager
def serving() -> Iterator[str]:
    """The store's address, until the block ends."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def bucket(url: str) -> Store:
    """A new one."""
    client = boto3.client("s3", endpoint_url=url, **KEYS)
    name = f"bucket-{next(number)}"
    client.create_bucket(Bucket=name)
    return Store(url, name, client)
