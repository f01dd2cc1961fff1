"""The feed of a page: what it did not show yet, and nothing of others."""

from uuid import UUID, uuid4

import pytest

from tests.blueprints.browser import HTMX, Browser
from tests.blueprints.live_page import LivePage, events
from tests.scripted_model import Script, ScriptedModel

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

    assert event["id"] == "4-4-0"
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
    for address in (f"/feed?conversation={theirs}&place=2-2-0", f"/feed?conversation={NOBODYS}"):
        response = browser.get(address)
        assert response.status_code == 404
    assert str(theirs) not in browser.get("/feed").text
    assert browser.get("/feed?conversation=no-id").status_code == 404


def test_places_made_up_by_hand_do_no_harm(browser: Browser, mine: UUID) -> None:
    for place in ("-1", "9" * 30, "x", "1", "1-2", "9-9-9", "2-99-0", "0-0-0", "2-2-2-2"):
        for address, headers in (
            (f"/feed?conversation={mine}&place={place}", {}),
            (f"/feed?conversation={mine}", {"Last-Event-ID": place}),
        ):
            page = browser.page(f"/c/{mine}")
            response = browser.get(address, headers=headers)
            assert response.status_code == 200
            page.hear(response.text)
            assert len(page.tree.select(".message")) == 2


def branched(browser: Browser, conversation: UUID) -> None:
    """Elsewhere the first answer got a sibling, and is shown again."""
    browser.post(f"/c/{conversation}/messages/2/retry", {"request_id": uuid4()})
    browser.ended(conversation, 3)
    browser.post(f"/c/{conversation}/branch", {"position": 2})


@pytest.mark.parametrize("headers", [{}, {"Last-Event-ID": "2-2-0"}], ids=["first", "back"])
def test_branches_made_while_the_feed_was_away_can_be_reached(
    browser: Browser, mine: UUID, headers: dict[str, str]
) -> None:
    page = browser.page(f"/c/{mine}")
    branched(browser, mine)

    page.hear(browser.get(feed(page), headers=headers).text)

    fresh = browser.page(f"/c/{mine}")
    assert len(page.tree.select(".siblings")) == 1
    page.one("#feed")["hx-sse:connect"] = fresh.one("#feed")["hx-sse:connect"]
    assert page.same_as(str(fresh.tree))


def test_an_answer_that_began_and_ended_elsewhere_leaves_no_button_to_stop_it(
    browser: Browser, mine: UUID, model: ScriptedModel
) -> None:
    page = browser.page(f"/c/{mine}")
    model.script = Script(tokens=300, interval=0.05)
    browser.post(f"/c/{mine}/messages/2/retry", {"request_id": uuid4()})
    browser.post(f"/c/{mine}/branch", {"position": 2})
    (event,) = heard(browser, page)
    assert page.tree.select("#stop")
    browser.post(f"/c/{mine}/messages/3/stop")
    browser.ended(mine, 3)

    page.hear(browser.get(feed(page), headers={"Last-Event-ID": event["id"]}).text)

    assert page.tree.select("#send")


def test_a_page_that_keeps_its_branch_for_an_edit_gets_nothing_of_another(
    browser: Browser, mine: UUID
) -> None:
    browser.ask(mine, "And then?")
    browser.ended(mine, 4)
    page = browser.page(f"/c/{mine}")
    address = feed(page)
    editor = browser.get(f"/c/{mine}/messages/1/edit", headers=HTMX).text
    page.swap("#message-1", "outerHTML", editor)
    browser.post(f"/c/{mine}/messages/1/edit", {"text": "Other words", "request_id": uuid4()})
    browser.ended(mine, 6)
    *_, event = heard(browser, page, address)
    browser.ask(mine, "On the other branch")

    page.hear(browser.get(address, headers={"Last-Event-ID": event["id"]}).text)

    assert [each["id"] for each in page.tree.select(".message")] == [
        f"message-{position}" for position in range(1, 5)
    ]
    assert page.one("#composer-action [name=shown]")["value"] == "4"
