"""What is kept: domains, their events, the journal that survives a crash."""
