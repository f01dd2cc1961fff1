"""The house keeps its rooms: HOUSE_STYLE's arrows, read from the code itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatweb.blueprints import programs
from tests.conftest import build_app
from tests.servers import REPOSITORY

PACKAGE = REPOSITORY / "chatweb"
FILES = sorted(PACKAGE.rglob("*.py"))

MAY_IMPORT = {
    "config": set(),
    "logs": set(),
    "database": {"config"},
    "models": {"database"},
    "llm": {"config"},
    "rendering": {"config"},
    "services": {"models", "database", "config"},
    "replies": {"services", "llm", "models", "database", "config"},
    "blueprints": {"services", "replies", "rendering", "config", "logs"},
    "commands": {"services", "replies", "rendering", "config", "logs"},
}  # fmt: skip
NEVER = {
    "services": {"flask", "jinja2", "werkzeug"},
    "replies": {"jinja2", "werkzeug"},
    "llm": {"flask", "sqlalchemy", "jinja2"},
    "rendering": {"flask", "sqlalchemy"},
    "models": {"flask"},
    "blueprints": {"sqlalchemy", "flask_sqlalchemy", "sqlite3", "psycopg2"},
    "commands": {"sqlalchemy", "flask_sqlalchemy", "sqlite3", "psycopg2"},
}
NOT_A_NAME = {"utils", "util", "helpers", "helper", "common", "misc", "base", "shared", "core"}
# The local model's address is chosen before the workers are forked and inherited by them.
READS_THE_ENVIRONMENT = {"config.py", "llm/local.py", "llm/supervisor.py"}
WHO = {"anyone", "owners", "programs", "readers of a book", "token holders"}
KNOWS_HTMX = {"blueprints/htmx.py"}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text()))


def imported(path: Path) -> set[str]:
    """Every module a file imports; ``from a import b`` may mean a.b."""
    found = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)} imports by dots"
            found |= {node.module or ""} | {f"{node.module}.{each.name}" for each in node.names}
    return found


def calls(path: Path, method: str) -> bool:
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == method
        for node in nodes(path)
    )


rooms_only = pytest.mark.parametrize(
    "path", [path for path in FILES if room(path) != "__init__"], ids=name
)


def test_there_is_something_to_look_at() -> None:
    rooms = {room(path) for path in FILES}

    assert len(FILES) > 40
    assert rooms | {"commands"} == {"__init__", *MAY_IMPORT}


@rooms_only
def test_imports_point_one_way(path: Path) -> None:
    rooms = {
        module.split(".")[1]
        for module in imported(path)
        if module.startswith("chatweb.") and module.split(".")[1] in MAY_IMPORT
    }

    assert rooms - {room(path)} <= MAY_IMPORT[room(path)]
    assert "chatweb.create_app" not in imported(path)


@rooms_only
def test_no_room_uses_anothers_library(path: Path) -> None:
    libraries = {module.split(".")[0] for module in imported(path)}

    assert not libraries & NEVER.get(room(path), set())


def test_replies_know_of_flask_only_where_the_application_is() -> None:
    for path in PACKAGE.glob("replies/*.py"):
        used = {module for module in imported(path) if module.startswith("flask.")}
        assert used <= {"flask.Flask", "flask.current_app"}, name(path)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_only_services_and_replies_commit(path: Path) -> None:
    assert room(path) in {"services", "replies"} or not calls(path, "commit")


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_private_function_never_commits(path: Path) -> None:
    private = (
        node for node in nodes(path)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("_")
    )  # fmt: skip
    for function in private:
        methods = {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
        assert "commit" not in methods, f"{name(path)}: {function.name}"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_module_is_named_for_what_it_holds(path: Path) -> None:
    assert not NOT_A_NAME & set(name(path).removesuffix(".py").split("/"))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_only_settings_read_the_environment(path: Path) -> None:
    if name(path) in READS_THE_ENVIRONMENT:
        return
    read = {f"os.{each}" for each in ("environ", "getenv", "environb")}
    attributes = {ast.unparse(node) for node in nodes(path) if isinstance(node, ast.Attribute)}
    assert not read & attributes
    assert not read & imported(path)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_only_one_module_knows_htmxs_headers(path: Path) -> None:
    if name(path) in KNOWS_HTMX:
        return
    texts = {
        node.value for node in nodes(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }  # fmt: skip
    assert not {text for text in texts if text.upper().startswith("HX-")}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_module_has_one_job(path: Path) -> None:
    """Past 300 lines there are usually two."""
    assert len(path.read_text().splitlines()) < 300


def test_every_route_says_who_may_use_it(tmp_path: Path) -> None:
    app = build_app(tmp_path)

    undeclared = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if getattr(app.view_functions[rule.endpoint], "open_to", None) not in WHO
    }

    assert undeclared == {"static"}


def test_what_changes_something_on_a_page_is_a_post(tmp_path: Path) -> None:
    methods = {
        method
        for rule in build_app(tmp_path).url_map.iter_rules()
        for method in rule.methods or ()
        if not str(rule).startswith(programs.ADDRESSES)
    }

    assert methods == {"GET", "HEAD", "OPTIONS", "POST"}
