"""Waiting for a fact, with an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(fact: Callable[[], Any], seconds: float = 15.0) -> bool:
    """Whether ``fact()`` came to hold within ``seconds``."""
    end = time.monotonic() + seconds
    while not (holds := bool(fact())) and time.monotonic() < end:
        time.sleep(0.02)
    return holds
