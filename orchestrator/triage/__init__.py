"""From result rows to judged findings: enrich, suppress, score, redact, deduplicate."""
