"""What changes elsewhere, for a page that is open: in another tab, on another device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

from flask import (
    Blueprint,
    Response,
    copy_current_request_context,
    render_template,
    request,
)

from chatweb import replies
from chatweb.blueprints import articles, connections, htmx
from chatweb.blueprints.access import OWNERS, open_to, owner
from chatweb.blueprints.composer import composer
from chatweb.blueprints.side import Side, rows, side
from chatweb.services import changes, conversations, messages
from chatweb.services.errors import NotFound

feed = Blueprint("feed", __name__)

ASK_AGAIN = "retry: 5000\n\n"
"""Where a thread would have to stay for each page, the page asks now and then."""


class Place(NamedTuple):
    """What a page shows: a conversation, up to which message, and which answer is being written on
    another branch of it meanwhile."""

    conversation_id: UUID
    shown: int
    streaming: int | None


class PageNews:
    """News for one page; of ``conversation_id``, whose answer it follows, it hears by that."""

    sign_of_life = htmx.SIGN_OF_LIFE
    of: Callable[[set[UUID]], str]
    catch_up: Callable[[], str]

    def __init__(self, conversation_id: UUID | None = None, place: Place | None = None) -> None:
        self._owner = owner()
        self.owner_id = self._owner.id
        self._conversation_id = conversation_id
        self._place = place
        self._is_back = htmx.last_event_id() is not None
        self.of = copy_current_request_context(self._of)
        self.catch_up = copy_current_request_context(self._catch_up)

    def _catch_up(self) -> str:
        """A page that was open before has missed more than is remembered."""
        changed = set(changes.lately(self.owner_id))
        whole = side(self._owner, current=self._conversation_id) if self._is_back else None
        return self._event(set() if whole else changed, self._here(), whole)

    def _of(self, changed: set[UUID]) -> str:
        here = self._here() if self._conversation_id in changed else ""
        if self._place is None:
            changed = changed - {self._conversation_id}
        return self._event(changed, here)

    def _event(self, changed: set[UUID], here: str, whole: Side | None = None) -> str:
        listed = render_template(
            "conversations/_news.html", conversations=whole, rows=self._rows(changed)
        )
        news = (listed + here).strip()
        if self._place is None and self._conversation_id:
            # An answer's stream, where a number means a place in its text.
            return htmx.event(news) if news else ""
        # By its number a page that comes back says what it shows.
        return htmx.event(news, id=self._place.shown if self._place else 0)

    def _rows(self, changed: set[UUID]) -> list[dict[str, Any]]:
        """Rows of the side list, and whether each belongs to its top or out of it."""
        if not changed:
            return []
        newest, _ = conversations.recent(self._owner, limit=1)
        return [
            {
                "id": each.id, "html": rows([each], self._conversation_id),
                "is_there": each.status == "active",
                "is_first": [each.id] == [row.id for row in newest],
            }
            for each in conversations.among(self._owner, changed)
        ]  # fmt: skip

    def _here(self) -> str:
        """What brings the page from the place where it is to what there is now."""
        if self._place is None:
            return ""
        try:
            conversation = conversations.find(self._owner, self._place.conversation_id)
        except NotFound:
            # Deleted: what is shown may still be read.
            return ""
        if conversation.unseen:
            conversations.saw(self._owner, conversation.id)
        return self._follow(conversation, self._place)

    def _follow(self, conversation: Any, place: Place) -> str:
        outline = messages.outline(conversation.id, conversation.head)
        positions = [each.position for each in outline.messages]
        goes_on = place.shown in positions
        later = [each for each in outline.messages if not goes_on or each.position > place.shown]
        shown = articles.shown(conversation.id, later)
        elsewhere = conversation.streaming not in positions
        streaming = conversation.streaming if elsewhere else shown.streaming
        self._place = Place(conversation.id, conversation.head, streaming)
        return render_template(
            "chat/_news.html", conversation=conversation, goes_on=goes_on, later=later,
            messages=shown.articles, older=outline.older, follows=shown.streaming is not None,
            composer=composer(conversation.id, streaming, conversation.head), feed=None,
            is_elsewhere=self._place != place,
        )  # fmt: skip


@feed.get("/feed")
@open_to(OWNERS)
def follow() -> Response:
    place = asked_place()
    news = PageNews(place.conversation_id if place else None, place)
    if connections.can_be_taken():
        return htmx.event_stream(handed_over(news))
    return htmx.event_stream(iter([ASK_AGAIN + news.catch_up()]))


def handed_over(news: PageNews) -> Iterator[str]:
    yield news.sign_of_life  # the head goes out with it
    replies.feed(news, connections.take())


def asked_place() -> Place | None:
    """The page that asks, as its address and the last event say.

    :raises NotFound: it shows a conversation that is not the asker's
    """
    if "conversation" not in request.args:
        return None
    conversation_id = request.args.get("conversation", type=UUID)
    if conversation_id is None:
        raise NotFound
    conversations.find(owner(), conversation_id)
    shown = htmx.last_event_id()
    if shown is None:
        shown = request.args.get("shown", 0, type=int)
    return Place(conversation_id, shown, request.args.get("streaming", type=int))
