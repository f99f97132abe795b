"""What every test shares: property tests judge values, never time."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# In CI the same examples every time: a change is judged by itself, not by the day's luck.
settings.register_profile("ci", parent=settings.get_profile("unhurried"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "unhurried")
