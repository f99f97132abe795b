"""Events in: the shapes that ingest takes, turned into rows."""
