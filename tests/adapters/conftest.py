"""What the adapters are tested against."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.adapters.stripe_server import StripeServer, stripe_server


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[StripeServer]:
    """Yield a server that speaks as Stripe does."""
    async with stripe_server() as running:
        yield running
