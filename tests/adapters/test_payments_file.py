"""The simulated card processor's file: where it lies, who shares it, and what it survives."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.adapters.payments import ChargeStatus, ProcessorUnavailable, open_processor
from api.adapters.payments_simulated import SimulatedProcessor

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SITE = "http://127.0.0.1:8000"

PREAMBLE = """
import asyncio, sqlite3, sys, threading
from datetime import UTC, datetime
from pathlib import Path
from api.adapters.payments_simulated import SimulatedProcessor
path, card = sys.argv[1:]
def charge(processor, key):
    return processor.charge(key=key, customer="ann", card=card, amount_cents=700, return_url=None,
                            at=datetime(2026, 3, 1, 12, tzinfo=UTC))
"""
CHARGES_FORTY_KEYS = """
async def main():
    processor = SimulatedProcessor(Path(path), "http://127.0.0.1:8000")
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(40):
        await charge(processor, f"key{number}")
    await processor.close()
asyncio.run(main())
"""
CHARGES_AND_NEVER_GETS_TO_ANSWER = """
async def main():
    processor = SimulatedProcessor(Path(path), "http://127.0.0.1:8000", answer_delay_seconds=3600)
    asyncio.create_task(charge(processor, "k1"))
    while await processor.inquire("k1") is None:
        pass
    print("charged", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
STOPS_IN_THE_MIDDLE_OF_WRITING = """
file = sqlite3.connect(path, isolation_level=None)
file.execute("BEGIN IMMEDIATE")
file.execute("INSERT INTO charges (key, id, card, amount_cents, status, at) VALUES ('k1', 'x', ?, 1, 'SUCCEEDED', '')",
             (card,))
print("writing", flush=True)
threading.Event().wait()
"""


async def start(program: str, path: Path, card: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", PREAMBLE + program, str(path), card, stdin=PIPE, stdout=PIPE, cwd=ROOT
    )


async def heard(process: Process) -> bytes:
    assert process.stdout is not None
    async with asyncio.timeout(30):
        return await process.stdout.readline()


async def kept(processor: SimulatedProcessor) -> str:
    return (await processor.attach("tok_visa", customer="ann")).id


async def charge(processor: SimulatedProcessor, card: str, key: str) -> ChargeStatus:
    answer = await processor.charge(key=key, customer="ann", card=card, amount_cents=700, return_url=None, at=AT)
    return answer.status


@pytest.mark.rule("18")
async def test_processes_that_charge_the_same_keys_at_once_charge_each_key_once(tmp_path: Path) -> None:
    path = tmp_path / "processor.sqlite3"
    processor = SimulatedProcessor(path, SITE)
    card = await kept(processor)
    others = [await start(CHARGES_FORTY_KEYS, path, card) for _ in range(2)]
    assert [await heard(other) for other in others] == [b"ready\n"] * 2

    for other in others:
        assert other.stdin is not None
        other.stdin.write(b"go\n")
    for number in range(40):
        await charge(processor, card, f"key{number}")

    assert [await other.wait() for other in others] == [0, 0]
    assert sorted(one.key for one in await processor.charges()) == sorted(f"key{number}" for number in range(40))
    assert await processor.captured_cents() == 40 * 700
    assert sum(entry.amount_cents for entry in await processor.log()) == 40 * 700
    await processor.close()


@pytest.mark.row("F2")
@pytest.mark.rule("18")
async def test_a_charge_outlives_the_process_that_was_killed_before_its_answer(tmp_path: Path) -> None:
    path = tmp_path / "processor.sqlite3"
    processor = SimulatedProcessor(path, SITE)
    card = await kept(processor)
    victim = await start(CHARGES_AND_NEVER_GETS_TO_ANSWER, path, card)
    assert await heard(victim) == b"charged\n"

    victim.kill()
    await victim.wait()

    found = await processor.inquire("k1")
    assert found is not None
    assert found.status is ChargeStatus.SUCCEEDED
    assert await charge(processor, card, "k1") is ChargeStatus.SUCCEEDED
    assert await processor.charges() == [found]
    await processor.close()


async def test_what_a_killed_process_had_not_committed_leaves_no_trace_and_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "processor.sqlite3"
    processor = SimulatedProcessor(path, SITE)
    card = await kept(processor)
    victim = await start(STOPS_IN_THE_MIDDLE_OF_WRITING, path, card)
    assert await heard(victim) == b"writing\n"

    victim.kill()
    await victim.wait()

    assert await processor.inquire("k1") is None
    assert await charge(processor, card, "k1") is ChargeStatus.SUCCEEDED
    assert await processor.captured_cents() == 700
    await processor.close()


async def test_a_file_that_cannot_be_used_is_a_processor_that_does_not_answer(tmp_path: Path) -> None:
    processor = SimulatedProcessor(tmp_path, SITE)
    with pytest.raises(ProcessorUnavailable):
        await processor.inquire("k1")
    await processor.close()


async def test_it_closes_twice_and_opens_again(tmp_path: Path) -> None:
    processor = SimulatedProcessor(tmp_path / "processor.sqlite3", SITE)
    card = await kept(processor)
    await processor.close()
    await processor.close()
    assert await charge(processor, card, "k1") is ChargeStatus.SUCCEEDED
    await processor.close()


@pytest.mark.parametrize("url", ["simulated://", "simulated:///{tmp}/own.sqlite3"])
async def test_the_setting_names_the_file_or_leaves_it_beside_the_database(tmp_path: Path, url: str) -> None:
    processor = open_processor(url.replace("/{tmp}", str(tmp_path)), data_dir=tmp_path / "made", public_url=SITE + "/")
    card = await processor.attach("tok_3ds", customer="ann")
    waiting = await processor.charge(key="k1", customer="ann", card=card.id, amount_cents=1, return_url=None, at=AT)
    await processor.close()

    assert processor.name == "simulated"
    assert waiting.action_url == f"{SITE}/sandbox/3ds/{waiting.id}"
    assert (tmp_path / ("own.sqlite3" if "{tmp}" in url else "made/processor.sqlite3")).is_file()


@pytest.mark.parametrize(
    "url",
    ["", "sk_live_secret", "https://secret@host", "simulated:///", "simulated://host/x", "https://[", "simulated:"],
)
def test_another_setting_stops_with_one_line_that_does_not_repeat_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match=r"^PAYMENTS_URL must be [^\n]+$") as refused:
        open_processor(url, data_dir=tmp_path, public_url=SITE)
    assert "secret" not in str(refused.value)
