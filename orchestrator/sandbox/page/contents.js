// What the sandbox holds, as tables: the overview route's answer, drawn again when it changes.

import { countText, instantText, make, notice, nothing } from "./dom.js";

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
  const faults = Object.entries(found.faults).flatMap(([pattern, queue]) =>
    queue.map((fault) => ({ ...fault, pattern })));
  section.replaceChildren(
    block("Repositories and views", durability(found), domainTable(found.domains)),
    ...(faults.length > 0 ? [faultBlock(faults)] : []),
    block("Query jobs", "the newest first", jobTable(found.jobs, onQuery)),
    block("Deployed assets", "", assetTable(assets, onQuery)),
    block("Correlation rules", `${countText(found.hosts)} hosts in the Falcon face`, ruleTable(found.correlation_rules, onQuery)),
    block("Lookup files", "", fileTable(files)),
    ...(faults.length > 0 ? [] : [faultBlock(faults)]),
  );
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

function faultBlock(faults) {
  return block("Faults still to come", "", faultTable(faults));
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
  return table(["Kind", "Name", "In", "State", "Schedule", "Query", "Changed", "By"], assets.map((asset) => [
    asset.type ? `action, ${asset.type.replace(/Action$/, "")}` : (KINDS[asset.kind] ?? asset.kind),
    make("strong", {}, asset.name),
    asset.domain,
    asset.is_enabled === null ? "" : make("span", { class: asset.is_enabled ? "good" : "muted" }, asset.is_enabled ? "enabled" : "disabled"),
    schedule(asset),
    asset.query === null ? "" : queryLink(asset.query, asset.domain, onQuery),
    time(asset.modified_at),
    asset.modified_by,
  ]), "Nothing is deployed.");
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
  ]), "No correlation rules.");
}

function fileTable(files) {
  return table(["Name", "In", "#Bytes", "Changed", "By"], files.map((file) => [
    make("strong", {}, file.name), file.domain, countText(file.bytes), time(file.modified_at), file.modified_by,
  ]), "No lookup files.");
}

function faultTable(faults) {
  return table(["Requests", "Fault", "#Times", "#After", "Message"], faults.map((fault) => [
    make("code", {}, fault.pattern),
    make("span", { class: "bad" }, fault.kind),
    fault.count < 0 ? "always" : countText(fault.count),
    fault.skip > 0 ? countText(fault.skip) : "",
    fault.message,
  ]), "None: every request is answered as it should be.");
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
