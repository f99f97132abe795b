"""The tables as SQLAlchemy sees them: one schema for SQLite and PostgreSQL.

Times are epoch milliseconds in UTC, their columns end in `_ms`. A noun is one JSON document in
`document` (or `notification`, `receipt`) plus the columns that a query filters, orders or guards
by; where both hold a value, the column is the one that counts. Free of secrets: receivers are
stored by name only. The migrations create these tables; a test holds the two equal.
"""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

watermark = sa.Table(
    "watermark",
    METADATA,
    sa.Column("rule_id", sa.Text, primary_key=True),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
)

run = sa.Table(
    "run",
    METADATA,
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
# One window of a rule at a time: the database itself refuses a second one.
sa.Index(
    "run_one_running",
    run.c.rule_id,
    unique=True,
    sqlite_where=run.c.state == sa.literal_column("'running'"),
    postgresql_where=run.c.state == sa.literal_column("'running'"),
)
sa.Index("run_by_end", run.c.end_ms)

finding = sa.Table(
    "finding",
    METADATA,
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
sa.Index("finding_by_last_seen", finding.c.last_seen_ms)
sa.Index("finding_by_rule", finding.c.rule_id, finding.c.last_seen_ms)

outbox = sa.Table(
    "outbox",
    METADATA,
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


def is_waiting(state: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Return the partial index's own condition, spelt out: it is used only for that very text."""
    return state.in_([sa.literal_column("'pending'"), sa.literal_column("'sending'")])


_WAITING = is_waiting(outbox.c.state)
# In the order of claiming, so that a claim reads as many entries as it takes, not all that are due.
sa.Index(
    "outbox_due",
    outbox.c.due_at_ms,
    outbox.c.created_at_ms,
    outbox.c.revision,
    outbox.c.id,
    sqlite_where=_WAITING,
    postgresql_where=_WAITING,
)
# One message of a finding to a receiver at a time, whatever the claims do.
sa.Index(
    "outbox_one_sending",
    outbox.c.finding_id,
    outbox.c.receiver,
    unique=True,
    sqlite_where=outbox.c.state == sa.literal_column("'sending'"),
    postgresql_where=outbox.c.state == sa.literal_column("'sending'"),
)
sa.Index("outbox_by_created", outbox.c.created_at_ms)

delivery = sa.Table(
    "delivery",
    METADATA,
    sa.Column("serial", _SERIAL, primary_key=True, autoincrement=True),
    sa.Column("entry_id", sa.Text, sa.ForeignKey("outbox.id"), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
)
sa.Index("delivery_by_entry", delivery.c.entry_id)
