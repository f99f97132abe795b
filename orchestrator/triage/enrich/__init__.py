"""What is added to a finding before it is judged: one module a source of context."""
