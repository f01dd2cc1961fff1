"""What models say, as every database takes it."""

from __future__ import annotations

REPLACEMENT = "\ufffd"


def storable(text: str) -> tuple[str, str]:
    """``text`` as every database takes it, and the half of a character it may end with.

    NUL and halves of surrogate pairs become U+FFFD. A pair may come in two pieces, so a first
    half at the very end is handed back, to be put before the next piece.
    """
    half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
    text = text[:-1] if half else text
    text = text.replace("\0", REPLACEMENT)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text, half
