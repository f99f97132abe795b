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
from orchestrator.units import parse_instant, to_epoch_ms
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
    settings = SandboxSettings(tokens=TOKENS, repositories=("falcon", "live"))
    app = create_app(settings, clock=SystemClock())
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


async def test_problem_is_marked_at_its_place_and_mended_by_one_press(
    browser: Browser, url: str
) -> None:
    page = await connect(browser, url)

    await page.fill("#query", "host=*\n| sotr(host)")
    await page.until("document.querySelector('#marks mark')")
    marked = await page.run(
        "[...document.querySelectorAll('#marks mark')].map(m => [m.className, m.textContent])"
    )
    told = await texts(page, "#problems p")
    await page.run("document.querySelector('#problems .place').click()")
    selected = await page.run(
        "(q => q.value.slice(q.selectionStart, q.selectionEnd))(document.querySelector('#query'))"
    )
    await page.run("document.querySelector('#problems button.quiet').click()")
    await page.until("!document.querySelector('#marks mark')")

    assert marked == [["warning", "sotr"]]
    assert told[0].startswith("Warning 2:3 There is no function `sotr`")
    assert selected == "sotr"
    assert await page.run("document.querySelector('#query').value") == "host=*\n| sort(host)"


async def test_marks_lie_exactly_behind_the_text(browser: Browser, url: str) -> None:
    page = await connect(browser, url, width=420, height=800)
    long = "host=* or " * 20

    await page.fill("#query", f"{long}\n| sotr(host)")
    await page.until("document.querySelector('#marks mark')")
    same = await page.run(
        "['font', 'paddingLeft', 'paddingTop', 'borderLeftWidth', 'tabSize', 'whiteSpace']"
        ".filter(n => getComputedStyle(document.querySelector('#marks'))[n]"
        " !== getComputedStyle(document.querySelector('#query'))[n])"
    )
    sizes = await page.run(
        "['#marks', '#query'].map(s => (e => [e.clientWidth, e.scrollTop])"
        "(document.querySelector(s)))"
    )

    assert same == []
    assert sizes[0] == sizes[1]


async def test_refusal_of_a_mistake_is_announced_to_the_field(browser: Browser, url: str) -> None:
    page = await connect(browser, url)

    await page.fill("#query", "groupBy(host")
    await page.until("document.querySelector('#query').getAttribute('aria-invalid') === 'true'")

    assert (await texts(page, "#problems p"))[0].startswith("Error 1:8 This `(` is never closed.")


async def test_dragging_over_the_chart_looks_closer_and_back(browser: Browser, url: str) -> None:
    page = await connect(browser, url)
    await search(page, "n=* | timeChart(span=1h)")
    left, top, width = await page.run(
        "(r => [r.left, r.top, r.width])"
        "(document.querySelector('#chart .canvas').getBoundingClientRect())"
    )

    for kind, share in (("mousePressed", 0.5), ("mouseMoved", 0.75), ("mouseReleased", 0.75)):
        await page.call(
            "Input.dispatchMouseEvent",
            type=kind,
            x=left + width * share,
            y=top + 60,
            button="left",
            buttons=0 if kind == "mouseReleased" else 1,
            clickCount=1,
        )
    await page.until("document.querySelector('#chart .back')")
    start, end = [await page.run(f"document.querySelector('#{n}').value") for n in ("start", "end")]
    await page.run("document.querySelector('#chart .back').click()")
    await page.until(f"{RAN} && !document.querySelector('#chart .back')")

    first, last = parse_instant(f"{start}Z"), parse_instant(f"{end}Z")
    assert (first.minute, last.minute) == (0, 0)
    assert 6 <= (last - first).total_seconds() / 3600 <= 7
    assert await page.run("document.querySelector('#start').value") == "24h"


async def test_chart_is_used_by_keyboard(browser: Browser, url: str) -> None:
    page = await connect(browser, url)
    await search(page, "n=* | timeChart(span=1h)")

    await page.run("document.querySelector('#chart .canvas').focus()")
    await page.press("End", 35)
    newest = await page.run("document.querySelector('#chart .readout').textContent")
    await page.press("ArrowLeft", 37, modifiers=8)
    both = await page.run("document.querySelector('#chart .readout').textContent")
    await page.press("Enter", 13)
    await page.until("document.querySelector('#chart .back')")
    start, end = [await page.run(f"document.querySelector('#{n}').value") for n in ("start", "end")]

    assert newest.split("  ")[1].isdecimal()
    assert both == f"{start}:00 to {end}:00"
    assert (parse_instant(f"{end}Z") - parse_instant(f"{start}Z")).total_seconds() == 7_200


async def test_chart_shows_the_whole_window_with_its_empty_buckets(
    browser: Browser, url: str
) -> None:
    page = await connect(browser, url)

    await search(page, "n=* | timeChart(host, span=1h)")
    points = await page.run(
        "document.querySelector('#chart path.line').getAttribute('d').match(/[ML]/g).length"
    )

    # A day of hours, and the one that its beginning cuts.
    assert points == 25


