"""A package to try things with: every kind of asset that packages have, as files by path."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

NAME = "acme/edge-proxy"
MANIFEST = """\
$schema: https://schemas.humio.com/manifest/v2.0.0
name: acme/edge-proxy
version: 1.2.0
type: application
description: What the edge proxies say.
author:
  name: Acme
  email: proxies@example.com
minHumioVersion: 1.100.0
licenseUrl: https://www.apache.org/licenses/LICENSE-2.0
"""
QUERY = """\
$schema: https://schemas.humio.com/query/v0.3.0
name: Denied
queryString: verdict=denied
timeInterval: {isLive: false, start: 7d, end: now}
visualization: {type: table-view, options: {}}
"""
ACTION = """\
$schema: https://schemas.humio.com/action/v0.5.0
name: Keep owners
type: upload-file
fileName: kept.csv
"""
ALERT = """\
$schema: https://schemas.humio.com/alert/v0.3.0
name: Many denials
description: More than usual.
enabled: true
queryString: $"acme/edge-proxy:Denied"() | groupBy(host)
timeInterval: 1h
throttleTime: 1h
actionNameReferences: []
"""
FILTER_ALERT = """\
$schema: https://schemas.humio.com/filteralert/v0.1.0
name: Denied at night
enabled: true
triggerLimit: 1
queryString: verdict=denied
actionNameReferences: [Keep owners]
"""
SCHEDULED = """\
$schema: https://schemas.humio.com/scheduledsearch/v0.1.0
name: Owners
description: ''
enabled: true
queryString: groupBy(owner)
queryStart: 24h
queryEnd: now
schedule: H 2 * * *
timeZone: UTC+00:00
backfillLimit: 0
actionNameReferences: [Keep owners]
"""
PARSER = """\
$schema: https://schemas.humio.com/parser/v0.2.0
name: edge-proxy
script: kvParse()
tagFields: [verdict]
fieldsToBeRemovedBeforeParsing: []
tests: ["verdict=denied host=a"]
"""
DASHBOARD = """\
$schema: https://schemas.humio.com/dashboard/v0.20.0
name: Overview
sections: {}
widgets: {}
"""
INTERACTION = """\
$schema: https://schemas.humio.com/viewinteraction/v0.3.0
interaction: {name: Search the host, type: searchlink}
"""
OWNERS = b"host,owner\na,web\n"


def files(changes: Mapping[str, str | bytes | None] | None = None) -> dict[str, bytes]:
    """Return the package's files; `changes` puts others in their place, or takes them out."""
    found: dict[str, str | bytes | None] = {
        "manifest.yaml": MANIFEST,
        "README.md": "# Edge proxies\n",
        "queries/denied.yaml": QUERY,
        "actions/owners.yaml": ACTION,
        "alerts/denials.yaml": ALERT,
        "filter-alerts/night.yaml": FILTER_ALERT,
        "scheduled-searches/owners.yaml": SCHEDULED,
        "parsers/edge-proxy.yaml": PARSER,
        "data/owners.csv": OWNERS,
        "dashboards/overview.yaml": DASHBOARD,
        "view-interactions/host.yaml": INTERACTION,
        **(changes or {}),
    }
    return {
        path: content.encode() if isinstance(content, str) else content
        for path, content in found.items()
        if content is not None
    }


def zipped(content: Mapping[str, bytes], *, below: str = "") -> bytes:
    """Return the files as a zip, below a folder of its own where one is given."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, held in content.items():
            archive.writestr(zipfile.ZipInfo(f"{below}{path}"), held)
    return buffer.getvalue()


def package(changes: Mapping[str, str | bytes | None] | None = None) -> bytes:
    """Return the package as a zip."""
    return zipped(files(changes))


def version(number: str, changes: Mapping[str, str | bytes | None] | None = None) -> bytes:
    """Return the package in another version."""
    manifest = MANIFEST.replace("version: 1.2.0", f"version: {number}")
    return package({"manifest.yaml": manifest, **(changes or {})})
