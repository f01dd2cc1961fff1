import threading

from chatweb.rendering import kept
from chatweb.rendering.blocks import block
from chatweb.rendering.kept import Kept


def test_what_was_kept_is_found_again() -> None:
    rows: Kept[str] = Kept(100_000)
    rows.keep("one", block(1, 0, "One"))

    assert rows.among(["one", "two"]) == {"one": block(1, 0, "One")}


def test_what_was_used_longest_ago_goes_first() -> None:
    rows: Kept[int] = Kept(10_000)
    rows.keep(0, block(1, 0, "x" * 500))
    for number in range(1, 40):
        rows.keep(number, block(1, 0, "x" * 500))
        rows.among([0])

    assert rows.among([0, 1, 39]).keys() == {0, 39}


def test_what_is_kept_stays_below_its_limit_whoever_keeps_it() -> None:
    rows: Kept[tuple[int, int]] = Kept(100_000)

    def fill(name: int) -> None:
        for number in range(300):
            rows.keep((name, number), block(1, number, "x" * (number * 10)))
            rows.among([(name, number - 1)])

    threads = [threading.Thread(target=fill, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < rows._size <= 100_000
    assert rows._size == sum(kept._size(html) for html in rows._kept.values())
