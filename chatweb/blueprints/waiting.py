"""Waiting for a whole answer, for programs that follow none."""

from __future__ import annotations

import time
from typing import Any

from flask import current_app

from chatweb import replies
from chatweb.blueprints.access import owner
from chatweb.services import messages

LATE = 3.0
"""Seconds after an answer's last moment until its end is kept, at the latest."""


def to_the_end(row: Any) -> Any:
    """An answer when it has ended, wherever it is written; as it is, where it should have ended by
    now. To be called in a place to wait.

    :raises NotFound: the conversation was deleted meanwhile
    """
    latest = time.monotonic() + current_app.extensions["settings"].llm_timeout + LATE
    while row.status == "streaming" and (left := latest - time.monotonic()) > 0:
        replies.wait(row.id, left)
        row = messages.find(owner(), row.conversation_id, row.position)
    return row
