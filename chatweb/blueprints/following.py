"""Following an answer: what its readers are sent, from any moment on until its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from flask import Response, copy_current_request_context, render_template

from chatweb import replies
from chatweb.blueprints import articles, connections, htmx, places
from chatweb.blueprints.access import owner
from chatweb.blueprints.composer import composer
from chatweb.blueprints.pages import feed_of
from chatweb.blueprints.places import Place
from chatweb.blueprints.side import current_row
from chatweb.rendering.growing import Growing
from chatweb.services import branches, conversations, messages
from chatweb.services.errors import NotFound, TooMany
from chatweb.services.owners import Owner


class Telling:
    """One answer's text into events, for all readers who are at the same place.

    An event's id is the offset where the open block begins: where a reader resumes.
    """

    format = "page"
    sign_of_life = htmx.SIGN_OF_LIFE

    def __init__(self, owner: Owner, message: Any) -> None:
        self._owner = owner
        self._message = message
        self._growing = Growing(message.position)
        self.rest = copy_current_request_context(self._rest)

    def update(self, text: str) -> str:
        """What brings readers from what they were told last to ``text``."""
        return self._growing.update(text) or ""

    def catch_up(self, after: int | None) -> str:
        """What brings a page with the open block at ``after`` to where all are."""
        return self._growing.catch_up(after) or ""

    def finish(self, text: str) -> str:
        """The last change: afterwards readers have been told all of ``text``."""
        return self._growing.finish(text) or ""

    def _rest(self) -> str:
        """What changes besides when the answer has ended."""
        try:
            return render_ended(self._owner, self._message)
        except NotFound:
            return render_template(
                "chat/_gone.html", message=self._message, composer=composer(), feed=feed_of()
            )

    def event(self, change: str) -> str:
        return htmx.event(change, id=self._growing.offset) if change else ""

    def last_event(self, change: str, rest: str) -> str:
        return htmx.event(change + rest) + htmx.event("", name="done")


def stream(
    telling: replies.Telling, message: Any, after: int | None, news: replies.News | None = None
) -> Response:
    """Everything that brings a reader from the place ``after``, as ``telling`` counts them, to the
    end of an answer, and ``news`` besides where no thread has to stay for it."""
    if message.status == "streaming" and connections.can_be_taken():
        return htmx.event_stream(handed_over(telling, message, after, news))
    return htmx.event_stream(told(telling, message, after, owner()))


def handed_over(
    telling: replies.Telling, message: Any, after: int | None, news: replies.News | None
) -> Iterator[str]:
    yield telling.sign_of_life  # the head goes out with it
    replies.deliver(message.id, telling, after, connections.take(), news)


def told(telling: replies.Telling, message: Any, after: int | None, reader: Owner) -> Iterator[str]:
    """The same where the thread has to stay."""
    progress = replies.Progress(after)
    for glimpse in glimpses(message, reader):
        if glimpse.text is None:
            yield telling.sign_of_life
        elif glimpse.ended:
            rest = telling.rest()
            change = telling.finish(glimpse.text)
            yield telling.last_event(
                change if progress.is_up_to_date else telling.catch_up(after), rest
            )
        else:
            change = telling.update(glimpse.text)
            if progress.is_up_to_date:
                yield telling.event(change)
            elif progress.catches_up(len(glimpse.text)):
                yield telling.event(telling.catch_up(after))


def glimpses(message: Any, reader: Owner) -> Iterator[replies.Glimpse]:
    """An answer until its end; where there is no place to wait for that, what there is: the reader
    comes back."""
    if message.status != "streaming":
        yield replies.Glimpse(message.content, True)
        return
    with (
        suppress(TooMany),
        replies.place_to_wait(reader),
        replies.watching(message.id) as live,
    ):
        yield from live.follow()
        return
    yield replies.Glimpse(replies.text_so_far(message.id), False)


def render_ended(owner: Owner, message: Any, place: Place | None = None) -> str:
    """What else changes when an answer has ended on the page that followed it, or on one that is at
    another ``place``."""
    ended = messages.find(owner, message.conversation_id, message.position)
    if ended.unseen:
        conversations.saw(owner, message.conversation_id)
    conversation = conversations.Listed(
        ended.conversation_id, ended.title, ended.last_message_at, ended.running
    )
    siblings = branches.siblings(ended.conversation_id, [ended], ended.message_count)
    foot = articles.foot(ended, siblings.get(ended.position))
    place = place or places.after(ended.position)
    return render_template(
        "chat/_ended.html", conversation=conversation, message=foot,
        row=current_row(conversation), composer=composer(conversation.id, place),
        feed=feed_of(conversation.id, place),
    )  # fmt: skip
