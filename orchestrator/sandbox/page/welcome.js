// What stands below the search box before anything was searched: queries to begin with.

import { byId, make, plural } from "./dom.js";

const STARTERS = [
  ["The newest events", "*"],
  ["How many there are", "count()"],
  ["How many over time", "timeChart()"],
  ["Which fields they have", "fieldstats()"],
];

/** Draw for these search domains; `onQuery(text)` runs a query. */
export function showWelcome(domains, onQuery) {
  const events = domains.filter((domain) => domain.kind !== "view").reduce((sum, domain) => sum + (domain.events ?? 0), 0);
  const isKnown = domains.some((domain) => domain.events !== undefined);
  const headline = isKnown && events === 0 ? "No events yet" : "Begin with";
  const queries = STARTERS.map(([label, text]) => make("li", {},
    make("button", { type: "button", class: "starter", onclick: () => onQuery(text) },
      make("span", {}, label), make("code", {}, text))));
  byId("welcome").replaceChildren(
    make("h2", {}, headline, " ", make("span", { class: "muted aside" }, isKnown && events > 0 ? `${plural(events, "event")} are here` : "")),
    isKnown && events === 0 ? howToSend(domains) : make("ul", { class: "starters" }, ...queries));
}

function howToSend(domains) {
  const name = domains.find((domain) => domain.kind === "repository")?.name ?? "";
  // The command is for a shell: a name that means something there is left for the reader to fill in.
  const repository = /^[\w.-]+$/.test(name) ? name : "REPOSITORY";
  const command = [
    "curl -H 'Authorization: Bearer TOKEN' \\",
    `  ${location.origin}/api/v1/repositories/${repository}/ingest \\`,
    `  -d '[{"events": [{"timestamp": ${Date.now()}, "attributes": {"user": "ada"}}]}]'`,
  ].join("\n");
  return make("div", { class: "empty" }, make("p", {}, "Send some, and they can be searched at once:"), make("pre", { tabindex: 0 }, command));
}
