"""What the person behind a request may ask: the settings, and where the request came from."""

from __future__ import annotations

import hmac
import re
from ipaddress import IPv6Address, IPv6Network, ip_address

from flask import current_app, request

from chatweb.blueprints.access import owner
from chatweb.services import limits as service
from chatweb.services.limits import Allowance

NAMES = {service.MINUTE: '"minute"', service.DAY: '"day"'}
"""Of periods, for programs."""

WITH_PORT = re.compile(r"\[(?P<six>.+)\](:\d+)?|(?P<four>[\d.]+):\d+")
"""As some proxies write addresses into X-Forwarded-For."""


def allowance() -> Allowance:
    settings = current_app.extensions["settings"]
    return Allowance(
        settings.limit_answers_at_once,
        settings.limit_questions_per_minute,
        settings.limit_questions_per_day,
        hashed(network(request.remote_addr)) if request.remote_addr else None,
    )


def hashed(address: str) -> bytes:
    """What the database keeps: nobody without the key finds out which address it was."""
    key = str(current_app.secret_key).encode()
    return hmac.digest(key, f"address {address}".encode(), "sha256")


def network(text: str) -> str:
    """Those who count as one: an IPv4 address, or the 2^64 of IPv6 that a household has."""
    if found := WITH_PORT.fullmatch(text):
        text = found["six"] or found["four"]
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), 64), strict=False))


def headers() -> dict[str, str]:
    """How much whoever asks may still ask, as the IETF's draft on rate limits says it."""
    if not (left := service.left(owner(), allowance())):
        return {}
    return {
        "RateLimit-Policy": ", ".join(f"{NAMES[each.period]};q={each.most}" for each in left),
        "RateLimit": ", ".join(
            f"{NAMES[each.period]};r={each.left};t={each.seconds}" for each in left
        ),
    }
