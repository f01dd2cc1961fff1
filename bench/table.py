"""Figures and goals as lines of a table, printed as they come."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import quantiles

WIDTHS = (52, 26, 26)


@dataclass(frozen=True)
class Row:
    """One figure. ``met`` is None where there is no goal; ``beside`` is what it is compared to."""

    what: str
    figure: str
    goal: str = ""
    met: bool | None = None
    beside: str = ""


def show(rows: Iterable[Row]) -> int:
    """Print rows as they are measured; returns how many goals were missed."""
    missed = 0
    for row in rows:
        missed += row.met is False
        mark = {None: " ", True: "+", False: "!"}[row.met]
        cells = (row.what, row.figure, row.goal)
        line = " ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True))
        print(f"{mark} {line} {row.beside}".rstrip(), flush=True)  # noqa: T201 this is the output
    return missed


def heading(title: str) -> None:
    """The line above a group of rows."""
    print(f"\n{title}", flush=True)  # noqa: T201 this is the output


def below(what: str, value: float, limit: float, unit: str, beside: str = "") -> Row:
    """A row whose goal is to stay below ``limit``."""
    return Row(
        what, f"{value:.3g} {unit}", f"below {limit:g} {unit}", value < limit, beside
    )  # fmt: skip


def p(values: Sequence[float], percent: int) -> float:
    """A percentile."""
    if len(values) < 2:
        return values[0]
    return quantiles(values, n=100, method="inclusive")[percent - 1]
