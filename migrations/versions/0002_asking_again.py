"""Branches found quickly, drafts that name their send, changes told to pages, counted questions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
STREAMING = sa.text("status = 'streaming'")
NEW = sa.text("conversation_id IS NULL")


def upgrade() -> None:
    op.drop_index("ix_message_parent", "message")
    op.create_index("ix_message_parent", "message", ["conversation_id", "parent", "position"])
    op.create_index(
        "ix_message_answering",
        "message",
        ["owner_id"],
        sqlite_where=STREAMING,
        postgresql_where=STREAMING,
    )
    op.add_column(
        "conversation",
        sa.Column("unseen", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    # Nothing has written to it before.
    op.drop_table("draft")
    create_draft(sa.Column("request_id", sa.Uuid, nullable=False))
    op.create_table(
        "change",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("owner_id", sa.Uuid, nullable=False),
        sa.Column("conversation_id", sa.Uuid, nullable=False),
        sa.Column("made_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_change"),
    )
    op.create_index("ix_change_owner", "change", ["owner_id", "id"])
    op.create_table(
        "question_count",
        sa.Column("asker", sa.LargeBinary, nullable=False),
        sa.Column("period", sa.Integer, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("questions", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("asker", "period", name="pk_question_count"),
    )


def create_draft(*columns: sa.Column) -> None:
    op.create_table(
        "draft",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("owner_id", sa.Uuid, nullable=False),
        sa.Column("conversation_id", sa.Uuid),
        sa.Column("text", sa.String, nullable=False),
        *columns,
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


def downgrade() -> None:
    op.drop_table("question_count")
    op.drop_table("change")
    op.drop_table("draft")
    create_draft()
    op.drop_column("conversation", "unseen")
    op.drop_index("ix_message_answering", "message")
    op.drop_index("ix_message_parent", "message")
    op.create_index("ix_message_parent", "message", ["conversation_id", "parent"])
