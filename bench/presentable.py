# ruff: noqa: E501, RUF001 texts as they are
"""What people see in the screenshots: conversations worth looking at, and hard ones."""

NORMAL = [
    (
        "How do I read a large CSV file in Python without loading all of it?",
        """Read it **row by row**. The `csv` module never holds more than one row:

```python
import csv
from collections import Counter

def orders_by_country(path: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            counts[row["country"]] += 1
    return counts
```

Three things to keep in mind:

1. Open the file with `newline=""`, or line breaks inside quoted fields are lost.
2. Say the encoding. Files from spreadsheets are often `utf-8-sig`.
3. Every value is text: convert numbers where you use them.
""",
    ),
    (
        "And when should I use pandas or a database instead?",
        """It depends on what you do with the rows, more than on their number:

| | `csv` | pandas | SQLite |
| --- | --- | --- | --- |
| Memory | one row | the whole table | a few pages |
| 1 GB file, one pass | 40 s | 25 s, 3 GB | 60 s to import |
| Asking again | 40 s | at once | at once, with an index |
| Joins | by hand | yes | yes |

For a single pass stay with `csv`. If you will ask **many questions** of the same data, import it into SQLite once and let the index do the work.
""",
    ),
]

EARLIER = [
    ("What is the difference between weather and climate?", "Weather is what happens today; climate is what usually happens."),
    ("Give me a plan to learn SQL in four weeks", "Week one: `SELECT`. Week two: joins. Week three: design. Week four: practice."),
    ("Translate “good evening” into five languages", "- French: *bonsoir*\n- Italian: *buonasera*\n- German: *guten Abend*\n- Turkish: *iyi akşamlar*\n- Finnish: *hyvää iltaa*"),
    ("Why is the sky blue?", "Short waves are scattered more than long ones, and blue is short."),
    ("Name three good books about birds", "1. *The Genius of Birds*\n2. *The Peregrine*\n3. *What It’s Like to Be a Bird*"),
]  # fmt: skip

FULL = [
    (
        "A very long title that goes on and on, because somebody pasted a whole paragraph into "
        "the box: supercalifragilisticexpialidocious_and_then_some_more_without_any_break 👩‍🚀🚀",
        """Here is everything that is hard to lay out at once.

```python
def a_function_with_a_long_name(first_argument: dict[str, list[int]], second_argument: str = "a default that is long") -> None:
    return first_argument.setdefault(second_argument, []).append(sum(number for numbers in first_argument.values() for number in numbers))
```

| Country | Capital | Population | Area in km² | Currency | Languages | Time zones | Calling code | Drives on the |
| --- | --- | ---: | ---: | --- | --- | --- | --- | --- |
| Switzerland | Bern | 8,960,800 | 41,285 | Swiss franc | German, French, Italian, Romansh | UTC+1, UTC+2 in summer | +41 | right |
| New Zealand | Wellington | 5,338,900 | 268,021 | New Zealand dollar | English, Māori, NZSL | UTC+12, UTC+12:45 | +64 | left |

> Simplicity is prerequisite for reliability.

- One
  - Two, inside
    - Three, inside that: `code`, **bold**, *italic*, ~~struck~~
- https://example.org/a/very/long/address/that/does/not/end?with=a&query=string&and=more&and=more
""",
    ),
]

LANGUAGES = [
    (
        "اشرح لي الفرق بين الطقس والمناخ، من فضلك",
        """**الطقس** هو حالة الجو في وقت ومكان محددين. أما **المناخ** فهو متوسط الطقس على مدى سنوات طويلة.

- الطقس: اليوم ممطر ☔
- المناخ: الصيف هنا حار وجاف 🌞

مثال بالشيفرة: `average(temperatures)` يعطي المتوسط.
""",
    ),
    (
        "Peut-on écrire en français, and mix it with English? 😀 👩‍🚀 🇨🇭",
        "Oui, bien sûr. 🎉\n\n## A heading\n\n### A smaller one\n\n---\n\nThe end.",
    ),
    (
        "请用中文说明一下递归。",
        "**递归**就是函数调用它自己：先解决最小的情形，再一步一步回到原来的问题。日本語でも同じです。한국어도요.",
    ),
]

STREAMING = (
    "Explain recursion with a small Python example",
    """A function is **recursive** when it calls itself. It needs two things:

1. a *base case*, which answers at once;
2. a *step*, which brings every other case closer to it.

```python
def factorial(n: int) -> int:
    if n == 0:
        return 1
    return n * fac""",
)
FAILED = "What will the weather be like tomorrow?"
INTERRUPTED = (
    "Tell me the story of the lighthouse",
    """## The keeper’s last winter

For thirty years **Marta Venn** had climbed the hundred and twelve steps at dusk, lit the lamp, and written one line into the book: *Wind south-west, sea calm, nothing seen.*

On the first night of December she wrote a different line. A light had answered hers, far out, where no ship could be, and it answered in the old signals that only""",
)
STOPPED = (
    "List every prime number, with a remark on each",
    """Gladly, though there is no end to them:

- **2**: the only even one.
- **3**: the first odd one.
- **5**: every number that ends in it, and is larger, is divisible by it.
- **7**: one divided by it repeats after six digits: 0.142857…
- **11**: reads the same both ways.""",
)
TYPED = "And how do I write the result to a new file?"
