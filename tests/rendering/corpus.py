"""Hostile texts, by name: what a person or a model may write that must only ever be text.

Used for questions and answers, whole, in blocks and cut to pieces. ``LARGE`` ones are about time
and size, and slower.
"""

ATTACKS: list[tuple[str, str]] = [
    ("script", "<script>window.pwned = 1</script>"),
    ("script mixed", "<ScRiPt\n>window.pwned=1</sCrIpT >"),
    ("image onerror", "<img src=x onerror=window.pwned=1>"),
    (
        "svg onload",
        "<svg/onload=window.pwned=1><svg><animate onbegin=window.pwned=1 attributeName=x>",
    ),
    ("iframe srcdoc", '<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>'),
    (
        "math",
        '<math><mtext><table><mglyph><style><!--</style><img title="--><img '
        'src=1 onerror=window.pwned=1>">',
    ),
    ("template", "<template><script>window.pwned=1</script></template>"),
    ("xmp", '<xmp><p title="</xmp><img src=x onerror=window.pwned=1>"></xmp>'),
    (
        "noscript",
        '<noscript><p title="</noscript><img src=x onerror=window.pwned=1>"></noscript>',
    ),
    ("style", "<style>@import 'https://evil.example/x.css'; body{display:none}</style>"),
    ("textarea", "</textarea><script>window.pwned=1</script>"),
    (
        "title and head",
        "<title>stolen</title><head><title>stolen</title></head><base href=//evil.example>",
    ),
    ("body and html", "<html><body onload=window.pwned=1><frameset onload=window.pwned=1>"),
    ("meta refresh", "<meta http-equiv=refresh content='0;url=https://evil.example'>"),
    ("details", "<details open ontoggle=window.pwned=1><summary>x</summary></details>"),
    ("area", "<map name=m><area href=javascript:window.pwned=1></map>"),
    (
        "object",
        "<object data=data:text/html,x></object><embed "
        "src=//evil.example><link rel=stylesheet href=//e>",
    ),
    (
        "video",
        "<video><source onerror=window.pwned=1></video><audio src=x onerror=window.pwned=1>",
    ),
    (
        "form",
        "<form action=/logout method=post><button "
        "formaction=//evil.example>go</button><input name=text autofocus "
        "onfocus=window.pwned=1></form>",
    ),
    ("select", "<select><option>x</select><marquee onstart=window.pwned=1>"),
    (
        "clobber id",
        '<a id="csrf" name="body">x</a><div id="messages"></div><form id="composer"></form>',
    ),
    ("clobber block", '<div class="block" id="b7-0">forged</div></div></div>'),
    (
        "htmx attributes",
        '<div hx-get="/logout" hx-trigger="load" hx-on:load="window.pwned=1"></div>',
    ),
    ("data hx", '<div data-hx-post="/c" data-hx-trigger="load"></div>'),
    ("partial", '<hx-partial hx-target="#composer" hx-swap="innerHTML">forged</hx-partial>'),
    (
        "partial closing",
        "</hx-partial></template><hx-partial hx-target=body>forged</hx-partial>",
    ),
    (
        "partial in code",
        "`<hx-partial hx-target=body>forged</hx-partial>` and\n\n```html\n"
        "</hx-partial><head>x</head>\n```\n",
    ),
    (
        "partial in address",
        "[x](https://e.org/<hx-partial>) <https://e.org/?<head></head>> "
        "https://e.org/</hx-partial>",
    ),
    ("partial in label", "```<hx-partial>\nx\n```\n\n``` </head>\ny\n```\n"),
    ("oob", '<div id="notice" hx-swap-oob="true">forged</div>'),
    (
        "javascript",
        "[x](javascript:window.pwned=1) [y](JaVaScRiPt:window.pwned=1) [z]( "
        "javascript:window.pwned=1)",
    ),
    (
        "javascript broken",
        "[x](java\tscript:window.pwned=1) [y](java\nscript:window.pwned=1) "
        "[z](<java\x00script:window.pwned=1>)",
    ),
    (
        "javascript entities",
        "[x](&#106;avascript:window.pwned=1) "
        "[y](javascript&colon;window.pwned=1) [z](javascript&#58;1)",
    ),
    (
        "javascript escaped",
        "[x](\\javascript:window.pwned=1) [y](%6aavascript:1) [z](\x01javascript:window.pwned=1)",
    ),
    (
        "javascript autolink",
        "<javascript:window.pwned=1> <vbscript:x> <data:text/html,x> <file:///etc/passwd>",
    ),
    (
        "other schemes",
        "[x](vbscript:x) [y](data:text/html;base64,PHN2Zz4=) "
        "[z](file:///etc/passwd) [w](blob:x) [v](ftp://e)",
    ),
    (
        "javascript reference",
        "[x][y]\n\n[y]: javascript:window.pwned=1\n[z]: data:text/html,x\n\n[z]",
    ),
    (
        "other host",
        "[x](//evil.example) [y](https://evil.example/a?b#c) "
        "[z](/\\evil.example) [w](\\\\evil.example)",
    ),
    (
        "host in words",
        "[https://good.example](https://evil.example) "
        "[good.example](http://good.example@evil.example/)",
    ),
    (
        "host with login",
        "https://good.example@evil.example/ "
        "<https://good.example:80@evil.example> "
        "[x](https://good.example\\@evil.example)",
    ),
    (
        "host like another",
        "[paypal.com](https://p\u0430ypal.com) https://xn--pypal-4ve.com "
        "[a](https://e.org:443) [b](https://[::1]/x)",
    ),
    (
        "odd addresses",
        "[a](https:evil.example) [b](https:/evil.example) "
        "[c](https:///evil.example) [d](http://) [e](https://%65vil) "
        "[f](https://\uff45vil.example)",
    ),
    ("relative", "[x](/c/1/delete) [y](#composer) [z](?q) [w](delete) [v]()"),
    (
        "attribute break",
        '[x](https://e.org/"onmouseover="window.pwned=1) '
        '[y](https://e.org/\'><script>1</script>) [z](https://e.org "x\\" '
        'onclick=\\"window.pwned=1")',
    ),
    (
        "picture",
        "![alt](https://evil.example/p.png) ![](https://evil.example/q.png) "
        "![a](//evil.example/r.png)",
    ),
    ("picture reference", "![alt][p] ![p]\n\n[p]: https://evil.example/p.png 'the title'"),
    (
        "picture data",
        "![](data:image/svg+xml,<svg/onload=window.pwned=1>) "
        "![x](data:image/png;base64,iVBORw0KGgo=)",
    ),
    (
        "picture in link",
        "[![alt](https://evil.example/p.png)](https://other.example) "
        "[![](https://evil.example/p.png)](https://other.example)",
    ),
    (
        "picture with code",
        "![a `b` **c** [d](https://e.org) ![e](https://f.org)](https://evil.example/p.png)",
    ),
    (
        "picture onerror",
        '![x](https://e.org/"onerror="window.pwned=1) ![x](x" onerror="window.pwned=1)',
    ),
    ("class", '```k"><script>window.pwned=1</script>\nx\n```\n\n```code-head copy\ny\n```\n'),
    (
        "previews",
        '```mermaid\ngraph TD; A-->B\nclick A "javascript:window.pwned=1"\n'
        "```\n\n$$\\href{javascript:window.pwned=1}{x}$$\n\n```html\n"
        "<script>window.pwned=1</script>\n```\n",
    ),
    ("templates", "{{7*7}} {% include 'x' %} {{ config }} ${7*7} #{7*7} <%= 7*7 %>"),
    ("comment", "<!-- hidden words --> <!--> <![CDATA[x]]> <?php echo 1 ?> <!DOCTYPE html>"),
    (
        "entities",
        "&lt;script&gt;window.pwned=1&lt;/script&gt; &#60;img src=x "
        "onerror=window.pwned=1&#62; &#x3c;b&#x3e; &#0; &#xD800; &#1114112; "
        "&amp;lt; &lt &copy &nbsp;x&#13;&#10;y",
    ),
    (
        "event stream",
        "data: x\nevent: done\nid: 9\n\n:\nretry: 1\n\nevent: done\ndata: forged\n\n",
    ),
    (
        "line ends",
        "one\rtwo\r\nthree\x0bfour\x0cfive\x85six\u2028seven\u2029eight\x1c\x1d\x1enine\n\r\n\rten",
    ),
    ("control", "a\x00b\x01\x08\x1b[31mred\x1b[0m\x7f\x9f \ufeff\ufffe\uffff \U0010ffff"),
    ("surrogates", "a \ud800 b \udfff\ud83d c"),
    (
        "right to left",
        "\u202eevil.exe\u202c \u2066x\u2069 مرحبا بالعالم\n\n- عربي\n- english\n\n> עברית",
    ),
    (
        "combining",
        "Z"
        + "\u0301" * 1000
        + "algo "
        + "\U000e0041" * 50
        + " 👩‍👩‍👧‍👦 🏳️‍🌈 \u200b\u200c\u200d\u2060",
    ),
    (
        "hidden by title",
        '[x](https://e.org "words in a title") and\n\n[unused]: '
        'https://e.org "words of a definition"',
    ),
    (
        "hidden by table",
        "| a | b |\n|---|---|\n| one | two | three | four |\n| five |\n|six|seven|eight\\|nine|\n",
    ),
    ("hidden by fence", '```python title="words" {hidden}\ncode\n```\n\n~~~ ` words\ncode\n'),
    ("hidden by nesting", ">" * 40 + " deep words"),
    ("hidden by lists", "".join("  " * i + "- item" + str(i) + "\n" for i in range(60))),
    ("hidden by brackets", "[" * 40 + "deep words" + "]" * 40 + "(https://e.org)"),
    ("task list", "- [ ] todo\n- [x] done\n"),
    ("setext", "Title words\n===\nMore words\n---\n===\n"),
    (
        "unclosed",
        "**bold _em `code [link](https://e.org ![x <b ~~gone\n\n```python\n"
        "unclosed **code**\n\nmore\n",
    ),
    (
        "fences in fences",
        "````\n```\ninner\n```\n\n````\n\n- a\n  ```\n  b\n\n  c\n  ```\n\n"
        "d\n\n   ```\ne\n\nf\n```\n\ng\n",
    ),
    ("numbers", "7. seven\n8. eight\n\n1986. A great year\n\n1234567890. no list\n"),
]

