"""Attempts to use a plan without paying for it, or to be charged for what was not told (rule 28)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.services.card_tries import card_tries, count_declines
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.renewing import DAY, Scene, begun, local, renewals
from tests.flows.test_renewals_failing import START, day

pytestmark = pytest.mark.rule("28")


async def decline_others(scene: Scene) -> None:
    """Use up the tries of other cards that an account has within an hour."""
    for _ in range(5):
        await count_declines(scene.service.ports, card_tries(account_id=scene.holder.account_id))


async def test_choosing_a_bad_card_again_and_again_does_not_put_off_the_end(service: Service) -> None:
    ann = await begun(service, local(START), token="tok_declined")
    ends = await ann.renew()

    for days in range(1, 10):
        for _ in range(3):
            await ann.set_card(ann.card)
        await ann.settle()
        await ann.until(ends + days * DAY - timedelta(minutes=30))

    ended = await ann.read()
    assert (ended["status"], day(ended["accessUntil"])) == ("ENDED", "2027-03-07")
    assert await ann.charged() == 1


async def test_a_card_chosen_just_before_the_last_try_is_that_try_if_it_is_charged_after_it(service: Service) -> None:
    ann = await begun(service, local(START), token="tok_declined")
    ends = await ann.renew()
    await ann.until(ends + 7 * DAY - timedelta(minutes=30))
    await decline_others(ann)
    assert codes(await ann.set_card(ann.card)) == []

    await ann.until(ends + 7 * DAY + timedelta(hours=1))

    assert (await ann.read())["status"] == "ENDED"
    assert len(await renewals()) == 3


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
