"""What changes elsewhere, for a page that is open: in another tab, on another device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
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
from chatweb.blueprints.places import NOWHERE, Place, place_of, written
from chatweb.blueprints.side import Side, rows, side
from chatweb.services import changes, conversations, lists, messages
from chatweb.services.errors import NotFound

feed = Blueprint("feed", __name__)


class PageNews:
    """News for one page, that ``follows`` an answer of a conversation, or is at a ``place`` of
    ``current``."""

    sign_of_life = htmx.SIGN_OF_LIFE
    come_back_later = htmx.COME_BACK_LATER
    of: Callable[[set[UUID]], str]
    catch_up: Callable[[], str]

    def __init__(
        self, *, follows: UUID | None = None, current: UUID | None = None, place: Place = NOWHERE
    ) -> None:
        self._owner = owner()
        self.owner_id = self._owner.id
        self.follows = follows
        self._place = place
        self._current = current or follows
        self._is_back = bool(htmx.last_event())
        self.of = copy_current_request_context(self._of)
        self.catch_up = copy_current_request_context(self._catch_up)

    def _catch_up(self) -> str:
        """A page that was open before has missed more than is remembered."""
        if not self._is_back:
            return self._of(set(changes.lately(self.owner_id)))
        return self._event(self._here(), whole=side(self._owner, current=self._current))

    def _of(self, changed: set[UUID]) -> str:
        here = self._here() if self._current in changed else ""
        return self._event(here, self._rows(changed))

    def _event(
        self, here: str, rows: Sequence[dict[str, Any]] = (), whole: Side | None = None
    ) -> str:
        listed = render_template("conversations/_news.html", conversations=whole, rows=rows)
        # By its id a page that comes back says where it is; in an answer's stream it would
        # mean a place in its text.
        place = None if self.follows else self._place
        return htmx.event((listed + here).strip(), id=place)

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
        if self.follows or self._current is None:
            return ""
        try:
            conversation = conversations.find(self._owner, self._current)
        except NotFound:
            # Deleted: what is shown may still be read.
            return ""
        if conversation.unseen:
            conversations.saw(self._owner, conversation.id)
        return self._follow(conversation)

    def _follow(self, conversation: Any) -> str:
        outline = messages.outline(conversation.id, conversation.head)
        was = self._place
        growth = was.growth(outline.messages, conversation.message_count)
        later = outline.messages if growth is None else growth
        shown = articles.shown(conversation.id, later)
        self._place = place_of(conversation, outline.messages, shown.streaming)
        return render_template(
            "chat/_news.html", conversation=conversation, was=was, is_anew=growth is None,
            later=later, messages=shown.articles, older=outline.older,
            follows=shown.streaming is not None, is_elsewhere=self._place != was,
            composer=composer(conversation.id, self._place), feed=None,
        )  # fmt: skip


@feed.get("/feed")
@open_to(OWNERS)
def follow() -> Response:
    place = written(htmx.last_event()) or written(request.args.get("place", ""))
    news = PageNews(current=asked_conversation(), place=place or NOWHERE)
    if connections.can_be_taken():
        return htmx.event_stream(handed_over(news))
    # A thread would have to stay for each page: it asks now and then instead.
    return htmx.event_stream(iter([news.come_back_later + news.catch_up()]))


def handed_over(news: PageNews) -> Iterator[str]:
    yield news.sign_of_life  # the head goes out with it
    replies.feed(news, connections.take())


def asked_conversation() -> UUID | None:
    """What is on the page that asks.

    :raises NotFound: it is not a conversation of the asker's
    """
    if "conversation" not in request.args:
        return None
    conversation_id = request.args.get("conversation", type=UUID)
    if conversation_id is None:
        raise NotFound
    conversations.find(owner(), conversation_id)
    return conversation_id