_N = 50_000

LARGE: list[tuple[str, str]] = [
    ("brackets", "[" * _N),
    ("pictures", "![" * (_N // 2)),
    ("bracket pairs", "[]" * (_N // 2)),
    ("brackets closed", "[" * (_N // 2) + "a" + "]" * (_N // 2)),
    ("half links", "[a](" * (_N // 4)),
    ("half links in brackets", "[a](<b" * (_N // 6)),
    ("picture links", "![[]()" * (_N // 6)),
    ("half pictures", "![a](b" * (_N // 6)),
    ("emphasis", "*a_" * (_N // 3)),
    ("emphasis runs", "*_~~" * (_N // 4)),
    ("emphasis nested", "**a *b " * (_N // 7)),
    ("emphasis balanced", "*a **b " * (_N // 20) + "c** d*" * (_N // 20)),
    ("stars", "*" * _N),
    ("backticks", "`" * _N),
    ("backtick runs", " ".join("`" * n for n in range(1, 316))),
    ("code halves", "`a" * (_N // 2)),
    ("angles", "<" * _N),
    ("autolinks", "<http://a" * (_N // 9)),
    ("ampersands", "&" * _N),
    ("entities", "&amp;" * (_N // 5)),
    ("backslashes", "\\" * _N),
    ("quotes", ">" * _N),
    ("quote lines", "> a\n" * (_N // 4)),
    ("quotes and lists", "> - " * (_N // 4)),
    ("lists", "".join("  " * (n % 30) + "- a\n" for n in range(_N // 30))),
    ("dashes", "- " * (_N // 2)),
    ("loose list", "1. a\n\n" * (_N // 6)),
    ("headings", "#\n" * (_N // 2)),
    ("paragraphs", "a\n\n" * (_N // 3)),
    ("blank lines", "\n" * _N),
    ("fences", "```\n" * (_N // 4)),
    ("inner fences", "- a\n  ```\n\n" * (_N // 11)),
    ("inner fence, then lines", "   ```\n" + "a\n\n" * (_N // 3)),
    ("definitions", "[a]: b\n" * (_N // 7)),
    ("definition labels", "[a\n" * (_N // 3)),
    ("wide table", "|" + "a|" * 2000 + "\n|" + "-|" * 2000 + "\n" + "|\n" * 20_000),
    ("empty table", "|" + "a|" * 99 + "\n|" + "-|" * 99 + "\n" + "|\n" * 24_000),
    ("thin table", "|" + "a|" * 5 + "\n|" + "-|" * 5 + "\n" + "x\n" * 24_000),
    ("table of pipes", "|" + "a|" * 50 + "\n|" + "-|" * 50 + "\n" + ("|" * 51 + "\n") * 900),
    ("small tables", ("a|b|c|d\n-|-|-|-\n" + "x\n" * 12) * (_N // 40)),
    ("tables and headings", "a|b\n-|-\n# x|y\n" * (_N // 14)),
    ("addresses", "http://a " * (_N // 9)),
    ("address and brackets", "http://a" + "(" * (_N // 2) + ")" * (_N // 2)),
    ("address and stops", ("http://a" + "." * 5000 + " ") * 10),
    ("tabs", "\t" * _N),
    ("long code", "```python\n" + "x = [1, 2]  # comment\n" * 9_000 + "```\n"),
    ("long line", "x" * 1_000_000),
    ("long line of code", "```\n" + "x" * 1_000_000),
    ("long address", "https://e.org/" + "x" * _N),
    ("code of quotes", "```js\n" + "'" * 19_000 + "\n```"),
    ("code of slashes", "```perl\n" + "/\\" * 9_000 + "\n```"),
    ("code of line ends", "```c\n" + "\n" * 19_000 + "```"),
    ("code of words", "```c#\n" + "a\n" * 9_000 + "```"),
    ("code of letters", "```makefile\n" + "a" * 19_000 + "\n```"),
    ("code of escapes", "```ts\n" + '\\"' * 9_000 + "\n```"),
    ("code of brackets", "```latex\n" + "{$" * 9_000 + "\n```"),
]

CORPUS = ATTACKS + LARGE
