"""Sources of an answer as links."""

from __future__ import annotations

from chatweb.rendering.citations import Source, sources


def test_the_host_is_told_where_the_words_do_not() -> None:
    assert sources([{"url": "https://evil.example/x", "title": "https://bank.example"}]) == (
        Source("https://evil.example/x", "https://bank.example", "evil.example"),
    )
    assert sources([{"url": "https://example.org/a", "title": ""}])[0].host == ""


def test_what_no_browser_could_follow_is_left_out() -> None:
    strange = ["javascript:alert(1)", "https://", "ftp://example.org", "https://[::1"]

    assert sources([{"url": url, "title": "x"} for url in strange]) == ()
