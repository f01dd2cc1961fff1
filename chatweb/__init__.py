"""chatweb: a browser chat that never loses a message."""

from __future__ import annotations

from typing import Any

from flask import Flask

from chatweb import blueprints, config, database, logs, models, replies  # noqa: F401 models: tables
from chatweb.config import Settings
from chatweb.llm import local
from chatweb.llm.client import Endpoint
from chatweb.services import health


def create_app(**overrides: Any) -> Flask:
    """Build the application; ``overrides`` replace settings by name.

    :raises chatweb.config.WrongSetting: a setting cannot be used
    """
    settings = config.load(overrides)
    app = Flask("chatweb", template_folder="../templates", static_folder="../static")
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["settings"] = settings
    app.secret_key = config.secret_key(settings)
    logs.init_app(app, settings.log_level)
    database.init_app(app, settings)
    app.extensions["look"] = health.Look(settings)
    app.extensions["schema"] = health.Schema()
    endpoint = model_endpoint(settings)
    replies.init_app(app, endpoint, settings)
    blueprints.init_app(app, settings, model_facts(endpoint, settings))
    return app


def model_facts(endpoint: Endpoint, settings: Settings) -> dict[str, Any]:
    """What pages say of the model."""
    return {
        "name": endpoint.name or endpoint.model or "the model",
        "local": endpoint.local,
        "gives_titles": replies.gives_titles(endpoint, settings),
    }


def model_endpoint(settings: Settings) -> Endpoint:
    """The model to ask: the one configured, else the local one."""
    if not settings.llm_base_url:
        return local.endpoint_from(
            local.choose_address(),
            first_token_timeout=settings.llm_first_token_timeout,
            timeout=settings.llm_timeout,
            max_answer_chars=settings.max_answer_chars,
        )
    return Endpoint(
        base_url=settings.llm_base_url,
        api_key=settings.llm_api_key,
        model=settings.llm_model,
        first_token_timeout=settings.llm_first_token_timeout,
        timeout=settings.llm_timeout,
        max_answer_chars=settings.max_answer_chars,
    )
