"""How `flask db …` reaches the database: one migrator at a time, all or nothing."""

import time

from alembic import context
from flask import current_app
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from chatweb.database import db, sqlite

MIGRATING = 7_236_001
"""The advisory lock's number. In the transaction: a session lock would not survive a pooler."""


def ours(thing, name, kind, reflected, compare_to) -> bool:
    """Full-text structures are written by hand; autogenerate must not touch them."""
    return "message_search" not in (name or "")


def connect() -> Connection:
    """Wait for a server that is still starting, as long as the settings say."""
    settings = current_app.extensions["settings"]
    if settings.uses_sqlite:
        sqlite.create_file(settings)
    delay = settings.database_init_retry_delay_ms / 1000
    for _ in range(settings.database_init_retry_count - 1):
        try:
            return db.engine.connect()
        except OperationalError:
            time.sleep(delay)
            delay *= 2
    return db.engine.connect()


def run() -> None:
    with connect().execution_options(writes=True) as connection:
        if connection.dialect.name == "sqlite":
            # The file itself remembers it.
            journal = current_app.extensions["settings"].sqlite_journal
            sqlite.wait_for_locks(connection, sqlite.WRITE_PATIENCE)
            driver = connection.connection.driver_connection
            driver.execute(f"PRAGMA journal_mode={journal}")
        with connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATING})"))
            context.configure(
                connection=connection,
                target_metadata=db.metadata,
                include_object=ours,
                transactional_ddl=True,
                compare_type=False,
            )
            with context.begin_transaction():
                context.run_migrations()


run()
