"""A program without an owner, and a token that is good for what it owns."""

from __future__ import annotations

from uuid import UUID

from chatweb.services import owners, tokens
from tests import servers
from tests.conftest import build_app, close_app, usual_waiting

SESSION = UUID("4c2a9f5e-7d3b-4e61-9a80-1f6d5c3b2a19")


def token_of(url: str) -> str:
    """A token that may write, for the owner behind ``SESSION``, in the database at ``url``."""
    folder = servers.temporary_folder()
    with usual_waiting():
        app = build_app(folder, DATABASE_URL=url)
        try:
            with app.app_context():
                return tokens.make(owners.guest(owners.of_session(SESSION)), "test", "write", None)
        finally:
            close_app(app)
            servers.remove_folder(folder)
