"""Logs: one JSON object a line on stderr, with the request's id, never with what people wrote."""

from __future__ import annotations

import json
import logging
import logging.config
import re
import sys
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from flask import Flask, Response, g, has_request_context, request

STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message"}

TOKEN = re.compile(r"(chatweb_)[\w-]+", re.IGNORECASE)

access = logging.getLogger("chatweb.access")


class JsonFormatter(logging.Formatter):
    """A record as one line; whatever a client sent is escaped by JSON itself."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        if has_request_context() and "request_id" in g:
            line["request_id"] = g.request_id
        line |= {name: value for name, value in vars(record).items() if name not in STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return TOKEN.sub(r"\1…", json.dumps(line, default=str))


class WithoutQuotation(logging.Filter):
    """gunicorn quotes what it cannot read, which may be a secret: the error's class says enough."""

    def filter(self, record: logging.LogRecord) -> bool:
        error, said = sys.exc_info()[1], record.getMessage()
        if error and str(error) and str(error) in said:
            record.msg, record.args = said.replace(str(error), type(error).__name__), ()
        return True


def configuration(level: str) -> dict[str, Any]:
    """For ``logging.config`` and for gunicorn's ``logconfig_dict`` alike."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"without_quotation": {"()": "chatweb.logs.WithoutQuotation"}},
        "formatters": {"json": {"()": "chatweb.logs.JsonFormatter"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {
            # gunicorn's own handlers would say everything twice.
            "gunicorn.error": {
                "level": level,
                "handlers": [],
                "propagate": True,
                "filters": ["without_quotation"],
            },
            "gunicorn.access": {"level": "ERROR", "handlers": [], "propagate": False},
            # An exception of the driver quotes the statement; parameters are hidden by the engine.
            "sqlalchemy": {"level": "WARNING"},
            "alembic": {"level": "WARNING"},
        },
    }


def begin() -> None:
    """Give the request its id, and note when it came."""
    g.request_id = uuid4().hex[:12]
    g.began = time.monotonic()


def note(response: Response) -> Response:
    """One line for each request, with the route instead of the address: ids stay private."""
    response.headers["X-Request-ID"] = g.request_id
    access.info(
        "%s %s %s", request.method, request.url_rule or "unknown", response.status_code,
        extra={"ms": round((time.monotonic() - g.began) * 1000, 1)},
    )  # fmt: skip
    return response


def init_app(app: Flask, level: str) -> None:
    logging.config.dictConfig(configuration(level))
    app.before_request(begin)
    app.after_request(note)
