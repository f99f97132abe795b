"""What is in the sandbox, as one JSON object: for the page and for whoever asks from a shell.

    {"now": "2026-03-10T02:00:00Z", "version": "1.204.0…", "is_durable": false,
     "domains": [{"name": "falcon", "kind": "repository", "description": "", "connections": [],
                  "events": 3, "oldest_event": "…", "newest_event": "…", "retention": null,
                  "assets": [{"kind": "savedQueries", "name": "…", "query": "…", …}],
                  "files": [{"name": "a.csv", "bytes": 8, "modified_at": "…"}],
                  "packages": [{"id": "acme/proxy@1.0.0", "source": "ZipFile", …}]}],
     "jobs": [{"id": "24-…", "query": "*", "state": "done", "owner": "admin", …}],
     "correlation_rules": [{"name": "…", "status": "active", …}], "hosts": 0,
     "faults": {"POST */queryjobs": [{"kind": "unavailable", …}]}}

Instants are ISO 8601 in UTC. An action's settings are left out: they hold secrets.
"""

from __future__ import annotations

from orchestrator.sandbox.faults.kinds import fault_to_json
from orchestrator.sandbox.search.job_history import JobSummary
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import AssetKind, Domain, Record, display_name
from orchestrator.sandbox.storage.states import RunState
from orchestrator.units import format_instant, from_epoch_ms

Json = dict[str, object]


def overview(sandbox: Sandbox) -> Json:
    """Return the object that the module's text shows."""
    return {
        "now": format_instant(sandbox.clock.now()),
        "version": sandbox.settings.version,
        "is_durable": sandbox.settings.data_dir is not None,
        "domains": [_domain(sandbox, domain) for domain in sandbox.domains.values()],
        "jobs": [_job(summary) for summary in sandbox.jobs.recent()],
        "correlation_rules": [_rule(rule) for rule in sandbox.correlation_rules.values()],
        "hosts": len(sandbox.hosts),
        "faults": pending_faults(sandbox),
        "triggers": sandbox.triggers.summary(),
    }


def pending_faults(sandbox: Sandbox) -> Json:
    """Return the faults still to come, in order, by route pattern."""
    pending = sandbox.faults.pending().items()
    return {pattern: [fault_to_json(fault) for fault in queue] for pattern, queue in pending}


def _domain(sandbox: Sandbox, domain: Domain) -> Json:
    snapshots = sandbox.snapshots(domain)
    bounds = [times for snapshot in snapshots if (times := snapshot.bounds_ms()) is not None]
    return {
        "name": domain.name,
        "kind": "view" if domain.is_view else "repository",
        "description": domain.description,
        "connections": [
            {"repository": connection.repository, "filter": connection.filter}
            for connection in domain.connections or ()
        ],
        # A view's filters are not applied here: these are the events that it draws from.
        "events": sum(snapshot.count for snapshot in snapshots),
        "oldest_event": _instant(min((oldest for oldest, _ in bounds), default=None)),
        "newest_event": _instant(max((newest for _, newest in bounds), default=None)),
        # Nothing is ever dropped.
        "retention": None,
        "assets": [
            _asset(kind, record, domain.runs.get(record["id"]))
            for kind in AssetKind
            for record in domain.assets[kind].values()
        ],
        "files": [
            {
                "name": file.path,
                "bytes": len(file.content),
                "modified_at": _instant(file.modified_ms),
                "modified_by": file.modified_by,
            }
            for file in domain.files.values()
        ],
        "packages": [
            {
                "id": package.id,
                "source": package.source,
                "modified_at": _instant(package.updated_ms),
                "modified_by": package.updated_by,
            }
            for package in domain.packages.values()
        ],
    }


def _asset(kind: AssetKind, record: Record, run: RunState | None) -> Json:
    return {
        "kind": kind.value,
        "name": display_name(record),
        "type": record.get("typename"),
        "query": record.get("queryString"),
        "is_enabled": record.get("enabled"),
        "schedule": record.get("schedule"),
        "interval_s": record.get("searchIntervalSeconds"),
        "is_running": run is not None and run.is_active,
        "last_fired": _instant((run.last_triggered_ms or None) if run is not None else None),
        "last_error": run.error if run is not None else "",
        "modified_at": _instant(record["modifiedAt"]),
        "modified_by": record["by"],
    }


def _job(summary: JobSummary) -> Json:
    return {
        "id": summary.id,
        "domain": summary.domain,
        "query": summary.query,
        "owner": summary.owner,
        "is_live": summary.is_live,
        "started_at": format_instant(summary.started_at),
        "state": summary.state.value,
        "duration_ms": summary.duration_ms,
        "rows": summary.rows,
        "problem": summary.problem,
        "polls": summary.polls,
        "gone": None if summary.gone is None else summary.gone.value,
    }


def _rule(rule: Record) -> Json:
    return {
        "name": rule["name"],
        "status": rule["status"],
        "severity": rule["severity"],
        "version": rule["version"],
        "query": rule["search"]["filter"],
        "modified_at": rule["last_updated_on"],
    }


def _instant(ms: int | None) -> str | None:
    return None if ms is None else format_instant(from_epoch_ms(ms))
