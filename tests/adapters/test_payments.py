"""The simulated card processor: what its tokens do, what a key stands for, how it misbehaves on request."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.adapters.payments import (
    Card,
    CardRefused,
    Charge,
    ChargeStatus,
    ProcessorConflict,
    ProcessorUnavailable,
)
from api.adapters.payments_simulated import SimulatedProcessor
from api.domain.payments import DeclineReason

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SITE = "http://127.0.0.1:8000"


@pytest.fixture
async def processor(tmp_path: Path) -> AsyncIterator[SimulatedProcessor]:
    processor = SimulatedProcessor(tmp_path / "processor.sqlite3", SITE)
    yield processor
    await processor.close()


async def keep(processor: SimulatedProcessor, token: str = "tok_visa") -> Card:
    return await processor.attach(token, customer="ann")


async def charge(processor: SimulatedProcessor, card: Card, key: str = "k1", amount_cents: int = 2500) -> Charge:
    return await processor.charge(
        key=key, customer="ann", card=card.id, amount_cents=amount_cents, return_url=None, at=AT
    )


@pytest.mark.parametrize(
    ("token", "brand", "last4"),
    [
        ("tok_visa", "Visa", "4242"),
        ("tok_mastercard", "Mastercard", "4444"),
        ("tok_refund_refused", "Visa", "5126"),
    ],
)
async def test_a_good_card_is_kept_and_charged(
    processor: SimulatedProcessor, token: str, brand: str, last4: str
) -> None:
    card = await keep(processor, token)
    paid = await charge(processor, card)

    assert (card.brand, card.last4) == (brand, last4)
    assert paid == Charge("k1", paid.id, ChargeStatus.SUCCEEDED, 2500, None, None)
    assert await processor.captured_cents() == 2500


@pytest.mark.parametrize("token", ["tok_unknown", "", "tok_visa ", "TOK_VISA"])
async def test_an_unknown_token_is_refused_and_nothing_is_kept(processor: SimulatedProcessor, token: str) -> None:
    with pytest.raises(CardRefused) as refused:
        await keep(processor, token)
    assert refused.value.reason is DeclineReason.OTHER
    assert await processor.log() == []


async def test_the_declined_card_is_kept_but_never_charged(processor: SimulatedProcessor) -> None:
    declined = await charge(processor, await keep(processor, "tok_declined"))

    assert (declined.status, declined.decline_reason) == (ChargeStatus.DECLINED, DeclineReason.DO_NOT_HONOR)
    assert await processor.captured_cents() == 0


async def test_the_expired_card_is_kept_with_its_past_expiry_and_declines(processor: SimulatedProcessor) -> None:
    card = await keep(processor, "tok_expired")
    declined = await charge(processor, card)

    assert (card.brand, card.last4) == ("Visa", "0069")
    assert (card.expiry_year, card.expiry_month) < (AT.year, AT.month)
    assert (declined.status, declined.decline_reason) == (ChargeStatus.DECLINED, DeclineReason.CARD_EXPIRED)


@pytest.mark.parametrize(
    ("at", "status"),
    [
        (datetime(2049, 12, 31, 23, 59, tzinfo=UTC), ChargeStatus.SUCCEEDED),
        (datetime(2050, 1, 1, tzinfo=UTC), ChargeStatus.DECLINED),
    ],
)
async def test_a_card_is_good_through_the_last_day_of_its_month_by_product_time(
    processor: SimulatedProcessor, at: datetime, status: ChargeStatus
) -> None:
    card = await keep(processor)
    answer = await processor.charge(key="k1", customer="ann", card=card.id, amount_cents=100, return_url=None, at=at)
    assert answer.status is status


@pytest.mark.parametrize(
    ("ok", "status", "reason", "captured"),
    [
        (True, ChargeStatus.SUCCEEDED, None, 2500),
        (False, ChargeStatus.DECLINED, DeclineReason.AUTHENTICATION_REQUIRED, 0),
    ],
)
async def test_a_3d_secure_waits_for_the_customer_and_ends_once(
    processor: SimulatedProcessor, ok: bool, status: ChargeStatus, reason: DeclineReason | None, captured: int
) -> None:
    waiting = await charge(processor, await keep(processor, "tok_3ds"))
    assert waiting.status is ChargeStatus.REQUIRES_ACTION
    assert waiting.action_url == f"{SITE}/sandbox/3ds/{waiting.id}"
    assert await processor.captured_cents() == 0

    ended = await processor.finish_action(waiting.id, ok)
    again = await processor.finish_action(waiting.id, not ok)

    assert ended == again == await processor.inquire("k1")
    assert ended == Charge("k1", waiting.id, status, 2500, reason, None)
    assert await processor.captured_cents() == captured
    assert [entry.act for entry in await processor.log()] == ["ATTACHED", "REQUIRES_ACTION", status.value]


async def test_ending_the_3d_secure_of_an_unknown_charge_is_none(processor: SimulatedProcessor) -> None:
    assert await processor.finish_action("ch_unknown", True) is None


async def test_a_3d_secure_knows_where_the_customer_returns_to(processor: SimulatedProcessor) -> None:
    card = await keep(processor, "tok_3ds")
    waiting = await processor.charge(
        key="k1", customer="ann", card=card.id, amount_cents=100, return_url="app://paid", at=AT
    )
    assert await processor.return_url(waiting.id) == "app://paid"
    assert await processor.return_url("ch_unknown") is None


@pytest.mark.rule("18")
async def test_the_same_key_is_the_same_charge(processor: SimulatedProcessor) -> None:
    card = await keep(processor)
    assert await charge(processor, card) == await charge(processor, card)
    assert await processor.captured_cents() == 2500


@pytest.mark.rule("18")
async def test_fifty_charges_with_one_key_at_once_are_one_charge(processor: SimulatedProcessor) -> None:
    card = await keep(processor)
    doors = [SimulatedProcessor(processor.path, SITE) for _ in range(10)]

    answers = await asyncio.gather(*(charge(door, card) for door in doors for _ in range(5)))

    assert len(set(answers)) == 1
    assert await processor.charges() == [answers[0]]
    for door in doors:
        await door.close()


async def test_charges_that_meet_at_the_file_wait_for_each_other(processor: SimulatedProcessor) -> None:
    card = await keep(processor)
    doors = [SimulatedProcessor(processor.path, SITE) for _ in range(10)]

    await asyncio.gather(*(charge(door, card, f"{n} {m}", 1) for n, door in enumerate(doors) for m in range(10)))

    assert await processor.captured_cents() == 100
    for door in doors:
        await door.close()


@pytest.mark.rule("18")
async def test_a_key_used_for_another_charge_is_a_conflict_and_charges_nothing(
    processor: SimulatedProcessor,
) -> None:
    card, other = await keep(processor), await keep(processor)
    paid = await charge(processor, card)

    with pytest.raises(ProcessorConflict):
        await charge(processor, card, amount_cents=2501)
    with pytest.raises(ProcessorConflict):
        await charge(processor, other)
    with pytest.raises(ProcessorConflict):
        await processor.charge(key="k1", customer="bob", card=card.id, amount_cents=2500, return_url=None, at=AT)

    assert await processor.charges() == [paid]


async def test_nobody_charges_a_card_of_somebody_else(processor: SimulatedProcessor) -> None:
    card = await keep(processor)
    with pytest.raises(CardRefused):
        await processor.charge(key="k1", customer="bob", card=card.id, amount_cents=2500, return_url=None, at=AT)
    assert await processor.inquire("k1") is None


@pytest.mark.parametrize("amount_cents", [0, -1])
async def test_an_amount_that_is_not_positive_is_refused(processor: SimulatedProcessor, amount_cents: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        await charge(processor, await keep(processor), amount_cents=amount_cents)


async def test_each_card_has_an_id_of_its_own(processor: SimulatedProcessor) -> None:
    assert (await keep(processor)).id != (await keep(processor)).id


async def test_told_to_decline_it_declines_from_now_on_until_told_otherwise(processor: SimulatedProcessor) -> None:
    card = await keep(processor)

    await processor.behave(next="decline")
    declined = [await charge(processor, card, key) for key in ("k1", "k2")]
    await processor.behave(next="ok")

    assert {(one.status, one.decline_reason) for one in declined} == {
        (ChargeStatus.DECLINED, DeclineReason.DO_NOT_HONOR)
    }
    assert (await charge(processor, card, "k1")).status is ChargeStatus.DECLINED
    assert (await charge(processor, card, "k3")).status is ChargeStatus.SUCCEEDED


async def test_a_time_out_before_the_charge_leaves_the_key_unseen(processor: SimulatedProcessor) -> None:
    card = await keep(processor)

    await processor.behave(next="timeout")
    with pytest.raises(ProcessorUnavailable):
        await charge(processor, card)

    assert await processor.inquire("k1") is None
    await processor.behave(next="ok")
    assert (await charge(processor, card)).status is ChargeStatus.SUCCEEDED
    assert await processor.captured_cents() == 2500


async def test_a_time_out_after_the_charge_is_found_by_asking_and_not_charged_again(
    processor: SimulatedProcessor,
) -> None:
    card = await keep(processor)

    await processor.behave(next="timeout_charged")
    for _ in range(2):
        with pytest.raises(ProcessorUnavailable):
            await charge(processor, card)
    found = await processor.inquire("k1")
    await processor.behave(next="ok")

    assert found is not None
    assert found.status is ChargeStatus.SUCCEEDED
    assert await charge(processor, card) == found
    assert await processor.captured_cents() == 2500


async def test_a_lost_answer_does_not_make_a_bad_card_good(processor: SimulatedProcessor) -> None:
    card = await keep(processor, "tok_declined")

    await processor.behave(next="timeout_charged")
    with pytest.raises(ProcessorUnavailable):
        await charge(processor, card)

    found = await processor.inquire("k1")
    assert found is not None
    assert found.status is ChargeStatus.DECLINED


async def test_behaviour_is_set_part_by_part_and_for_every_process(processor: SimulatedProcessor) -> None:
    await processor.behave(next="decline")
    await processor.behave(refund="refuse")
    elsewhere = SimulatedProcessor(processor.path, SITE)

    assert await elsewhere.behave() == ("decline", "refuse")
    await elsewhere.close()


@pytest.mark.parametrize("words", [{"next": "explode"}, {"refund": "timeout"}])
async def test_behaviour_in_other_words_is_refused(processor: SimulatedProcessor, words: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="must be one of"):
        await processor.behave(**words)  # type: ignore[arg-type]


async def test_the_log_adds_up_to_what_was_captured_and_cannot_be_changed(processor: SimulatedProcessor) -> None:
    card, bad = await keep(processor), await keep(processor, "tok_declined")
    for number in range(3):
        await charge(processor, card, f"good{number}", 100 + number)
        await charge(processor, bad, f"bad{number}")

    log = await processor.log()
    assert sum(entry.amount_cents for entry in log if entry.act == "SUCCEEDED") == 303
    assert await processor.captured_cents() == 303

    with sqlite3.connect(processor.path) as file:
        for change in ("UPDATE log SET amount_cents = 0", "DELETE FROM log"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                file.execute(change)
    file.close()
