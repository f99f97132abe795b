"""What every call goes through: transport, retries, breaker, session, authentication."""
