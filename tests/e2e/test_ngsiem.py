"""Deploying to Falcon NG-SIEM through the gateway face: rules become correlation rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.checkup import LookState, look_at_repository
from orchestrator.clock import SystemClock
from orchestrator.config import load_config
from orchestrator.deploy.apply import apply_plan
from orchestrator.deploy.plan import make_plan
from orchestrator.inventory.tables import TABLES
from orchestrator.remote import assets_of, connect
from orchestrator.rules.load import load_rules
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.receivers import serve_on_loopback
from orchestrator.sandbox.settings import sandbox_settings

ROOT = Path(__file__).parents[2]
SETTINGS = """
[repos.falcon]
kind = "ngsiem"
url = "{url}"
repository = "search-all"
client_id = "sandbox"
client_secret = "env:FALCON_SECRET"
customer_id = "0123456789abcdef0123456789abcdef"
"""


async def test_rules_become_correlation_rules_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FALCON_SECRET", "gateway-secret")
    app = create_app(sandbox_settings(token="gateway-secret"), clock=SystemClock())
    rules = load_rules(ROOT / "queries", tables=TABLES).rules
    async with serve_on_loopback(app) as url:
        path = tmp_path / "orchestrator.toml"
        path.write_text(SETTINGS.format(url=url), encoding="utf-8")
        settings = load_config(path).repo("falcon")
        async with connect(settings, name="falcon", clock=SystemClock()) as remote:
            assets, files = assets_of(remote, settings)
            first = await make_plan(rules, assets, files, lookups={}, on_ngsiem=True)
            await apply_plan(first, assets, files)
            second = await make_plan(rules, assets, files, lookups={}, on_ngsiem=True)
            looks = await look_at_repository(settings, name="falcon", clock=SystemClock())
    app.state.sandbox.close()

    assert files is None
    assert [change.what for change in first.pending] == [
        "correlation rule 'Consent to an application in Entra ID'",
        "correlation rule 'Steal application access token, followed by process'",
    ]
    assert second.pending == ()
    assert second.refused == ()
    assert [(look.what, look.state) for look in looks] == [
        ("connection falcon", LookState.OK),
        ("clock falcon", LookState.OK),
        ("repository falcon", LookState.OK),
    ]
    assert "API client accepted" in looks[0].detail
