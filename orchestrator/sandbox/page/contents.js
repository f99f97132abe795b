// What the sandbox holds, as tables: the overview route's answer, drawn again when it changes.

import { countText, instantText, make, notice, nothing, plural } from "./dom.js";

const KINDS = {
  savedQueries: "saved query",
  scheduledSearches: "scheduled search",
  filterAlerts: "filter alert",
  aggregateAlerts: "aggregate alert",
  alerts: "legacy alert",
  actions: "action",
};

/** Fill `section` from an overview; `onQuery(text, domain)` opens a query in the search box. */
export function showContents(section, found, onQuery) {
  const assets = found.domains.flatMap((domain) =>
    domain.assets.map((asset) => ({ ...asset, domain: domain.name })));
  const files = found.domains.flatMap((domain) => domain.files.map((file) => ({ ...file, domain: domain.name })));
  const packages = found.domains.flatMap((domain) =>
    domain.packages.map((installed) => ({ ...installed, domain: domain.name })));
  const faults = Object.entries(found.faults).flatMap(([pattern, queue]) =>
    queue.map((fault) => ({ ...fault, pattern })));
  const rules = found.correlation_rules;
  const blocks = [
    ["Repositories and views", durability(found), found.domains, domainTable],
    ["Deployed assets", running(found.triggers), assets, assetTable],
    ["Query jobs", "the newest first", found.jobs, jobTable],
    ["Correlation rules", `${countText(found.hosts)} hosts in the Falcon face`, rules, ruleTable],
    ["Lookup files", "", files, fileTable],
    ["Packages", "", packages, packageTable],
  ];
  // Faults explain what is odd elsewhere; without any they can stand at the end.
  const ahead = faults.length > 0 ? 1 : blocks.length;
  blocks.splice(ahead, 0, ["Faults still to come", "", faults, faultTable]);
  // Only what has changed is drawn again: scroll, selection and focus stay in the rest.
  const old = new Map([...section.children].map((card) => [card.dataset.title, card]));
  const cards = blocks.map(([title, aside, rows, tableOf]) => {
    const state = JSON.stringify([aside, rows]);
    const before = old.get(title);
    if (before?.state === state) return before;
    const card = block(title, aside, tableOf(rows, onQuery));
    card.dataset.title = title;
    card.state = state;
    return card;
  });
  // What is shown and what is drawn anew stand in the same order; an unchanged card is not moved.
  cards.forEach((card, index) => {
    const there = section.children[index];
    if (there === card) return;
    const scrolled = there?.querySelector(".scroll")?.scrollTop ?? 0;
    if (there) there.replaceWith(card);
    else section.append(card);
    const body = card.querySelector(".scroll");
    if (body) body.scrollTop = scrolled;
  });
}

/** Fill `section` for a token that may not see the overview. */
export function showForbidden(section) {
  section.replaceChildren(notice("note", "This token may search, but not see what the sandbox holds.",
    make("p", {}, "The overview needs a token with the right to administer it.")));
}

function durability(found) {
  return found.is_durable ? "kept on disk; nothing is ever dropped" : "kept in memory until the sandbox stops; nothing is dropped before";
}

function block(title, aside, content) {
  return make("section", { class: "card" },
    make("h2", {}, title, " ", make("span", { class: "muted aside" }, aside)), content);
}

function running(triggers) {
  const parts = [triggers.running > 0 ? `${countText(triggers.running)} running` : "",
    triggers.pending > 0 ? `${plural(triggers.pending, "message")} still to be sent` : "", triggers.problem];
  return parts.filter(Boolean).join(", ");
}

function domainTable(domains) {
  return table(["Name", "Kind", "#Events", "Oldest event", "Newest event", "Retention", "Description"], domains.map((domain) => [
    make("strong", {}, domain.name),
    domain.kind === "view" ? make("span", {}, "view of ", connections(domain)) : "repository",
    countText(domain.events),
    time(domain.oldest_event),
    time(domain.newest_event),
    domain.retention ?? "none",
    domain.description,
  ]), "No repositories.");
}

function connections(domain) {
  const texts = domain.connections.map(({ repository, filter }) => (filter ? `${repository} (${filter})` : repository));
  return make("code", {}, texts.join(", "));
}

function jobTable(jobs, onQuery) {
  return table(["Started", "State", "Query", "In", "Who", "#Search, ms", "#Rows", "#Polls"], jobs.map((job) => [
    time(job.started_at),
    jobState(job),
    queryLink(job.query, job.domain, onQuery),
    job.domain,
    job.owner,
    job.duration_ms === null ? "" : countText(job.duration_ms),
    job.rows === null ? "" : countText(job.rows),
    countText(job.polls),
  ]), "No query has been run yet.");
}

