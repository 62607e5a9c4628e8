"""Answers that take too long."""

import time

from fastapi import FastAPI
from fastapi.testclient import TestClient

from nowcast.serving.api.deadline import Deadline


def test_the_client_is_told_when_an_answer_takes_too_long() -> None:
    """The work goes on for a second, the answer comes after a twentieth."""
    app = FastAPI()

    @app.get("/slow")
    def slow() -> str:
        time.sleep(1.0)
        return "done"

    @app.get("/fast")
    def fast() -> str:
        return "done"

    app.add_middleware(Deadline, seconds=0.05)
    with TestClient(app) as client:
        start = time.monotonic()
        answer = client.get("/slow")
        assert time.monotonic() - start < 0.9
        assert answer.status_code == 503
        assert "more than 0.05 s" in answer.json()["detail"]
        assert client.get("/fast").json() == "done"
