"""`orchestrator outbox`: which messages wait, which were given up, and putting those back."""

from __future__ import annotations

import click

from orchestrator.cli.output import emit, format_option
from orchestrator.cli.session import config_of, run_async, store_of
from orchestrator.ids import EntryId
from orchestrator.model.notification import DeliveryState, OutboxEntry
from orchestrator.units import format_instant

_COLUMNS = {
    "id": "ID",
    "state": "STATE",
    "receiver": "RECEIVER",
    "kind": "KIND",
    "attempts": "TRIES",
    "next_attempt_at": "NEXT TRY",
    "headline": "HEADLINE",
    "reason": "REASON",
}


@click.group()
def outbox() -> None:
    """List messages and put dead ones back."""


@outbox.command("list")
@click.option("--state", type=click.Choice([s.value for s in DeliveryState]), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@format_option
@click.pass_context
def list_entries(ctx: click.Context, state: str | None, limit: int, output_format: str) -> None:
    """List messages, newest first."""
    wanted = DeliveryState(state) if state else None

    async def read() -> list[OutboxEntry]:
        async with store_of(config_of(ctx)) as store:
            return await store.entries(state=wanted, limit=limit)

    rows = [row_of(entry) for entry in run_async(read())]
    emit(rows, columns=_COLUMNS, output_format=output_format, empty="The outbox is empty.")


@outbox.command("retry")
@click.argument("entry_ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every dead message.")
@click.pass_context
def retry_entries(ctx: click.Context, entry_ids: tuple[str, ...], everything: bool) -> None:
    """Put dead messages back; they are sent at the next tick with a fresh count of tries."""
    if bool(entry_ids) == everything:
        raise click.UsageError("Name the messages' ids, or say --all.")

    async def put_back() -> int:
        async with store_of(config_of(ctx), writing=True) as store:
            return await store.retry_entries([EntryId(text) for text in entry_ids] or None)

    count = run_async(put_back())
    click.echo(f"{count} message{'' if count == 1 else 's'} put back.")


def row_of(entry: OutboxEntry) -> dict[str, object]:
    """Return one entry, JSON-ready."""
    return {
        "id": entry.id[:12],
        "state": entry.state.value,
        "receiver": entry.receiver,
        "finding": entry.notification.finding_id,
        "revision": entry.notification.revision,
        "kind": entry.notification.kind.value,
        "attempts": entry.attempts,
        "next_attempt_at": format_instant(entry.next_attempt_at),
        "headline": entry.notification.headline,
        "reason": entry.reason,
        "maybe_sent": entry.maybe_sent,
    }
