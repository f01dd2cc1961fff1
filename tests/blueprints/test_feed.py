"""The feed of a page: what it did not show yet, and nothing of others."""

from uuid import UUID, uuid4

from tests.blueprints.browser import Browser
from tests.blueprints.live_page import LivePage, events

NOBODYS = uuid4()


def feed(page: LivePage) -> str:
    return str(page.one("#feed")["hx-sse:connect"])


def heard(browser: Browser, page: LivePage, address: str | None = None) -> list[dict[str, str]]:
    response = browser.get(address or feed(page))
    assert response.status_code == 200
    assert response.mimetype == "text/event-stream"
    page.hear(response.text)
    return [event for event in events(response.text) if "data" in event]


def test_a_page_is_brought_to_what_a_reload_shows(browser: Browser, mine: UUID) -> None:
    page = browser.page(f"/c/{mine}")
    browser.ask(mine, "And then?")
    browser.ended(mine, 4)

    (event,) = heard(browser, page)

    assert event["id"] == "4"
    page.one("#feed")["hx-sse:connect"] = "…"
    fresh = browser.page(f"/c/{mine}")
    fresh.one("#feed")["hx-sse:connect"] = "…"
    assert page.same_as(str(fresh.tree))


def test_what_is_shown_already_is_not_there_twice(browser: Browser, mine: UUID) -> None:
    page = browser.page(f"/c/{mine}")
    browser.ask(mine, "And then?")
    browser.ended(mine, 4)
    address = feed(page)

    for _ in range(2):
        heard(browser, page, address)

    assert len(page.tree.select("#message-3")) == 1


def test_another_branch_takes_the_place_of_the_one_shown(browser: Browser, mine: UUID) -> None:
    page = browser.page(f"/c/{mine}")
    response = browser.post(f"/c/{mine}/messages/1/edit", {"text": "In other words"})
    assert response.status_code == 303
    browser.ended(mine, 4)

    heard(browser, page)

    assert [each["id"] for each in page.tree.select(".message")] == ["message-3", "message-4"]


def test_a_page_that_comes_back_gets_the_whole_list(browser: Browser, mine: UUID) -> None:
    page = browser.page()
    other = browser.talk("Something else")

    response = browser.get("/feed", headers={"Last-Event-ID": "0"})
    page.hear(response.text)

    assert [row["id"] for row in page.tree.select("#conversations .row")] == [
        f"conversation-{other}", f"conversation-{mine}",
    ]  # fmt: skip


def test_the_list_hears_of_new_renamed_and_deleted_ones(browser: Browser, mine: UUID) -> None:
    page = browser.page("/history")
    new = browser.talk("Something else")
    browser.post(f"/c/{mine}/rename", {"title": "A better title"})
    heard(browser, page)
    rows = page.tree.select("#conversations .row")
    assert [row["id"] for row in rows] == [f"conversation-{new}", f"conversation-{mine}"]
    assert "A better title" in rows[1].get_text()

    browser.post(f"/c/{new}/delete")
    heard(browser, page)

    assert len(page.tree.select("#conversations .row")) == 1


def test_an_answer_that_ended_unseen_is_marked_until_it_is_looked_at(
    browser: Browser, mine: UUID
) -> None:
    page = browser.page()
    heard(browser, page)
    assert page.tree.select(f"#conversation-{mine} .unseen") == []
    browser.ask(mine)
    deadline = 200
    while "running" in str(page.tree.select_one(f"#conversation-{mine}")) or deadline == 200:
        heard(browser, page)
        deadline -= 1
        assert deadline

    assert page.tree.select(f"#conversation-{mine} .unseen")

    browser.page(f"/c/{mine}")
    assert browser.page().tree.select(".unseen") == []


def test_nothing_of_others_is_told(browser: Browser, mine: UUID, theirs: UUID) -> None:
    for address in (f"/feed?conversation={theirs}&shown=2", f"/feed?conversation={NOBODYS}"):
        response = browser.get(address)
        assert response.status_code == 404
    assert str(theirs) not in browser.get("/feed").text
    assert browser.get("/feed?conversation=no-id").status_code == 404


def test_numbers_made_up_by_hand_do_no_harm(browser: Browser, mine: UUID) -> None:
    for shown in ("-1", "999999999999999999999", "x", "1"):
        for streaming in ("", "&streaming=-5", "&streaming=x"):
            address = f"/feed?conversation={mine}&shown={shown}{streaming}"
            assert browser.get(address).status_code == 200
