"""The whole path of a finding on one machine: sandbox, sample telemetry, a simulated day."""
