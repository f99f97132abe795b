"""Alembic's steps from an empty database to today's schema; run by `store.migrate` on open."""
