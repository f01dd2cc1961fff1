"""What every request and answer must keep to, whatever the view does."""

from __future__ import annotations

from flask import Flask, Response, abort, request
from werkzeug.middleware.proxy_fix import ProxyFix

from chatweb.blueprints import access, forms, htmx, programs
from chatweb.config import Settings

POLICY = "; ".join(
    (
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'",
        "connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
    )
)  # fmt: skip
"""Nothing inline, nothing from elsewhere."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # Under no-referrer Chromium sends `Origin: null` with the forms of our own pages.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

BYTES_PER_CHARACTER = 12
"""Four bytes of UTF-8, each as ``%XX`` in a form."""
BYTES_AROUND = 16_384
TRANSCRIPT_BYTES = 4 * 1024 * 1024
"""Where a program sends all that was said before."""


def check_host() -> None:
    """A request without a Host is nobody's; the names allowed are Flask's ``TRUSTED_HOSTS``."""
    if not request.headers.get("Host"):
        abort(400)


def check_body() -> None:
    """A body says how long it is (one that does not would be cut off at the limit, in silence), is
    not too long, and is what the route takes: a form would be read as one without fields."""
    if request.path.startswith(programs.TRANSCRIPTS):
        request.max_content_length = TRANSCRIPT_BYTES
    if request.content_length is None and "Transfer-Encoding" in request.headers:
        abort(400)
    if (request.content_length or 0) > (request.max_content_length or 0):
        abort(413)
    if request.method in access.SAFE or request.endpoint is None or not request.content_length:
        return
    if programs.are_asking():
        if not request.is_json:
            abort(415)
    elif request.mimetype not in forms.KINDS:
        abort(415)


def check_origin() -> None:
    """Unsafe requests come from our own pages, from programs that are no browsers, or from pages
    that were named to us as places of programs.

    Fetch Metadata decides first: browsers send it and pages cannot forge it. Without it an
    ``Origin`` must be ours; a browser old enough to send neither is not served less safely than
    by any other site.
    """
    if request.method in access.SAFE or not access.is_from_elsewhere():
        return
    if not (programs.are_asking() and programs.may_come_from(request.headers.get("Origin"))):
        abort(403)


def protect(response: Response) -> Response:
    response.headers.extend(HEADERS)
    if request.is_secure:
        response.headers.add("Strict-Transport-Security", "max-age=31536000")
    if request.endpoint != "static":
        # Shared computers: nothing of a conversation is found in a cache after leaving.
        response.headers["Cache-Control"] = "no-store"
        packed = response.headers.get("Vary")
        response.headers["Vary"] = ", ".join(filter(None, (htmx.ASKED_BY, "Cookie", packed)))
    return response


def init_app(app: Flask, settings: Settings) -> None:
    limit = BYTES_AROUND + BYTES_PER_CHARACTER * settings.max_message_chars
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = limit
    app.config["MAX_FORM_PARTS"] = 20
    app.config["TRUSTED_HOSTS"] = settings.hosts or None
    if count := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=count, x_proto=count, x_host=count
        )
    app.before_request(check_host)
    app.before_request(check_body)
    app.before_request(check_origin)
    app.after_request(protect)
