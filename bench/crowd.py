"""``python -m bench.crowd DATABASE_URL MODEL_URL COUNT``: one of several processes with answers.

It begins so many, says so, and after a line from whoever started it counts its write transactions
for `SECONDS`. It goes on until another line comes.
"""

import sys
import threading
import time
from uuid import uuid4

from sqlalchemy import event

from bench import load
from bench.places import application
from chatweb import replies
from chatweb.database import db
from chatweb.services import owners, questions
from chatweb.services.limits import UNLIMITED

SECONDS = 2.0


def begin(live: int) -> None:
    """So many answers in progress, each somebody else's."""
    for number in range(live):
        owner = owners.guest(load.new_token())
        asked = questions.begin(owner, f"{number}?", 32_000, uuid4(), replies.awake(), UNLIMITED)
        replies.start(asked)
    time.sleep(1.0)  # the first letters are written sooner than at the tick


def commits() -> float:
    """Write transactions a second of this process, from now on."""
    times: list[float] = []
    event.listen(db.engine, "commit", lambda _: times.append(time.monotonic()))
    threading.Event().wait(SECONDS)
    return len(times) / SECONDS


def main() -> None:
    url, model, count = sys.argv[1:]
    with application(url, LLM_BASE_URL=model):
        begin(int(count))
        print("begun", flush=True)  # noqa: T201 this is the output
        sys.stdin.readline()
        print(commits(), flush=True)  # noqa: T201 this is the output
        sys.stdin.readline()


if __name__ == "__main__":
    main()
