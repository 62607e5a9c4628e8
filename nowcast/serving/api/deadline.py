"""A limit on how long an answer may be awaited."""

import asyncio
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nowcast.serving.api.faults import problem


@dataclass(frozen=True, eq=False)
class Deadline:
    """Tells the client that its answer takes too long; the work itself, which cannot be broken off, goes on alone."""

    app: ASGIApp
    seconds: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, is_over = asyncio.Event(), asyncio.Event()

        async def unless_over(message: Message) -> None:
            if not is_over.is_set():
                begun.set()
                await send(message)

        task = asyncio.ensure_future(self.app(scope, receive, unless_over))
        await asyncio.wait({task}, timeout=self.seconds)
        if task.done() or begun.is_set():
            await task
            return
        is_over.set()
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        await problem(503, f"the answer takes more than {self.seconds:g} s: ask for less")(scope, receive, send)
