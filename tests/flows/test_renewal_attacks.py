"""Attempts to use a plan without paying for it, or to be charged for what was not told (rule 28)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.services.card_tries import card_tries, count_declines
from tests.flows.conftest import Service
from tests.flows.renewing import Scene, begun, local
from tests.flows.test_renewals_failing import START, day

pytestmark = pytest.mark.rule("28")


async def decline_others(scene: Scene) -> None:
    """Use up the tries of other cards that an account has within an hour."""
    for _ in range(5):
        await count_declines(scene.service.ports, card_tries(account_id=scene.holder.account_id))


async def test_other_cards_declines_put_a_try_off_for_a_day_at_most(service: Service) -> None:
    ann = await begun(service, local(START))
    await ann.stand_before()

    for _ in range(26):
        # Five at the very moment at which more may be tried.
        await decline_others(ann)
        await service.work()
        await service.advance(timedelta(hours=1, seconds=1))

    found = await ann.read()
    assert (found["status"], day(found["renewsAt"])) == ("PAST_DUE", "2027-03-03")
    mail = next(mail for mail in await service.mails(ann.holder.email) if "could not" in mail.subject)
    assert "Too many cards" in mail.text
