"""The rows that a true-to-telemetry T1528 query returns, judged by the sample inventory.

Benign rows are excused by exactly one fact set, malicious rows by none; each row is one case of the
detection rule's own test events.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.inventory.load import load_inventory
from orchestrator.inventory.sources.base import SourceSettings
from orchestrator.model.finding import FindingState
from orchestrator.model.rule import Suppression
from orchestrator.triage.build import build_findings
from orchestrator.triage.ports import FactLookup
from orchestrator.triage.stages import triage
from orchestrator.units import parse_instant, to_epoch_ms
from tests.unit.inventory.making import FILES, sample_inventory
from tests.unit.triage.making import NOW, make_rule, make_run, make_spec

IMDS, KUBERNETES = "IMDS Token Request", "Kubernetes Service Account Token"
CACHE, CONSENT = "OAuth Token Cache Access", "OAuth Application Consent"


def excuse(name: str, when: str) -> Suppression:
    return Suppression(name=name, owner="o@example.com", reason="expected reader", when=when)


SUPPRESSIONS = (
    excuse("cloud-agent", f'vector="{IMDS}" cloud_agent.matches=true'),
    excuse("workload-identity", f'vector="{IMDS}" workload_identity.matches=true'),
    excuse(
        "node-runtime", f'vector="{KUBERNETES}" node_runtime.matches=true k8s_node.matches=true'
    ),
    excuse("workload", f'vector="{KUBERNETES}" k8s_workload.matches=true'),
    excuse(
        "runner",
        f'vector="{CACHE}" native_tool.matches=true runner.matches=true pipeline.matches=true',
    ),
    excuse("developer", f'vector="{CACHE}" native_tool.matches=true developer_host.matches=true'),
    excuse("approved-app", f'vector="{CONSENT}" approved_app.matches=true'),
)

HOST_CASES = ("T1", "T2", "T3")
"""Those of a token on a host; the last kind has an application in the place of one."""

AIDS = {
    "AZ-WEB-07": "a1c07e5b9d3f4e6c8a2b1d0f7e6c5b4a",
    "az-lin-03": "a2d18f6ca0e45f7d9b3c2e1a8f7d6c5b",
    "aks-np1-25417783-vmss000002": "a3e2907db1f5608eac4d3f2b9a8e7d6c",
    "ip-10-20-3-41.eu-west-1.compute.internal": "a4f3a18ec206719fbd5e403cab9f8e7d",
    "gce-batch-12": "a504b29fd31782a0ce6f514dbca09f8e",
    "gh-runner-04": "a615c3a0e42893b1df70625ecdb1a09f",
    "LAP-JDOE": "a726d4b1f539a4c2e081736fdec2b1a0",
    "mchen-mbp": "a837e5c2064ab5d3f192847aefd3c2b1",
    "ARC-SQL-01": "a948f6d3175bc6e402a3958bf0e4d3c2",
    "GCE-WIN-02": "aa59a7e4286cd7f513b4a69c01f5e4d3",
}
AKS, EKS = "aks-np1-25417783-vmss000002", "ip-10-20-3-41.eu-west-1.compute.internal"
POWERSHELL = "\\Device\\HarddiskVolume4\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe"
GUEST_AGENT = (
    "\\Device\\HarddiskVolume4\\WindowsAzure\\GuestAgent_2.7.41491.1183_2026-02-20_081500"
    "\\WindowsAzureGuestAgent.exe"
)
ORDERS = "1a2b3c4d5e6f708192a3b4c59f3b1c7d5e2a4f60b8c9d0e1f2a3b4c5d6e7f809"
COREDNS = "dec0de22d5e2a4f60b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c"
POD = "c0ffee11d5e2a4f60b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c"
WEB = "9f3b1c7d5e2a4f60b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5"
BREW_PYTHON = (
    "/opt/homebrew/Cellar/python@3.12/3.12.9/Frameworks/Python.framework/Versions/3.12/bin"
    "/python3.12"
)


def row(  # a row is its columns
    vector: str,
    host: str,
    user: str,
    image: str,
    *,
    seen: str,
    evidence: str,
    command: str = "",
    container: str = "",
) -> dict[str, str]:
    epoch_ms = str(to_epoch_ms(parse_instant(f"2026-03-10T{seen}Z")))
    columns = {
        "aid": AIDS[host],
        "ComputerName": host,
        "user": user,
        "image": image,
        "tokenSource": "x",
        "vector": vector,
        "riskLabel": "HIGH",
        "eventCount": "1",
        "firstSeen": epoch_ms,
        "lastSeen": epoch_ms,
        "suspicionScore": "3",
        "evidence": evidence,
        "observedCommandLines": command,
        "container": container,
    }
    # A column without any value is absent from an aggregate's row.
    return {name: value for name, value in columns.items() if value}


def consent(application: str, *actors: str) -> dict[str, str]:
    base = row(CONSENT, "LAP-JDOE", "-", "-", seen="17:00:00", evidence="-")
    return {**base, "appName": application, "actor": "\n".join(actors)}


BENIGN: dict[str, tuple[str, dict[str, str]]] = {
    "T1-B1": (
        "cloud-agent",
        row(IMDS, "AZ-WEB-07", "AZ-WEB-07$", GUEST_AGENT, seen="09:15:00", evidence="network"),
    ),
    "T1-B2": (
        "cloud-agent",
        row(
            IMDS,
            "az-lin-03",
            "0",
            "/usr/bin/python3.10",
            seen="09:16:22",
            evidence="network",
            command="python3 -u /usr/sbin/waagent -run-exthandlers",
        ),
    ),
    "T1-B3": (
        "workload-identity",
        row(
            IMDS,
            EKS,
            "1000",
            "/usr/lib/jvm/java-21/bin/java",
            seen="10:05:00",
            evidence="network",
            command="java -jar /app/orders.jar",
            container=ORDERS,
        ),
    ),
    "T1-B4": (
        "cloud-agent",
        row(
            IMDS,
            "LAP-JDOE",
            "unresolved",
            "SenseImdsCollector.exe",
            seen="11:20:09",
            evidence="dns",
        ),
    ),
    "T1-B5": (
        "cloud-agent",
        row(
            IMDS,
            "GCE-WIN-02",
            "unresolved",
            "google_osconfig_agent.exe",
            seen="12:40:00",
            evidence="network",
        ),
    ),
    "T1-B7": (
        "cloud-agent",
        row(
            IMDS,
            "gce-batch-12",
            "chrony",
            "/usr/sbin/chronyd",
            seen="12:42:00",
            evidence="dns",
            command="/usr/sbin/chronyd -F 1",
        ),
    ),
    "T2-B1": (
        "node-runtime",
        row(
            KUBERNETES,
            AKS,
            "root",
            "/usr/local/bin/kubelet",
            seen="14:12:00",
            evidence="file",
            command="/usr/local/bin/kubelet --config=/etc/kubernetes/kubelet.conf",
        ),
    ),
    "T2-B2": (
        "workload",
        row(
            KUBERNETES,
            AKS,
            "65532",
            "/coredns",
            seen="14:13:05",
            evidence="file",
            container=COREDNS,
        ),
    ),
    "T3-B1": (
        "runner",
        row(
            CACHE,
            "gh-runner-04",
            "ghrunner",
            "/opt/az/bin/python3.12",
            seen="02:15:47",
            evidence="file",
            command="/opt/az/bin/python3 -Im azure.cli login --service-principal -u 1 -p x",
        ),
    ),
    "T3-B2": (
        "developer",
        row(
            CACHE,
            "mchen-mbp",
            "mchen",
            BREW_PYTHON,
            seen="09:40:00",
            evidence="file",
            command=(
                "python3.12 /opt/homebrew/share/google-cloud-sdk/lib/gcloud.py"
                " auth print-access-token"
            ),
        ),
    ),
    "T3-B3": (
        "developer",
        row(
            CACHE,
            "mchen-mbp",
            "mchen",
            "/opt/homebrew/bin/terraform",
            seen="09:52:00",
            evidence="file",
            command="terraform plan",
        ),
    ),
    "T4-B1": ("approved-app", consent("Meeting Rooms Connector", "ga-ops@contoso.example")),
    "T4-B2": (
        "approved-app",
        consent(
            "Meeting Rooms Connector", "ga-ops@contoso.example", "Microsoft Entra provisioning"
        ),
    ),
}

MALICIOUS: dict[str, dict[str, str]] = {
    "T1-M1": row(
        IMDS, "AZ-WEB-07", "svc-web", POWERSHELL, seen="09:14:03", evidence="network\ncommandline"
    ),
    "T1-M2": row(
        IMDS, EKS, "www-data", "/usr/bin/curl", seen="10:02:18", evidence="http", container=WEB
    ),
    "T1-M3": row(
        IMDS, EKS, "www-data", "/usr/bin/curl", seen="10:02:40", evidence="network", container=WEB
    ),
    "T1-M4": row(
        IMDS, "gce-batch-12", "www-data", "/usr/bin/python3.11", seen="12:31:00", evidence="dns"
    ),
    "T1-M5": row(
        IMDS, "ARC-SQL-01", "MSSQLSERVER", POWERSHELL, seen="13:05:11", evidence="network"
    ),
    "T2-M1": row(
        KUBERNETES,
        AKS,
        "root",
        "/bin/busybox",
        seen="14:10:33",
        evidence="file\ncommandline",
        container=POD,
    ),
    "T2-M2": row(KUBERNETES, EKS, "0", "unresolved", seen="14:20:00", evidence="commandline"),
    "T3-M1": row(CACHE, "LAP-JDOE", "jdoe", POWERSHELL, seen="15:02:10", evidence="script\nfile"),
    "T3-M2": row(
        CACHE,
        "gh-runner-04",
        "ghrunner",
        "/usr/bin/tar",
        seen="16:40:01",
        evidence="file",
        command="tar czf /dev/shm/.c.tgz /home/ghrunner/.azure",
    ),
    "T3-M3": row(
        CACHE,
        "mchen-mbp",
        "mchen",
        "/opt/homebrew/bin/node",
        seen="17:22:00",
        evidence="file",
        command="node setup_bun.js",
    ),
    "T4-M1": consent("Meeting Rooms Connect0r", "jdoe@contoso.example"),
    "T4-M2": consent("Meeting Rooms Connector", "ga-ops@contoso.example", "jdoe@contoso.example"),
}


def judge(columns: dict[str, str], *, facts: FactLookup | None = None) -> tuple[FindingState, str]:
    rule = make_rule(
        enrich=tuple(FILES),
        suppress=SUPPRESSIONS,
        finding=make_spec(key=("ComputerName", "user", "image", "vector")),
    )
    run = make_run()
    (judged,) = triage(
        build_findings(rule, [columns], run=run),
        rule=rule,
        facts=facts or sample_inventory(),
        previous={},
        now=NOW,
        run=run,
    )
    return judged.finding.state, judged.finding.suppressed_by


@pytest.mark.parametrize("case", BENIGN)
def test_benign_case_is_suppressed_by_its_fact(case: str) -> None:
    name, columns = BENIGN[case]

    assert judge(columns) == (FindingState.SUPPRESSED, name)


@pytest.mark.parametrize("case", MALICIOUS)
def test_malicious_case_reaches_a_person(case: str) -> None:
    assert judge(MALICIOUS[case]) == (FindingState.OPEN, "")


@pytest.mark.parametrize("case", [name for name in MALICIOUS if name.startswith(HOST_CASES)])
def test_runner_table_that_covers_production_excuses_nothing_by_itself(
    case: str, tmp_path: Path
) -> None:
    """Fault D7. Whoever fills it wrongly is stopped by the second fact: no job ran there then."""
    columns = MALICIOUS[case]
    everywhere = tmp_path / "runner.csv"
    accounts = columns["user"].split("\n")
    lines = [
        f"{columns['ComputerName']},{account},all,o@example.com,2026-01-01T00:00:00Z,"
        for account in accounts
        if account
    ]
    head = "# as_of: 2026-03-10T00:00:00Z\nhost,account,pool,owner,valid_from,valid_until"
    everywhere.write_text("\n".join([head, *dict.fromkeys(lines), ""]), encoding="utf-8")
    files = {**FILES, "runner": everywhere}
    facts = load_inventory(
        {name: SourceSettings(path=path) for name, path in files.items()},
        now=parse_instant("2026-03-10T18:00:00Z"),
    )

    assert facts.problems == ()
    assert judge(columns, facts=facts) == (FindingState.OPEN, "")


@pytest.mark.parametrize("case", BENIGN)
@pytest.mark.parametrize("change", ["other host", "other image", "other time"])
def test_benign_case_with_a_part_changed_is_not_excused(case: str, change: str) -> None:
    """Facts without a host, image or end of their own are left out of the change."""
    _, columns = BENIGN[case]
    changed = dict(columns)
    match change:
        case "other host":
            changed |= {"ComputerName": "elsewhere-1", "aid": "f" * 32}
            unbound = {"T1-B1", "T1-B3", "T1-B7", "T2-B2", "T4-B1", "T4-B2"}
        case "other image":
            changed["image"] = "/tmp/evil"
            unbound = {"T4-B1", "T4-B2"}
        case _:
            before = str(to_epoch_ms(parse_instant("2025-06-01T00:00:00Z")))
            changed |= {"firstSeen": before, "lastSeen": before}
            unbound = set()

    expected = FindingState.SUPPRESSED if case in unbound else FindingState.OPEN
    assert judge(changed)[0] is expected
