"""Pages that another tab has overtaken: their forms and buttons still do what they say."""

from uuid import UUID, uuid4

from tests.blueprints.browser import HTMX, Browser
from tests.blueprints.live_page import LivePage, parsed
from tests.scripted_model import Script, ScriptedModel

LONG = Script(tokens=300, interval=0.05)


def retried(browser: Browser, conversation: UUID, position: int = 2) -> None:
    """Another answer is begun."""
    address = f"/c/{conversation}/messages/{position}/retry"
    assert browser.post(address, {"request_id": uuid4()}).status_code == 303


def show(browser: Browser, conversation: UUID, position: int) -> None:
    browser.post(f"/c/{conversation}/branch", {"position": position})


def edit(browser: Browser, conversation: UUID, page: LivePage, position: int = 1) -> None:
    """Open the form for a question in other words."""
    form = browser.get(f"/c/{conversation}/messages/{position}/edit", headers=HTMX).text
    page.swap(f"#message-{position}", "outerHTML", form)


def messages(page: LivePage) -> list[str]:
    return [str(each["id"]) for each in page.tree.select(".message")]


def test_an_edit_whose_reply_was_lost_can_be_sent_again(browser: Browser, mine: UUID) -> None:
    page = browser.page(f"/c/{mine}")
    edit(browser, mine, page)
    address, field = str(page.one(".edit")["action"]), ".edit [name=request_id]"
    used, box_has = page.one(field)["value"], page.one("#composer > [name=request_id]")["value"]
    browser.post(address, {"text": "One", "request_id": used})
    browser.ended(mine, 4)

    refused = browser.post(address, {"text": "Two", "request_id": used}, htmx=True)

    assert refused.status_code == 422
    page.swap("#notice", "innerHTML", refused.text)
    assert page.one("#composer > [name=request_id]")["value"] == box_has
    again = {"text": "Two", "request_id": page.one(field)["value"]}
    assert browser.post(address, again, htmx=True).status_code == 200


def test_an_id_that_is_none_is_no_selector_either(browser: Browser, mine: UUID) -> None:
    values = {"text": "Why?", "request_id": """x'"]\\><i>"""}

    refused = browser.post(f"/c/{mine}/messages", values, htmx=True)

    assert refused.status_code == 422
    tree = parsed(refused.text)
    assert tree.select_one("i") is None
    assert tree.select_one("hx-partial")["hx-target"].count("'") == 0


def test_a_question_sent_again_from_an_error_page_follows_what_was_seen(
    browser: Browser, mine: UUID, model: ScriptedModel
) -> None:
    retried(browser, mine)
    browser.ended(mine, 3)
    model.script = LONG
    retried(browser, mine)

    refused = browser.post(
        f"/c/{mine}/messages", {"text": "About the first?", "request_id": uuid4(), "shown": 2}
    )

    assert refused.status_code == 409
    form = parsed(refused.text).select_one("form.kept")
    assert form
    assert form.select_one("[name=shown]")["value"] == "2"


def test_stop_leaves_a_page_on_the_branch_where_it_is(
    browser: Browser, mine: UUID, model: ScriptedModel
) -> None:
    model.script = LONG
    retried(browser, mine)
    show(browser, mine, 2)
    page = browser.page(f"/c/{mine}")
    form = {each["name"]: each["value"] for each in page.tree.select("#composer input")}

    response = browser.post(str(page.one("#stop")["hx-post"]), form, htmx=True)
    page.swap("#messages", "none", response.text)

    assert page.one("#composer-action [name=shown]")["value"] == "2"
    fresh = browser.page(f"/c/{mine}")
    assert page.one("#feed")["hx-sse:connect"] == fresh.one("#feed")["hx-sse:connect"]
    assert page.same_as(str(fresh.tree))


def test_a_page_lets_go_of_an_answer_whose_conversation_was_deleted(
    browser: Browser, mine: UUID, model: ScriptedModel
) -> None:
    model.script = Script(tokens=100, interval=0.05)
    browser.ask(mine)
    page = browser.page(f"/c/{mine}")
    told = iter(browser.client.get(page.stream, buffered=False).response)
    stream = [next(told), next(told)]
    browser.post(f"/c/{mine}/delete")

    page.follow(b"".join([*stream, *told]).decode())

    assert page.one("#message-4")["data-status"] != "streaming"
    assert "deleted" in page.one("#foot-4").get_text()
    assert not page.tree.select("#stop")
    assert "conversation=" not in page.one("#feed")["hx-sse:connect"]
