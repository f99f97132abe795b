"""The Falcon gateway's own routes: correlation rules, hosts, content."""
