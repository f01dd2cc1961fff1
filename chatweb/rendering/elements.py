"""What a message may look like: every element that rendering can make, and no other.

A parsed text becomes HTML here, without white space between elements, so that a growing text
gives HTML that grows at its end. What comes out passes ``ALLOWED`` once more: the parser makes no
raw HTML, and if it ever did, this short list would stop it.
"""

from collections.abc import Mapping, Sequence
from html import escape

import nh3
from markdown_it.common.utils import unescapeAll
from markdown_it.token import Token

from chatweb.rendering import highlighting, links
from chatweb.rendering.outlines import Outline

ALLOWED = nh3.Cleaner(
    tags={
        *("p", "br", "hr", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "li"),
        *("a", "em", "strong", "s", "code", "pre", "div", "span"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    },
    attributes={"a": {"href"}, "ol": {"start"}, "li": {"value"}},
    tag_attribute_values={
        **{tag: {"dir": {"auto"}} for tag in ("p", "blockquote", "ul", "ol", "table")},
        **{f"h{level}": {"dir": {"auto"}} for level in (3, 4, 5, 6)},
        "pre": {"dir": {"ltr"}, "tabindex": {"0"}},
        "div": {"tabindex": {"0"}},
        "span": {"dir": {"ltr"}},
    },
    set_tag_attribute_values={"a": {"target": "_blank"}},
    allowed_classes={
        "div": {"code", "code-head", "table"},
        "p": {"definition"},
        "span": {"code-language", "host", "title", *highlighting.CLASSES},
        "th": {"left", "center", "right"},
        "td": {"left", "center", "right"},
    },
    clean_content_tags=set(),
    url_schemes=links.SCHEMES,
    url_relative="deny",
    link_rel="noopener noreferrer nofollow",
)

_BLOCKS = {
    "paragraph": "p",
    "blockquote": "blockquote",
    "bullet_list": "ul",
    "thead": "thead",
    "tbody": "tbody",
    "tr": "tr",
}
_SIMPLE = {
    **{f"{name}_close": f"</{tag}>" for name, tag in _BLOCKS.items()},
    **{f"{name}_open": f"<{tag}>" for name, tag in _BLOCKS.items()},
    "ordered_list_close": "</ol>",
    "list_item_close": "</li>",
    "table_open": '<div class="table" tabindex="0"><table dir="auto">',
    "table_close": "</table></div>",
    "hr": "<hr>",
    "strong_open": "<strong>",
    "strong_close": "</strong>",
    "em_open": "<em>",
    "em_close": "</em>",
    "s_open": "<s>",
    "s_close": "</s>",
    "softbreak": "<br>\n",
    "hardbreak": "<br>\n",
}


def html(tokens: Sequence[Token], outline: Outline, growing: bool) -> str:
    """The parsed text, whose headings stand below those of ``outline`` and join it, as HTML.

    While it is ``growing``, code at its end is not coloured.
    """
    made: list[str] = []
    last = max((i for i, token in enumerate(tokens) if token.nesting != -1), default=0)
    for position, token in enumerate(tokens):
        if token.hidden:
            continue
        if token.type == "inline":
            words = _words(token.children or [])
            made.append(_cell(token, words) if token.tag else words)
        elif token.type in ("fence", "code_block"):
            still_written = growing and position == last
            made.append(_code(token, coloured=not still_written))
        elif token.type == "definition":
            made.append(_definition(token.meta))
        elif token.type == "heading_open":
            outline.enter(int(token.tag[1:]))
            made.append(f'<{outline.tag} dir="auto">' if token.level == 0 else f"<{outline.tag}>")
        elif token.type == "heading_close":
            made.append(f"</{outline.tag}>")
        elif token.level == 0 and token.nesting == 1 and token.type in _DIRECTED:
            made.append(_DIRECTED[token.type])
        else:
            made.append(_SIMPLE.get(token.type) or _tag(token))
    return "".join(made)


_DIRECTED = {
    # Only outermost blocks choose a direction: their inner ones inherit it, list marks included.
    "paragraph_open": '<p dir="auto">',
    "blockquote_open": '<blockquote dir="auto">',
    "bullet_list_open": '<ul dir="auto">',
}


def _tag(token: Token) -> str:
    """Lists say how they count."""
    if token.type == "ordered_list_open":
        start = f' start="{token.attrs["start"]}"' if "start" in token.attrs else ""
        return f'<ol dir="auto"{start}>' if token.level == 0 else f"<ol{start}>"
    if token.type == "list_item_open":
        return f'<li value="{token.attrs["value"]}">' if "value" in token.attrs else "<li>"
    raise ValueError(f"no element for {token.type}")


def _cell(token: Token, words: str) -> str:
    side = f' class="{token.info}"' if token.info else ""
    return f"<{token.tag}{side}>{words}</{token.tag}>"


def _code(token: Token, coloured: bool) -> str:
    label = unescapeAll(token.info).strip()
    # The parser puts a line end behind indented code that the text need not have.
    code = token.content if token.type == "fence" else token.content.removesuffix("\n")
    language = label.split(maxsplit=1)[0] if label and coloured else ""
    head = f'<span class="code-language">{escape(label, quote=False)}</span>' if label else ""
    return (
        f'<div class="code"><div class="code-head">{head}</div><pre dir="ltr" tabindex="0"><code>'
        f"{highlighting.highlight(code, language)}</code></pre></div>"
    )


def _definition(link: Mapping[str, str]) -> str:
    """``[label]: address "title"``: shown where it stands, because it may be used nowhere."""
    label = escape(f"[{link['label']}]:", quote=False)
    title = f" {_title(link['title'])}" if link["title"] else ""
    anchor = f'<a href="{escape(link["url"])}">{escape(link["url"], quote=False)}</a>'
    return f'<p class="definition">{label} {anchor}{title}</p>'


def _title(title: str) -> str:
    return f'<span class="title">{escape(title, quote=False)}</span>'


def _words(tokens: Sequence[Token]) -> str:
    made: list[str] = []
    after_link = ""
    in_link = False
    for position, token in enumerate(tokens):
        if token.type == "text":
            made.append(escape(token.content, quote=False))
        elif token.type == "code_inline":
            made.append(f"<code>{escape(token.content, quote=False)}</code>")
        elif token.type == "link_open":
            in_link = bool(token.attrs.get("href"))
            opening, after_link = _link(token, _link_words(tokens, position))
            made.append(opening)
        elif token.type == "link_close":
            made.append(after_link)
            in_link = False
        elif token.type == "image" and in_link:
            made.append(escape(_description(token), quote=False))
            after_link += " " + "".join(_link(_to_picture(token), ""))
        elif token.type == "image":
            made.append(_image(token))
        else:
            made.append(_SIMPLE[token.type])
    return "".join(made)


def _link(token: Token, words: str) -> tuple[str, str]:
    """What stands before and behind the words of a link."""
    address = str(token.attrs.get("href", ""))
    title = str(token.attrs.get("title", "")).strip()
    behind = f" {_title(title)}" if title else ""
    if not address:
        return "", behind
    if not words.strip():
        return f'<a href="{escape(address)}">{escape(address, quote=False)}', f"</a>{behind}"
    host = links.unsaid_host(address, words)
    if host:
        behind = f' <span class="host" dir="ltr">{escape(host, quote=False)}</span>{behind}'
    return f'<a href="{escape(address)}">', f"</a>{behind}"


def _link_words(tokens: Sequence[Token], opened: int) -> str:
    words: list[str] = []
    for token in tokens[opened + 1 :]:
        if token.type == "link_close":
            break
        words.append(_description(token) if token.type == "image" else _plain([token]))
    return "".join(words)


def _image(token: Token) -> str:
    """A picture is never loaded: it is a link to its address, in the words that describe it."""
    words = _plain(token.children or [])
    opening, closing = _link(_to_picture(token), words)
    return opening + escape(words, quote=False) + closing


def _to_picture(token: Token) -> Token:
    return Token("link_open", "a", 1, attrs={**token.attrs, "href": token.attrs.get("src", "")})


def _description(token: Token) -> str:
    """What is read instead of a picture."""
    words = _plain(token.children or [])
    return words if words.strip() else str(token.attrs.get("src", ""))


def _plain(tokens: Sequence[Token]) -> str:
    """The bare words of a description; links and pictures in it are words as well."""
    words: list[str] = []
    for token in tokens:
        if token.type in ("text", "code_inline"):
            words.append(token.content)
        elif token.type in ("softbreak", "hardbreak"):
            words.append("\n")
        elif token.type in ("link_open", "image"):
            address = token.attrs.get("href") or token.attrs.get("src", "")
            words.append(
                f"{_plain(token.children or [])} {address} {token.attrs.get('title', '')} "
            )
    return "".join(words)
