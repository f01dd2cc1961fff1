"""Another process that holds a lock on a SQLite file."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HOLD = """
import sys
from pysqlite3 import dbapi2
connection = dbapi2.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    connection.execute(statement).fetchall()
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(file: Path, *lock: str) -> Iterator[Callable[[], None]]:
    """Another process holds a lock on the file; gives what lets it go."""
    process = subprocess.Popen(  # noqa: S603 our own few lines
        [sys.executable, "-c", HOLD, str(file), *lock],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    assert process.stdin
    try:
        assert process.stdout.readline() == "held\n"
        yield process.stdin.close
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
