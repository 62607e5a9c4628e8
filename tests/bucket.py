"""Buckets on an S3-compatible server of this machine."""

from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import pytest
from moto.server import ThreadedMotoServer

from nowcast.store.repository import S3


@contextmanager
def s3_server() -> Iterator[str]:
    """The URL of a running server."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def new_bucket(url: str, name: str, monkeypatch: pytest.MonkeyPatch) -> S3:
    """How to reach a bucket that is made there, with credentials in the environment."""
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "test")
    boto3.client("s3", endpoint_url=url, region_name="us-east-1").create_bucket(Bucket=name)
    return S3(url, "us-east-1")
