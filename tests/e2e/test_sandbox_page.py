"""The sandbox's page in a real Chromium: what a person sees, and what hostile text cannot do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from orchestrator.clock import SystemClock
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.receivers import serve_on_loopback
from orchestrator.sandbox.settings import Right, SandboxSettings, TokenRole
from orchestrator.units import to_epoch_ms
from tests.e2e.browser import Browser, Page, chromium_path, open_browser

pytestmark = [
    pytest.mark.skipif(chromium_path() is None, reason="Chromium is not installed"),
    pytest.mark.asyncio(loop_scope="module"),
]

TOKEN = "page-token"
HOSTILE = '<img src=x onerror="window.owned=1"><script>window.owned=1</script>\u202e&lt;"\'{{7*7}}'
TOKENS = {
    TOKEN: TokenRole(name="admin"),
    "reader": TokenRole(name="reader", rights=frozenset({Right.READ})),
}
RAN = "document.querySelector('#stop').disabled && !document.querySelector('#results').hidden"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with open_browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url() -> AsyncIterator[str]:
    """Yield the address of a sandbox with 250 events, one of them hostile throughout."""
    app = create_app(SandboxSettings(tokens=TOKENS), clock=SystemClock())
    now_ms = to_epoch_ms(SystemClock().now())
    events = [
        {
            "timestamp": now_ms - n * 10_000,
            "attributes": {"host": f"h{n % 3}", "n": str(n), "long": "x" * 500},
        }
        for n in range(1, 250)
    ]
    events.append({"timestamp": now_ms - 1, "attributes": {"host": HOSTILE, HOSTILE: "name"}})
    async with serve_on_loopback(app) as base:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=base, headers=headers, trust_env=False) as http:
            await http.post("/api/v1/repositories/falcon/ingest", json=[{"events": events}])
            sandbox = app.state.sandbox
            sandbox.put_file(sandbox.domain("falcon"), f"{HOSTILE}.csv", b"a\n1\n", by="test")
            await http.post("/graphql", json=_saved_query())
        yield base
    app.state.sandbox.close()


def _saved_query() -> dict[str, Any]:
    document = """mutation ($name: String!, $query: String!) {
      createSavedQuery(input: {viewName: "falcon", name: $name, queryString: $query}) {
        savedQuery { id } } }"""
    query = f"host={json.dumps(HOSTILE)}"
    return {"query": document, "variables": {"name": HOSTILE, "query": query}}


async def connect(browser: Browser, url: str, *, token: str = TOKEN, **look: Any) -> Page:
    page = await browser.page(**look)
    await page.go(url)
    await page.fill("#token", token)
    await page.press("Enter", 13)
    await page.until("!document.querySelector('#search').hidden")
    return page


async def search(page: Page, query: str) -> None:
    await page.fill("#query", query)
    await page.press("Enter", 13, modifiers=2)
    await page.until(RAN)


async def texts(page: Page, selector: str) -> list[str]:
    found: list[str] = await page.run(
        f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.textContent)"
    )
    return found


async def test_query_is_run_by_keyboard_and_read_as_table_and_chart(
    browser: Browser, url: str
) -> None:
    page = await connect(browser, url)

    await search(page, "n=* | timeChart(host, span=1h)")
    columns = await texts(page, "table.data thead .name")
    lines = await page.run("document.querySelectorAll('#chart path.line').length")
    legend = await texts(page, "#chart .key")
    counts = await texts(page, "table.data td.number")

    assert columns == ["_bucket", "host", "_count"]
    assert (lines, sorted(legend)) == (3, ["h0", "h1", "h2"])
    assert sum(int(count) for count in counts) == 249
    assert page.complaints == []
    assert {urlsplit(seen).netloc for seen in page.requests} == {urlsplit(url).netloc}
    assert not any(TOKEN in seen for seen in page.requests)


async def test_events_come_with_a_histogram_a_note_and_rows_that_open(
    browser: Browser, url: str
) -> None:
    page = await connect(browser, url)

    await search(page, "n=*")
    bars = await page.run(
        "[...document.querySelectorAll('#chart rect.column')]"
        ".reduce((sum, bar) => sum + Number(bar.dataset.value), 0)"
    )
    await page.run("document.querySelector('td.opener button').click()")
    opened = await page.run(
        "Object.fromEntries([...document.querySelectorAll('.detail dt')]"
        ".map(dt => [dt.textContent, dt.nextElementSibling.textContent]))"
    )

    assert bars == 249
    assert await texts(page, "#count") == ["200 events"]
    assert "more of them matched" in (await texts(page, "#notices"))[0]
    assert (opened["n"], opened["host"], opened["long"]) == ("1", "h1", "x" * 500)


async def test_heading_sorts_on_the_server_and_pages_turn(browser: Browser, url: str) -> None:
    page = await connect(browser, url)
    await search(page, "n=* | groupBy(n)")

    await page.run("document.querySelector('th button[title=\"Sort by n\"]').click()")
    await page.until("document.querySelector('th[aria-sort=ascending]')")
    first = await texts(page, "table.data tbody tr:first-child td.number")
    await page.run("document.querySelector('#next').click()")
    await page.until("document.querySelector('#page-label').textContent === '201–249'")

    assert first == ["1", "1"]
    assert (await texts(page, "table.data tbody tr:first-child td.number"))[0] == "201"
    assert await page.run("document.querySelector('#next').disabled") is True


async def test_hostile_text_stays_text(browser: Browser, url: str) -> None:
    page = await connect(browser, url)

    await search(page, "groupBy(host)")
    in_cells = await texts(page, "table.data td")
    await search(page, "timeChart(host)")
    in_legend = await texts(page, "#chart .key")
    await search(page, "n!=*")
    in_headings = await texts(page, "table.data thead .name")
    await page.run("document.querySelector('td.opener button').click()")
    in_detail = await texts(page, ".detail dt, .detail dd")
    await page.run("location.hash = '#/contents'")
    await page.until("document.querySelector('#contents table')")
    in_contents = await texts(page, "#contents td")

    assert HOSTILE in in_cells
    assert HOSTILE in in_legend
    assert HOSTILE in in_headings
    assert in_detail.count(HOSTILE) == 2
    assert {HOSTILE, f"{HOSTILE}.csv", f"host={json.dumps(HOSTILE)}"} <= set(in_contents)
    assert await page.run("window.owned === undefined") is True
    assert await page.run("document.querySelectorAll('img, main script').length") == 0
    assert page.complaints == []


async def test_refused_query_is_shown_with_the_servers_caret(browser: Browser, url: str) -> None:
    page = await connect(browser, url)

    await page.fill("#query", "groupBy(host")
    await page.press("Enter", 13, modifiers=2)
    await page.until("document.querySelector('.notice.error pre')")

    assert await texts(page, ".notice.error pre") == ["groupBy(host\n       ^"]
    assert await page.run("document.querySelector('#results').hidden") is True


async def test_wrong_token_is_asked_for_again_and_not_kept(browser: Browser, url: str) -> None:
    page = await browser.page()
    await page.go(url)

    await page.fill("#token", "wrong")
    await page.press("Enter", 13)
    await page.until("!document.querySelector('#sign-in-problem').hidden")

    assert await texts(page, "#sign-in-problem") == ["The supplied authentication is invalid."]
    assert await page.run("sessionStorage.length + localStorage.length") == 0


async def test_token_that_may_only_search_still_searches(browser: Browser, url: str) -> None:
    page = await connect(browser, url, token="reader")

    await search(page, "n=7 | table(n)")

    assert await texts(page, "table.data td.number") == ["7"]


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
async def test_page_fits_its_window_and_every_control_has_a_name(
    browser: Browser, url: str, width: int, dark: bool, tmp_path: Path
) -> None:
    page = await connect(browser, url, width=width, height=800, dark=dark)
    await search(page, "*")

    unnamed = await page.run(
        "[...document.querySelectorAll('button, input, select, textarea')].filter(e =>"
        " !e.labels?.length && !e.textContent.trim() && !e.getAttribute('aria-label')"
        ").map(e => e.outerHTML)"
    )
    await page.screenshot(tmp_path / "page.png")

    assert await page.run("document.documentElement.scrollWidth <= innerWidth") is True
    assert unnamed == []
    assert (tmp_path / "page.png").stat().st_size > 10_000
