"""Smaller answers: gzip for pages and static texts, never for streams."""

from __future__ import annotations

import gzip
from functools import lru_cache

from flask import Flask, Response, request

TYPES = {"text/html", "text/css", "text/javascript", "image/svg+xml", "application/json"}
WORTH_IT = 1000
"""Bytes; what is smaller fits into one packet anyway."""


@lru_cache(64)
def packed_file(etag: str, content: bytes) -> bytes:
    """A static file, packed as well as can be: it is done once."""
    return gzip.compress(content, 9, mtime=0)


def pack(response: Response) -> Response:
    if (
        response.status_code != 200
        or response.mimetype not in TYPES
        or (response.is_streamed and not response.direct_passthrough)
        or "Content-Encoding" in response.headers
    ):
        return response
    response.headers.add("Vary", "Accept-Encoding")
    if not request.accept_encodings["gzip"]:
        return response
    is_file, response.direct_passthrough = response.direct_passthrough, False
    content = response.get_data()
    if len(content) < WORTH_IT:
        return response
    etag = response.get_etag()[0]
    packed = packed_file(etag, content) if is_file and etag else gzip.compress(content, 1)
    response.set_data(packed)
    response.headers["Content-Encoding"] = "gzip"
    return response


def init_app(app: Flask) -> None:
    app.after_request(pack)
