"""Where facts come from: one module a kind of source."""
