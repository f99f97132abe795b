"""The first schema: watermarks, runs, findings, outbox, deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table and index."""
    op.create_table(
        "watermark",
        sa.Column("rule_id", sa.Text, primary_key=True),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
    )
    _create_run()
    _create_finding()
    _create_outbox()
    op.create_table(
        "delivery",
        sa.Column("serial", _SERIAL, primary_key=True, autoincrement=True),
        sa.Column("entry_id", sa.Text, sa.ForeignKey("outbox.id"), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
    )
    op.create_index("delivery_by_entry", "delivery", ["entry_id"])


def _create_run() -> None:
    op.create_table(
        "run",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("rule_id", sa.Text, sa.ForeignKey("watermark.rule_id"), nullable=False),
        sa.Column("rule_version", sa.Text, nullable=False),
        sa.Column("start_ms", sa.BigInteger, nullable=False),
        sa.Column("end_ms", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("lease_until_ms", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("retry_at_ms", sa.BigInteger),
        sa.Column("finished_at_ms", sa.BigInteger),
        sa.Column("receipt", sa.Text),
        sa.UniqueConstraint("rule_id", "start_ms", "end_ms", name="run_window"),
        sa.CheckConstraint("end_ms > start_ms", name="run_not_empty"),
        sa.CheckConstraint("state <> 'gap' OR reason <> ''", name="run_gap_has_reason"),
    )
    running = sa.text("state = 'running'")
    op.create_index(
        "run_one_running",
        "run",
        ["rule_id"],
        unique=True,
        sqlite_where=running,
        postgresql_where=running,
    )
    op.create_index("run_by_end", "run", ["end_ms"])


def _create_finding() -> None:
    op.create_table(
        "finding",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("rule_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("score", sa.Integer, nullable=False),
        sa.Column("first_seen_ms", sa.BigInteger, nullable=False),
        sa.Column("last_seen_ms", sa.BigInteger, nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.UniqueConstraint("fingerprint", "generation", name="finding_life"),
    )
    op.create_index("finding_by_last_seen", "finding", ["last_seen_ms"])
    op.create_index("finding_by_rule", "finding", ["rule_id", "last_seen_ms"])


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("finding_id", sa.Text, sa.ForeignKey("finding.id"), nullable=False),
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at_ms", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("maybe_sent", sa.Boolean, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("notification", sa.Text, nullable=False),
        sa.UniqueConstraint("finding_id", "receiver", "revision", name="outbox_message"),
        sa.CheckConstraint("state <> 'dead' OR reason <> ''", name="outbox_dead_has_reason"),
    )
    waiting = sa.text("state IN ('pending', 'sending')")
    op.create_index(
        "outbox_due",
        "outbox",
        ["due_at_ms", "created_at_ms", "revision", "id"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    sending = sa.text("state = 'sending'")
    op.create_index(
        "outbox_one_sending",
        "outbox",
        ["finding_id", "receiver"],
        unique=True,
        sqlite_where=sending,
        postgresql_where=sending,
    )
    op.create_index("outbox_by_created", "outbox", ["created_at_ms"])
