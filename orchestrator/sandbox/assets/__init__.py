"""Assets as the sandbox keeps them: read from inputs and from YAML, and checked."""
