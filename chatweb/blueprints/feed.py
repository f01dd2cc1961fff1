"""What changes elsewhere, for a page that is open: in another tab, on another device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
from chatweb.services import changes, conversations, lists, messages
from chatweb.services.errors import NotFound

feed = Blueprint("feed", __name__)


class Place(NamedTuple):
    """What a page shows: a conversation, up to which message, and which answer is being written on
    another branch of it meanwhile."""

    conversation_id: UUID
    shown: int
    streaming: int | None


class PageNews:
    """News for one page, that shows a ``place`` or ``follows`` an answer of a conversation."""

    sign_of_life = htmx.SIGN_OF_LIFE
    come_back_later = htmx.COME_BACK_LATER
    of: Callable[[set[UUID]], str]
    catch_up: Callable[[], str]

    def __init__(self, *, follows: UUID | None = None, place: Place | None = None) -> None:
        self._owner = owner()
        self.owner_id = self._owner.id
        self.follows = follows
        self._place = place
        self._current = place.conversation_id if place else follows
        self._is_back = htmx.last_event_id() is not None
        self.of = copy_current_request_context(self._of)
        self.catch_up = copy_current_request_context(self._catch_up)

    def _catch_up(self) -> str:
        """A page that was open before has missed more than is remembered."""
        if not self._is_back:
            return self._of(set(changes.lately(self.owner_id)))
        return self._event(self._here(), whole=side(self._owner, current=self._current))

    def _of(self, changed: set[UUID]) -> str:
        here = self._here() if self._place and self._current in changed else ""
        return self._event(here, self._rows(changed))

    def _event(
        self, here: str, rows: Sequence[dict[str, Any]] = (), whole: Side | None = None
    ) -> str:
        listed = render_template("conversations/_news.html", conversations=whole, rows=rows)
        # By its number a page that comes back says what it shows; in an answer's stream it would
        # mean a place in its text.
        number = None if self.follows else self._place.shown if self._place else 0
        return htmx.event((listed + here).strip(), id=number)

    def _rows(self, changed: set[UUID]) -> list[dict[str, Any]]:
        """Rows of the side list, and whether each belongs to its top or out of it."""
        if not changed:
            return []
        newest, _ = lists.recent(self._owner, limit=1)
        first = newest[0].id if newest else None
        return [
            {
                "id": each.id, "html": rows([each], self._current),
                "is_there": each.status == "active",
                "is_first": each.id == first,
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
    news = PageNews(place=place)
    if connections.can_be_taken():
        return htmx.event_stream(handed_over(news))
    # A thread would have to stay for each page: it asks now and then instead.
    return htmx.event_stream(iter([news.come_back_later + news.catch_up()]))


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
