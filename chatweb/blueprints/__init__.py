"""What a browser or a program can ask for."""

from __future__ import annotations

from typing import Any

from flask import Flask, request

from chatweb.blueprints import access, assets, compression, errors, forms, guard, programs
from chatweb.blueprints.answers import answers
from chatweb.blueprints.api import conversations as api_conversations
from chatweb.blueprints.api import description as api_description
from chatweb.blueprints.api import messages as api_messages
from chatweb.blueprints.api import search as api_search
from chatweb.blueprints.branches import branches
from chatweb.blueprints.chat import chat
from chatweb.blueprints.conversations import conversations
from chatweb.blueprints.drafts import drafts
from chatweb.blueprints.feed import feed
from chatweb.blueprints.health import health
from chatweb.blueprints.history import history
from chatweb.blueprints.openai import views as openai
from chatweb.blueprints.seeds import book as seed_book
from chatweb.blueprints.seeds import sessions as seed_sessions
from chatweb.blueprints.tokens import tokens
from chatweb.config import Settings

THEMES = {"light", "dark"}
EVERYWHERE = {"icon", "sprite", "moment", "again"}
"""Macros that every template may use."""


def init_app(app: Flask, settings: Settings, model: dict[str, Any]) -> None:
    """Register every route and what surrounds them, in the order in which they act; ``model`` is
    what pages say of it."""
    forms.init_app(app)
    guard.init_app(app, settings)
    access.init_app(app)
    compression.init_app(app)
    errors.init_app(app)
    programs.init_app(app, settings)
    assets.init_app(app)
    for blueprint in (
        chat, answers, branches, drafts, feed, conversations, history, tokens, health,
    ):  # fmt: skip
        app.register_blueprint(blueprint)
    app.extensions["model"] = model
    for_programs = (api_conversations, api_messages, api_search, api_description, openai)
    for face in (*for_programs, seed_sessions, seed_book):
        app.register_blueprint(face.blueprint)
    for name in ("icons.html", "times.html", "chat/_again.html"):
        # Importing them in each fragment would cost more than most fragments do.
        macros = app.jinja_env.get_template(name).module
        app.jinja_env.globals |= {
            each: vars(macros)[each] for each in EVERYWHERE & vars(macros).keys()
        }

    @app.context_processor
    def every_page() -> dict[str, Any]:
        theme = request.cookies.get("theme", "")
        side = request.cookies.get("side", "")
        return {
            "model": model,
            "theme": theme if theme in THEMES else "",
            "side": "closed" if side == "closed" else "",
        }
