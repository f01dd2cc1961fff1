# ruff: noqa: S704 the HTML is what the product itself sent
"""Bare Flask apps to measure against: a page, and a relay that keeps nothing."""

import json
import os
import re
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlsplit

from flask import Flask, Response, request
from jinja2 import Environment
from markupsafe import Markup

ARTICLE = re.compile(r"<article .*?</article>", re.DOTALL)
ROW = re.compile(r'<li id="conversation-.*?</li>', re.DOTALL)
TEMPLATE = """{{ before }}{% for row in rows %}{{ row }}{% endfor %}{{ between -}}
{% for message in messages %}{{ message }}{% endfor %}{{ after }}"""


def page() -> Flask:
    """The HTML in the file ``BENCH_PAGE``, put together by Jinja from its rows and messages."""
    app = Flask(__name__)
    html = Path(os.environ["BENCH_PAGE"]).read_text() if "BENCH_PAGE" in os.environ else "<p>Hello"
    rows, messages = ROW.findall(html), ARTICLE.findall(html)
    rest = ARTICLE.sub("", ROW.sub("\0", html) if rows else "\0" + html)
    before, _, rest = rest.partition("\0")
    between, after = rest.replace("\0", ""), ""
    parts = {
        "before": Markup(before), "rows": list(map(Markup, rows)), "between": Markup(between),
        "messages": list(map(Markup, messages)), "after": after,
    }  # fmt: skip
    template = Environment(autoescape=True).from_string(TEMPLATE)

    @app.get("/")
    def show() -> str:
        return template.render(parts)

    return serving(app)


def relay() -> Flask:
    """A chat that keeps nothing: a stream asks the model and passes its text on."""
    app = Flask(__name__)

    @app.post("/c")
    def ask() -> str:
        return f'<div hx-sse:connect="/stream?text={quote(request.form["text"])}"></div>'

    @app.get("/stream")
    def stream() -> Response:
        return Response(events(request.args["text"]), mimetype="text/event-stream")

    return serving(app)


def events(question: str):
    model = urlsplit(os.environ["LLM_BASE_URL"])
    connection = HTTPConnection(model.hostname or "", model.port)
    body = {"model": "test", "stream": True, "messages": [{"role": "user", "content": question}]}
    connection.request("POST", f"{model.path}/chat/completions", json.dumps(body))
    for line in connection.getresponse():
        if line.startswith(b"data: {"):
            for choice in json.loads(line[6:])["choices"]:
                if text := choice["delta"].get("content"):
                    yield f"data: <p>{text}</p>\n\n"
    yield "event: done\ndata:\n\n"


def serving(app: Flask) -> Flask:
    @app.get("/livez")
    def livez() -> str:
        return "well"

    return app
