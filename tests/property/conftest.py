"""Settings of Hypothesis for this suite."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# machines differ and may be busy: how long an example takes is no failure here
settings.register_profile("tunewright", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tunewright")