function jobState(job) {
  const words = [job.is_live ? "live" : "", job.state, job.gone ?? ""].filter(Boolean).join(", ");
  const kind = { failed: "bad", stopped: "muted", done: job.gone ? "muted" : "" }[job.state] ?? "good";
  return make("span", { class: kind, title: job.problem || null }, words);
}

function assetTable(assets, onQuery) {
  return table(["Name", "State", "Last fired", "Kind", "In", "Schedule", "Query", "Changed", "By"], assets.map((asset) => [
    make("strong", {}, asset.name),
    assetState(asset),
    lastFired(asset),
    asset.type ? `action, ${asset.type.replace(/Action$/, "")}` : (KINDS[asset.kind] ?? asset.kind),
    asset.domain,
    schedule(asset),
    asset.query === null ? "" : queryLink(asset.query, asset.domain, onQuery),
    time(asset.modified_at),
    asset.modified_by,
  ]), "Nothing is deployed yet: orchestrator deploy puts rules here.");
}

/** Return how a trigger is: enabled is not yet running, which takes an action too. */
function assetState(asset) {
  if (asset.is_enabled === null) return "";
  if (asset.last_error) return make("span", { class: "bad", title: asset.last_error }, `failing: ${asset.last_error}`);
  if (!asset.is_enabled) return make("span", { class: "muted" }, "disabled");
  return asset.is_running ? make("span", { class: "good" }, "running")
    : make("span", { class: "muted", title: "It runs once it has an action, in a sandbox that runs triggers" }, "enabled, not running");
}

function lastFired(asset) {
  if (asset.is_enabled === null) return "";
  return asset.last_fired ? time(asset.last_fired) : make("span", { class: "muted" }, "never");
}

function schedule(asset) {
  const parts = [asset.schedule, asset.interval_s === null ? null : `over ${asset.interval_s} s`];
  return make("code", {}, parts.filter(Boolean).join(" "));
}

function ruleTable(rules, onQuery) {
  return table(["Name", "State", "#Severity", "#Version", "Query", "Changed"], rules.map((rule) => [
    make("strong", {}, rule.name),
    make("span", { class: rule.status === "active" ? "good" : "muted" }, rule.status),
    rule.severity,
    rule.version,
    queryLink(rule.query, "", onQuery),
    time(rule.modified_at),
  ]), "No correlation rules; they are those of the Falcon face.");
}

function fileTable(files) {
  return table(["Name", "In", "#Bytes", "Changed", "By"], files.map((file) => [
    make("strong", {}, file.name), file.domain, countText(file.bytes), time(file.modified_at), file.modified_by,
  ]), "No lookup files: --lookup FILE brings one, and so does an upload.");
}

function packageTable(packages) {
  return table(["Package", "In", "From", "Changed", "By"], packages.map((installed) => [
    make("strong", {}, installed.id),
    installed.domain,
    installed.source === "ZipFile" ? "a zip" : "the marketplace",
    time(installed.modified_at),
    installed.modified_by,
  ]), "No packages: POST a zip to /api/v1/packages/install.");
}

function faultTable(faults) {
  return table(["Requests", "Fault", "How often", "#Times", "#After", "Message"], faults.map((fault) => [
    make("code", {}, fault.pattern),
    make("span", { class: "bad" }, fault.kind),
    howOften(fault),
    fault.count < 0 ? "always" : countText(fault.count),
    fault.skip > 0 ? countText(fault.skip) : "",
    fault.message,
  ]), "None: every request is answered as it should be.");
}

function howOften({ every, probability }) {
  const turn = every > 1 ? `1 in ${countText(every)}` : "";
  const chance = probability < 1 ? `${Number((probability * 100).toFixed(2))} % by chance` : "";
  return [turn, chance].filter(Boolean).join(", ") || "each";
}

/** Return a table; a heading that begins with `#` is of numbers. */
function table(headings, rows, emptyText) {
  if (rows.length === 0) return nothing(emptyText);
  const isNumber = headings.map((heading) => heading.startsWith("#"));
  const cell = (tag, content, index, rest = {}) =>
    make(tag, { class: isNumber[index] ? "number" : null, ...rest }, content ?? "");
  return make("div", { class: "scroll short", tabindex: 0, role: "group", "aria-label": headings[0] },
    make("table", { class: "list" },
      make("thead", {}, make("tr", {}, ...headings.map((heading, index) =>
        cell("th", heading.replace(/^#/, ""), index, { scope: "col" })))),
      make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((content, index) => cell("td", content, index)))))));
}

function time(instant) {
  return instant ? make("time", { datetime: instant }, instantText(instant)) : make("span", { class: "muted" }, "none");
}

function queryLink(text, domain, onQuery) {
  return make("button", { type: "button", class: "query", title: "Open in the search box", onclick: () => onQuery(text, domain) }, text);
}
