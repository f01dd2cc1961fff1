"""``python -m bench [row …]``: print the figures, or only those of some rows."""

import argparse
import time

from bench import asking, chats, first_page, keeping, pages, readers, starting
from bench.table import heading, show

ROWS = {
    "start": starting.start,
    "ready": starting.ready,
    "memory": starting.memory,
    "first": first_page.first_page,
    "page": pages.page,
    "commit": asking.commit,
    "letters": asking.letters,
    "chats": chats.chats,
    "readers": readers.readers,
    "writes": keeping.writes,
    "crowds": keeping.crowds,
    "wire": keeping.wire,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="row", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--others", type=int, default=pages.OTHERS, help="messages of others")
    options = parser.parse_args()
    if unknown := set(options.rows) - set(ROWS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    pages.OTHERS = options.others
    began = time.monotonic()
    missed = 0
    for name in options.rows or ROWS:
        heading(name)
        missed += show(ROWS[name]())
    heading(f"{missed} goals missed; {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
