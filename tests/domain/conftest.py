"""Properties are judged by what they say, never by how long a machine takes to try them."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("domain", deadline=None)
settings.load_profile("domain")


def pytest_make_parametrize_id(config: pytest.Config, val: object) -> str | None:
    """Keep a test's name short and printable where its parameter is a megabyte or a lone surrogate."""
    return ascii(val)[1:-1][:40] if isinstance(val, str) else None
