"""The documents keep up with the code."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from chatweb import config
from chatweb.services import health
from tests.conftest import MIGRATIONS, build_app
from tests.servers import REPOSITORY

README = REPOSITORY / "README.md"
MAKEFILE = (REPOSITORY / "Makefile").read_text()
TARGETS = re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)
# What one writes into a .env cannot be told from what it stands for: booleans are true and false.
ROW = re.compile(r"^\| `([A-Z_]+)` \| (?:`([^`]*)`)? *\| (.*) \|$", re.MULTILINE)


def readme() -> str:
    assert README.exists(), "README.md is missing"
    return README.read_text()


def guides() -> str:
    """Everything written for people: README and the guides."""
    return "\n".join([readme(), *(path.read_text() for path in REPOSITORY.glob("docs/*.md"))])


def test_every_setting_has_its_row_with_its_default_and_help() -> None:
    assert ROW.findall(readme()) == config.described()


def test_a_setting_is_called_by_a_name_that_exists() -> None:
    known = {name for name, _, _ in config.described()}
    environment = {"GUNICORN_FD"}
    assigned = set(re.findall(r"`?\b([A-Z][A-Z]+_[A-Z_]+)\b", guides()))

    assert assigned - environment <= known


@pytest.mark.parametrize("target", [target for target in TARGETS if target != "help"])
def test_every_make_target_is_told(target: str) -> None:
    assert re.search(rf"\bmake {target}\b", readme())


def test_every_make_target_that_is_told_exists() -> None:
    told = re.findall(r"(?:^ {4}|`)make ([a-z-]+)", guides(), re.MULTILINE)

    assert set(told) <= set(TARGETS)


def test_bare_make_lists_every_target() -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory"],  # noqa: S607
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    assert re.findall(r"^make ([a-z-]+) ", listed, re.MULTILINE) == TARGETS


def test_ci_runs_what_the_readme_says() -> None:
    commands = [
        line.split("#")[0].strip()
        for line in (REPOSITORY / ".ci" / "run").read_text().splitlines()
        if line and not line.startswith(("#", "set ", "cd "))
    ]

    assert commands == ["make test"]
    assert "\n    make test\n" in readme()


def test_the_suite_uses_what_the_readme_says_to_start_it() -> None:
    """In README, Makefile and the suite's own server alike."""
    harness = (REPOSITORY / "tests" / "servers.py").read_text()
    for command in ("flask db upgrade", "gunicorn wsgi:app"):
        assert f"\n    {command}\n" in readme()
        assert command in MAKEFILE
        assert ", ".join(f'"{word}"' for word in command.split()) in harness


def test_every_flask_command_is_told(tmp_path: Path) -> None:
    """Commands of our own; `flask db` is Flask-Migrate's and told by its upgrade."""
    for command in build_app(tmp_path).cli.commands:
        assert re.search(rf"`flask {command}\b|^ +flask {command}\b", guides(), re.MULTILINE), (
            command
        )


def test_every_route_group_is_told(tmp_path: Path) -> None:
    groups = {
        "/" + str(rule).split("/")[1]
        for rule in build_app(tmp_path).url_map.iter_rules()
        if rule.endpoint != "static"
    }

    missing = {group for group in groups if not re.search(rf"[` ]{group}[`/ ]", guides())}
    assert not missing


def test_every_link_leads_somewhere() -> None:
    for page in (README, *REPOSITORY.glob("docs/**/*.md")):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_function_that_earlier_systems_are_led_to_exists() -> None:
    page = (REPOSITORY / "docs" / "seeds.md").read_text()
    rooms = {
        path.stem: path.read_text()
        for room in ("services", "replies")
        for path in (REPOSITORY / "chatweb" / room).glob("*.py")
    } | {"replies": (REPOSITORY / "chatweb" / "replies" / "__init__.py").read_text()}
    told = [
        (module, name) for module, name in re.findall(r"`(\w+)\.(\w+)", page) if module in rooms
    ]  # fmt: skip

    assert len(told) > 15
    for module, name in told:
        assert re.search(rf"^(def|class) {name}\b", rooms[module], re.MULTILINE), (module, name)


def test_every_address_that_earlier_systems_are_led_to_exists(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "seeds.md").read_text()
    rules = {
        re.sub(r"<(\w+:)?\w+>", "<>", str(rule))
        for rule in build_app(tmp_path).url_map.iter_rules()
    }

    told = re.findall(r"`(?:(?:GET|POST|PATCH|DELETE) )?(…?/[^`? {]*)", page)
    assert len(told) > 15
    for address in told:
        full = address.replace("…", "/api/v1/conversations/<>")
        assert re.sub(r"<\w+>", "<>", full) in rules | {"/api/v1", "/chat/", "/ws/chat/<>"}, address


def test_every_test_that_is_told_exists() -> None:
    for path, name in re.findall(r"`(tests/\S+\.py)(?:::(\w+))?`", guides()):
        found = (REPOSITORY / path).read_text()
        assert not name or re.search(rf"^ *(def|class) {name}\b", found, re.MULTILINE), name


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = sorted(path.name[:4] for path in REPOSITORY.glob("docs/decisions/*.md"))

    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


def test_the_schemas_history_is_known() -> None:
    files = sorted(path.name[:4] for path in MIGRATIONS.glob("versions/[0-9]*.py"))

    assert tuple(files) == health.REVISIONS
