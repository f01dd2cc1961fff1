"""Tokens for programs, and conversations that belong to a chapter of a book or course."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
IN_A_CHAPTER = sa.text("chapter IS NOT NULL")


def upgrade() -> None:
    op.add_column("conversation", sa.Column("chapter", sa.String))
    op.create_index(
        "ix_conversation_chapter",
        "conversation",
        ["owner_id", "chapter"],
        sqlite_where=IN_A_CHAPTER,
        postgresql_where=IN_A_CHAPTER,
    )
    op.create_table(
        "token",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("request_id", sa.Uuid, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("scope", sa.String, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("last_used_at", TIME),
        sa.Column("revoked_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
        sa.UniqueConstraint("secret_hash", name="uq_token_secret_hash"),
        sa.UniqueConstraint("user_id", "request_id", name="uq_token_user_id_request_id"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name="fk_token_user_id_user", ondelete="CASCADE"
        ),
        sa.CheckConstraint("scope IN ('read', 'write')", name=op.f("ck_token_scope")),
    )


def downgrade() -> None:
    op.drop_table("token")
    op.drop_index("ix_conversation_chapter", "conversation")
    op.drop_column("conversation", "chapter")
