"""The first page in a browser with an empty cache."""

from collections.abc import Iterator
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser

from bench.table import Row, below
from tests.browsers import launch, new_page
from tests.servers import Server

ROUNDS = 9

READY = """() => {
  const page = performance.getEntriesByType('navigation')[0];
  const paint = performance.getEntriesByName('first-contentful-paint')[0];
  return [page.domContentLoadedEventEnd, paint ? paint.startTime : 0];
}"""


def first_page() -> Iterator[Row]:
    """Bytes, requests and time of a visitor's first page."""
    with Server(workers=2) as server, launch() as browser:
        visits = [visit(browser, server) for _ in range(ROUNDS)]
    wire, addresses = visits[-1][0], visits[-1][1]
    strangers = {urlsplit(each).netloc for each in addresses} - {f"127.0.0.1:{server.port}"}
    yield below("first page on the wire, headers included", wire / 1000, 60, "KB")
    yield Row("requests", f"{len(addresses)}", "at most 8", len(addresses) <= 8)
    yield Row("from elsewhere", f"{len(strangers)}", "nothing", not strangers)
    # The scripts stand at the end of the page: when it is read, the box is alive.
    yield below("box ready in Chromium", median(alive for *_, alive, _ in visits), 150, "ms")
    yield Row("first paint", f"{median(painted for *_, painted in visits):.0f} ms")


def visit(browser: Browser, server: Server) -> tuple[float, list[str], float, float]:
    """Bytes on the wire, addresses asked for, milliseconds to a live box and to the first paint."""
    page = new_page(browser, origin=server.url)
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: list[float] = []
    addresses: list[str] = []

    def sent(event: dict[str, Any]) -> None:
        addresses.append(event["request"]["url"])

    session.on("Network.requestWillBeSent", sent)
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto("/", wait_until="networkidle")
    page.locator("textarea[name=text]").wait_for()
    alive, painted = page.evaluate(READY)
    page.context.close()
    return sum(sizes), addresses, alive, painted
