"""The engine: a coroutine for each answer, which calls the model and appends what arrives."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from chatweb.llm.client import Client, Endpoint, ModelError, Outcome
from chatweb.replies.live import End, LiveText
from chatweb.replies.loop import Loop

logger = logging.getLogger(__name__)

CAPPED = "The answer reached the greatest length allowed here and was ended."
EMPTY = "The model ended its answer without a word. Your question is saved; try again."
STOPPED = "You stopped this answer."
BROKEN = "Something went wrong while this was being written. Your question is saved; try again."
SHUTDOWN = "The server was restarted while this was being written. What had arrived is kept."


class Engine:
    """Calls the model for every live answer of this process; ``ended`` is told of each end."""

    def __init__(
        self, loop: Loop, endpoint: Endpoint, grown: Callable[[], None], ended: Callable[[], None]
    ) -> None:
        self._loop = loop
        self.endpoint = endpoint
        self._client = Client(endpoint)
        self._grown = grown
        self._ended = ended
        self._leaves_open = False
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def start(self, live: LiveText, messages: list[dict[str, str]]) -> None:
        """Begin to fetch the answer; from now on it ends by itself."""
        self._loop.call(self._begin, live, messages)

    def _begin(self, live: LiveText, messages: list[dict[str, str]]) -> None:
        self._tasks[live.answer_id] = asyncio.ensure_future(self._answer(live, messages))

    def stop(self, answer_id: int, end: End) -> None:
        """End an answer now, which closes the connection to the model."""
        self._loop.call(self._cancel, answer_id, end)

    def _cancel(self, answer_id: int, end: End) -> None:
        if task := self._tasks.get(answer_id):
            # Not before its first step: cancelled there it would never say how it ended.
            asyncio.get_running_loop().call_soon(task.cancel, end)

    async def _answer(self, live: LiveText, messages: list[dict[str, str]]) -> None:
        started = time.monotonic()
        first: list[float] = []

        def receive(text: str) -> None:
            live.append(text)
            if not first:
                first.append(time.monotonic())
                self._grown()

        try:
            room = max(0, self.endpoint.max_answer_chars - len(live))
            outcome = await self._client.answer(messages, receive, room)
            status, details = self._of(outcome, empty=not len(live))
        except ModelError as error:
            logger.warning("model: %s", error.detail, extra={"answer": live.answer_id})
            status = "interrupted" if len(live) else "failed"
            details = {"reason": error.sentence, "kind": error.kind}
        except asyncio.CancelledError as cancelled:
            if self._leaves_open and not cancelled.args:
                self._tasks.pop(live.answer_id, None)
                return
            end = cancelled.args[0] if cancelled.args else End("interrupted", {"reason": SHUTDOWN})
            status, details = end.status, dict(end.details)
        except Exception:
            logger.exception("an answer broke off", extra={"answer": live.answer_id})
            status = "interrupted" if len(live) else "failed"
            details = {"reason": BROKEN}
        details.setdefault("model", self.endpoint.name or self.endpoint.model)
        details["seconds"] = round(time.monotonic() - started, 3)
        if first:
            details["first_token_seconds"] = round(first[0] - started, 3)
        self._tasks.pop(live.answer_id, None)
        live.end = End(status, details)
        self._ended()

    def _of(self, outcome: Outcome, empty: bool) -> tuple[str, dict[str, Any]]:
        known = {
            "model": outcome.model if not self.endpoint.local else None,
            "tokens_in": outcome.tokens_in,
            "tokens_out": outcome.tokens_out,
            "finish_reason": outcome.finish_reason,
            "citations": list(outcome.citations) or None,
            "reason": CAPPED if outcome.capped else EMPTY if empty else None,
        }
        details = {name: value for name, value in known.items() if value is not None}
        return ("stopped" if outcome.capped else "failed" if empty else "complete"), details

    def close(self, timeout: float = 2.0, *, leaves_open: bool = False) -> None:
        """End all answers as interrupted; what had arrived stays with them. With ``leaves_open``
        they get no end: another process goes on with them."""
        self._leaves_open = leaves_open

        async def wind_up() -> None:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._client.close()

        self._loop.run(wind_up(), timeout)