async def test_next_search_dims_the_last_answer_in_place(browser: Browser, url: str) -> None:
    page = await connect(browser, url)
    await search(page, "*")

    await page.run(
        "window.seen = []; new MutationObserver(() => window.seen.push("
        "[document.querySelector('#output').getAttribute('aria-busy'),"
        " document.querySelector('#results').hidden]))"
        ".observe(document.querySelector('main'), {attributes: true, subtree: true})"
    )
    await search(page, "host=*")
    await page.until("window.seen.some(([busy]) => busy === 'false')")
    seen = await page.run("window.seen")

    assert ["true", False] in seen
    assert not any(hidden for _, hidden in seen)


async def test_keys_reach_the_query_and_stop_a_search(browser: Browser, url: str) -> None:
    page = await connect(browser, url)
    await page.run("document.activeElement.blur()")

    await page.press("/", 191)
    await page.until("document.activeElement.id === 'query'")
    await page.run(
        "fetch('/_sandbox/faults', {method: 'POST', headers: {Authorization:"
        f" 'Bearer {TOKEN}'}}, body: JSON.stringify({{pattern: 'GET */queryjobs/*',"
        " faults: [{kind: 'slow', count: 50}]})})"
    )
    await page.fill("#query", "*")
    await page.press("Enter", 13, modifiers=2)
    await page.until("!document.querySelector('#stop').disabled")
    await page.press("Escape", 27)
    await page.until("document.querySelector('#status').textContent === 'Stopped'")
    await page.run(
        "fetch('/_sandbox/faults', {method: 'DELETE', headers: {Authorization:"
        f" 'Bearer {TOKEN}'}}}})"
    )

    assert await page.run("document.querySelector('#results').hidden") is True
    assert await page.run("document.querySelector('#query').value") == "*"


async def test_starters_run_before_anything_was_searched(browser: Browser, url: str) -> None:
    page = await connect(browser, url)

    for number, label in enumerate(await texts(page, ".starter span")):
        await page.run(f"document.querySelectorAll('.starter')[{number}].click()")
        await page.until("document.querySelector('#stop').disabled")
        await page.until("!document.querySelector('#results').hidden")
        assert await texts(page, "#notices .notice.error") == [], label
    assert await page.run("document.querySelector('#welcome').hidden") is True


async def test_live_search_moves_as_events_come_in_until_it_is_stopped(
    browser: Browser, url: str
) -> None:
    page = await connect(browser, url)
    await page.run("document.querySelector('#repository').value = 'live'")
    await page.run("document.querySelector('#live').click()")
    await page.fill("#query", "moving=* | count()")
    await page.press("Enter", 13, modifiers=2)
    await page.until("document.querySelector('#status').textContent.startsWith('Live')")
    before = await texts(page, "table.data td.number")

    await page.run(
        "fetch('/api/v1/repositories/live/ingest', {method: 'POST', headers: {Authorization:"
        f" 'Bearer {TOKEN}'}}, body: JSON.stringify([{{events: [{{timestamp: Date.now() - 5,"
        " attributes: {moving: 1}}]}])})"
    )
    await page.until("document.querySelector('table.data td.number').textContent === '1'")
    await page.press("Escape", 27)
    await page.until("document.querySelector('#status').textContent.startsWith('Stopped')")

    assert before == ["0"]
    assert await texts(page, "table.data td.number") == ["1"]
    assert await page.run("document.querySelector('#stop').disabled") is True
    assert page.complaints == []


async def test_live_search_of_the_past_says_what_to_do(browser: Browser, url: str) -> None:
    page = await connect(browser, url)
    await page.run("document.querySelector('#live').click()")
    await page.fill("#start", "2026-03-10 02:00")
    await page.fill("#query", "*")
    await page.press("Enter", 13, modifiers=2)
    await page.until("document.querySelector('#notices .notice.error')")

    assert await texts(page, "#notices .notice.error strong") == [
        "a live query takes relative times such as 24h, since its window moves"
    ]


async def test_columns_stay_where_they_are_as_pages_turn(browser: Browser, url: str) -> None:
    page = await connect(browser, url)
    await search(page, "n=* | sort(n, limit=300)")
    first = await texts(page, "table.data thead .name")
    await page.run("document.querySelector('#next').click()")
    await page.until("document.querySelector('#page-label').textContent.startsWith('201')")

    assert first[0] == "@timestamp"
    assert "@rawstring" in first[:-4]
    assert {"@id", "@ingesttimestamp"} <= set(first[-4:])
    assert await texts(page, "table.data thead .name") == first


