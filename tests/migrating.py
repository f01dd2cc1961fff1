"""The schema of the database at hand: changed as users change it, and described."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flask_migrate
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from chatweb.database import db
from tests.conftest import MIGRATIONS


def upgrade(revision: str = "head", folder: Path = MIGRATIONS) -> None:
    flask_migrate.upgrade(str(folder), revision)


def downgrade(revision: str = "base") -> None:
    flask_migrate.downgrade(str(MIGRATIONS), revision)


def schema() -> Any:
    """All there is, as the database itself describes it; without what search keeps inside."""
    with db.engine.connect() as connection:
        if db.engine.dialect.name == "sqlite":
            statement = "SELECT type, name, tbl_name, sql FROM sqlite_master"
            rows = connection.execute(text(statement)).all()
            return {tuple(row) for row in rows if row.tbl_name != "alembic_version"}
        found = inspect(connection)
        return {
            table: (
                found.get_columns(table).__repr__(),
                found.get_indexes(table).__repr__(),
                found.get_check_constraints(table).__repr__(),
                found.get_foreign_keys(table).__repr__(),
                found.get_unique_constraints(table).__repr__(),
            )
            for table in found.get_table_names()
            if table != "alembic_version"
        }


def revision() -> str | None:
    with db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def names() -> set[str]:
    return set(inspect(db.engine).get_table_names())
