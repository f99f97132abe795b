"""Rules as files: load, check, and run their own cases."""
