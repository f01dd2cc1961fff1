"""What the person behind a request may ask: the settings, and where the request came from."""

from __future__ import annotations

import hmac
import re
from ipaddress import IPv6Address, IPv6Network, ip_address

from flask import current_app, request

from chatweb.services.limits import Allowance

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