async def test_search_is_still_there_when_the_page_is_loaded_again(
    browser: Browser, url: str
) -> None:
    page = await connect(browser, url)
    await page.run("document.querySelector('#repository').value = 'live'")
    await page.fill("#start", "7d")
    await search(page, "*")

    await page.go(url)
    await page.until("document.querySelector('#repository').value === 'live'")
    kept = [await page.run(f"document.querySelector('#{n}').value") for n in ("query", "start")]
    await page.run("document.querySelector('#forget').click()")

    assert kept == ["*", "7d"]
    assert await page.run("document.querySelector('#results').hidden") is True
    assert await page.run("sessionStorage.length") == 0


async def test_contents_keep_scroll_and_focus_where_nothing_changed(
    browser: Browser, url: str
) -> None:
    page = await connect(browser, url)
    await search(page, "*")
    await page.run("location.hash = '#/contents'")
    await page.until("document.querySelector('#contents [data-title=\"Lookup files\"]')")

    await page.run("window.card = document.querySelector('[data-title=\"Lookup files\"]')")
    await page.run("window.jobs = document.querySelector('[data-title=\"Query jobs\"]')")
    await page.run("window.card.querySelector('.scroll').focus()")
    await page.run(
        "fetch('/api/v1/repositories/falcon/queryjobs', {method: 'POST', headers: {Authorization:"
        f" 'Bearer {TOKEN}'}}, body: JSON.stringify({{queryString: 'count()'}})}})"
    )
    await page.run("dispatchEvent(new HashChangeEvent('hashchange'))")
    await page.until("document.querySelector('[data-title=\"Query jobs\"]') !== window.jobs")

    assert await page.run("window.card.isConnected") is True
    assert await page.run("document.activeElement === window.card.querySelector('.scroll')") is True


async def test_right_to_left_and_endless_values_stay_in_their_cells(
    browser: Browser, url: str
) -> None:
    page = await connect(browser, url)
    await search(page, 'groupBy(host) | long := format("%010000d", field=_count)')

    widths = await page.run(
        "[...document.querySelectorAll('table.data tbody td:not(.filler)')]"
        ".map(td => td.getBoundingClientRect().width)"
    )
    isolated = await page.run(
        "[...document.querySelectorAll('table.data tbody td')]"
        ".every(td => getComputedStyle(td).unicodeBidi === 'isolate')"
    )

    codes = await page.run(
        "[...document.querySelectorAll('table.data .unseen')].map(e => e.dataset.code)"
    )
    turned = await page.run(
        "(cell => { const all = document.createRange(); const text = [...cell.childNodes].at(-1);"
        " all.setStart(text, 0); all.setEnd(text, 1); const first = all.getBoundingClientRect();"
        " all.setStart(text, 1); all.setEnd(text, 2);"
        " return all.getBoundingClientRect().left < first.left; })"
        "([...document.querySelectorAll('table.data td')].find(td => td.querySelector('.unseen')))"
    )

    assert 300 < max(widths) < 420
    assert codes == ["U+202E"]
    assert turned is False
    assert isolated is True
    assert await page.run("document.documentElement.scrollWidth <= innerWidth") is True


@pytest.mark.parametrize("dark", [False, True])
async def test_text_stands_out_from_its_ground(browser: Browser, url: str, dark: bool) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1 for text of this size."""
    page = await connect(browser, url, dark=dark)

    ratios = await page.run(
        """(() => {
          const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
          const style = getComputedStyle(document.documentElement);
          const light = name => {
            const hex = style.getPropertyValue(name).trim().slice(1);
            const [r, g, b] = [0, 2, 4].map(i => channel(parseInt(hex.slice(i, i + 2), 16)));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const pairs = [];
          for (const ground of ['--ground', '--card', '--raised'])
            for (const text of ['--text', '--muted', '--accent', '--good', '--bad'])
              pairs.push([text, ground]);
          pairs.push(['--bad', '--bad-ground'], ['--warn', '--warn-ground'],
            ['--text', '--bad-ground'], ['--text', '--warn-ground'], ['--on-accent', '--accent']);
          return pairs.map(([text, ground]) => {
            const [a, b] = [light(text), light(ground)].sort((x, y) => y - x);
            return [text, ground, (a + 0.05) / (b + 0.05)];
          });
        })()"""
    )

    assert [pair for pair in ratios if pair[2] < 4.5] == []


async def test_focus_is_seen_on_every_control(browser: Browser, url: str) -> None:
    page = await connect(browser, url)
    await search(page, "*")
    await page.run("document.querySelector('#views a').focus()")
    seen = set()

    for _ in range(22):
        await page.press("Tab", 9)
        seen.add(
            await page.run(
                "(e => e === document.body ? 'body solid 2px' : [e.id || e.className || e.tagName,"
                " getComputedStyle(e).outlineStyle, getComputedStyle(e).outlineWidth].join(' '))"
                "(document.activeElement)"
            )
        )

    assert len(seen) > 8
    assert [control for control in seen if not control.endswith("solid 2px")] == []


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
