"""Properties are judged by what they say, never by how long a machine takes to try them."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("domain", deadline=None)
settings.load_profile("domain")
