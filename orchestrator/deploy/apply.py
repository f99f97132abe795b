"""Doing what the plan says, in its order; what was not done is named."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.deploy.plan import Change, ChangeKind, Plan
from orchestrator.deploy.ports import AssetApi, FileApi
from orchestrator.errors import ClientError, DeployError


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What was written, in order."""

    done: tuple[Change, ...]

    def __str__(self) -> str:
        names = ", ".join(f"{change.kind.value} {change.what}" for change in self.done)
        return f"{len(self.done)} changes applied: {names}" if self.done else "nothing to change"


async def apply_plan(plan: Plan, assets: AssetApi, files: FileApi | None) -> Applied:
    """Write every pending change; an asset that changed since the plan is not overwritten.

    Raises:
        DeployError: A change failed; the message names what was done before it and what was not.
    """
    done: list[Change] = []
    for change in plan.pending:
        try:
            await _apply(change, assets, files)
        except ClientError as exc:
            left = [c.what for c in plan.pending[len(done) :]]
            raise DeployError(
                f"{change.kind.value} {change.what} failed: {exc}. "
                f"Done before it: {len(done)}; not done: {', '.join(left)}. Run deploy again"
            ) from exc
        done.append(change)
    return Applied(done=tuple(done))


async def _apply(change: Change, assets: AssetApi, files: FileApi | None) -> None:
    if change.content is not None and files is not None:
        await files.upload(change.file, change.content)
        return
    match change.kind:
        case ChangeKind.CREATE if change.after is not None:
            await assets.create(change.after)
        case ChangeKind.UPDATE if change.after is not None and change.before is not None:
            await assets.update(change.after, expected=change.before)
        case ChangeKind.DELETE if change.before is not None:
            await assets.delete(change.before)
        case _:
            raise DeployError(f"{change.what}: a change without a content cannot be applied")
