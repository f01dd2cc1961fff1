"""Owners, conversations, messages, answers in progress, and full-text search."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
STREAMING = sa.text("status = 'streaming'")
NEW = sa.text("conversation_id IS NULL")

# A tsvector holds 1 MB; this many characters always fit, and no insert may fail for search.
SEARCHED_CHARACTERS = 60_000


def upgrade() -> None:
    op.create_table(
        "user",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("email", sa.String),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user"),
        sa.CheckConstraint("role IN ('learner', 'instructor', 'admin')", name=op.f("ck_user_role")),
    )
    op.create_index("uq_user_email", "user", [sa.text("lower(email)")], unique=True)
    op.create_table(
        "login",
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME),
        sa.PrimaryKeyConstraint("token_hash", name="pk_login"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name="fk_login_user_id_user", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_login_user_id", "login", ["user_id"])
    op.create_table(
        "process",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("heartbeat", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_process"),
    )
    op.create_table(
        "conversation",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("owner_id", sa.Uuid, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("title_source", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("pinned", sa.Boolean, nullable=False),
        sa.Column("message_count", sa.Integer, nullable=False),
        sa.Column("head", sa.Integer, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_message_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conversation"),
        sa.UniqueConstraint("id", "owner_id", name="uq_conversation_id_owner_id"),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["user.id"], name="fk_conversation_owner_id_user", ondelete="CASCADE"
        ),
        sa.CheckConstraint(
            "status IN ('active', 'archived', 'closed', 'deleted')",
            name=op.f("ck_conversation_status"),
        ),
        sa.CheckConstraint(
            "title_source IN ('first_words', 'model', 'person')",
            name=op.f("ck_conversation_title_source"),
        ),
        sa.CheckConstraint("head BETWEEN 0 AND message_count", name=op.f("ck_conversation_head")),
    )
    op.create_index(
        "ix_conversation_newest",
        "conversation",
        ["owner_id", sa.text("last_message_at DESC"), sa.text("id DESC")],
    )
    create_message()
    op.create_table(
        "reply_piece",
        sa.Column("message_id", BIG_ID, nullable=False),
        sa.Column("offset", sa.Integer, nullable=False),
        sa.Column("text", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("message_id", "offset", name="pk_reply_piece"),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["message.id"],
            name="fk_reply_piece_message_id_message",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "draft",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("owner_id", sa.Uuid, nullable=False),
        sa.Column("conversation_id", sa.Uuid),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_draft"),
        sa.UniqueConstraint(
            "owner_id", "conversation_id", name="uq_draft_owner_id_conversation_id"
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["user.id"], name="fk_draft_owner_id_user", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversation.id"],
            name="fk_draft_conversation_id_conversation",
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        "uq_draft_new", "draft", ["owner_id"], unique=True, sqlite_where=NEW, postgresql_where=NEW
    )
    create_search()


def create_message() -> None:
    op.create_table(
        "message",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("owner_id", sa.Uuid, nullable=False),
        sa.Column("conversation_id", sa.Uuid, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("parent", sa.Integer),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("content", sa.String, nullable=False),
        sa.Column("request_id", sa.Uuid),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("process_id", sa.Uuid),
        sa.Column("stop_at", sa.Integer),
        sa.PrimaryKeyConstraint("id", name="pk_message"),
        sa.UniqueConstraint(
            "conversation_id", "position", name="uq_message_conversation_id_position"
        ),
        sa.UniqueConstraint("owner_id", "request_id", name="uq_message_owner_id_request_id"),
        sa.ForeignKeyConstraint(
            ["conversation_id", "owner_id"],
            ["conversation.id", "conversation.owner_id"],
            name="fk_message_conversation_id_owner_id_conversation",
            ondelete="CASCADE",
            onupdate="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id", "parent"],
            ["message.conversation_id", "message.position"],
            name="fk_message_conversation_id_parent_message",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["process_id"], ["process.id"], name="fk_message_process_id_process"
        ),
        sa.CheckConstraint("role IN ('system', 'user', 'assistant')", name=op.f("ck_message_role")),
        sa.CheckConstraint(
            "status IN ('complete', 'streaming', 'stopped', 'interrupted', 'failed')",
            name=op.f("ck_message_status"),
        ),
        sa.CheckConstraint("position > 0 AND parent < position", name=op.f("ck_message_order")),
        sa.CheckConstraint(
            "status = 'complete' OR role = 'assistant'", name=op.f("ck_message_only_answers_end")
        ),
        sa.CheckConstraint(
            "(status = 'streaming') = (process_id IS NOT NULL)",
            name=op.f("ck_message_streaming_has_process"),
        ),
    )
    op.create_index(
        "uq_message_streaming",
        "message",
        ["conversation_id"],
        unique=True,
        sqlite_where=STREAMING,
        postgresql_where=STREAMING,
    )
    op.create_index(
        "ix_message_process",
        "message",
        ["process_id"],
        sqlite_where=STREAMING,
        postgresql_where=STREAMING,
    )
    op.create_index("ix_message_owner", "message", ["owner_id", "id"])
    op.create_index("ix_message_parent", "message", ["conversation_id", "parent"])


def create_search() -> None:
    """Words of finished messages, found by owner without touching anybody else's rows."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "ALTER TABLE message ADD COLUMN message_search tsvector GENERATED ALWAYS AS "
            "(CASE WHEN status <> 'streaming' AND role <> 'system' THEN "
            f"to_tsvector('simple', left(content, {SEARCHED_CHARACTERS})) END) STORED"
        )
        op.execute("CREATE INDEX ix_message_search ON message USING gin (message_search)")
        return
    searched = "{0}.status <> 'streaming' AND {0}.role <> 'system'"
    add = (
        "INSERT INTO message_search (rowid, content, owner)"
        " VALUES (new.id, new.content, 'u' || new.owner_id)"
    )
    remove = (
        "INSERT INTO message_search (message_search, rowid, content, owner)"
        " VALUES ('delete', old.id, old.content, 'u' || old.owner_id)"
    )
    for statement in (
        # With the same condition, so that FTS5's own 'rebuild' finds what the triggers found.
        "CREATE VIEW message_searched AS SELECT id, content, 'u' || owner_id AS owner FROM message"
        " WHERE status <> 'streaming' AND role <> 'system'",
        "CREATE VIRTUAL TABLE message_search USING fts5(content, owner,"
        " content='message_searched', content_rowid='id', tokenize='unicode61')",
        f"CREATE TRIGGER message_search_add AFTER INSERT ON message"
        f" WHEN {searched.format('new')} BEGIN {add}; END",
        f"CREATE TRIGGER message_search_end AFTER UPDATE OF status ON message"
        f" WHEN old.status = 'streaming' AND {searched.format('new')} BEGIN {add}; END",
        f"CREATE TRIGGER message_search_move AFTER UPDATE OF owner_id ON message"
        f" WHEN {searched.format('old')} BEGIN {remove}; {add}; END",
        f"CREATE TRIGGER message_search_remove AFTER DELETE ON message"
        f" WHEN {searched.format('old')} BEGIN {remove}; END",
    ):
        op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for trigger in ("add", "end", "move", "remove"):
            op.execute(f"DROP TRIGGER message_search_{trigger}")
        op.execute("DROP TABLE message_search")
        op.execute("DROP VIEW message_searched")
    for table in ("draft", "reply_piece", "message", "conversation", "process", "login", "user"):
        op.drop_table(table)
