"""The people that the hammer works with: holders with cards, phones and sign-ins, and the phone switch."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters import database
from api.adapters.broadcast import open_broadcast
from api.adapters.clock import SandboxClock
from api.adapters.live import Live
from api.adapters.migrations import migrate
from api.adapters.payments import Processor
from api.adapters.payments_simulated import SimulatedProcessor
from api.adapters.ports import Ports
from api.adapters.sandbox_messages import SandboxMailer, SandboxTexter
from api.adapters.secrets import Secrets
from api.auth.sign_ins import Bearer, begin_sign_in, make_key
from api.domain.accounts import Channel, Role
from api.domain.ids import NodeKind, global_id
from api.domain.service_accounts import Product
from api.services.payment_methods import add_method
from api.services.sandbox import mark_as_sandbox
from api.services.service_accounts import open_service

CARDS = ("tok_visa", "tok_declined", "tok_3ds")
PUBLIC_URL = "https://calls.example"
HAD_THE_NUMBER_FOR = timedelta(days=10)
FILL_SECONDS_MAX = 120


class Holder(NamedTuple):
    """Somebody with an AdvanceConnect account; ids as the API gives them, `cards` by their sandbox token."""

    token: str
    account: UUID
    service: str
    service_key: UUID
    phone: str
    cards: dict[str, str]


class World(NamedTuple):
    """What the database holds before the first operation; `settings` name the processor where it is not simulated."""

    database_url: str
    processor_file: Path
    holders: tuple[Holder, ...]
    switch_token: str
    settings: Mapping[str, str] = {}


@contextlib.asynccontextmanager
async def ports_of(database_url: str, processor_file: Path, processor: Processor | None = None) -> AsyncIterator[Ports]:
    """Connect this process to the database, and yield ports that deliver nothing outside of it."""
    secrets, clock = Secrets("a key for tests only"), SandboxClock()
    processor = processor or SimulatedProcessor(processor_file, PUBLIC_URL)
    await database.connect(database_url)
    try:
        yield Ports(
            clock=clock,
            live=Live(open_broadcast("memory://")),
            mailer=SandboxMailer(clock),
            texter=SandboxTexter(clock),
            processor=processor,
            secrets=secrets,
            public_url=PUBLIC_URL,
            return_urls=(PUBLIC_URL,),
            operator_name="Example Calls",
            sandbox=True,
        )
    finally:
        await processor.close()
        await database.disconnect()


async def make_world(database_url: str, processor_file: Path, holders: int) -> World:
    """Migrate the database and fill it by the use cases that real holders go through."""
    async with asyncio.timeout(FILL_SECONDS_MAX):
        await migrate(database_url)
        async with ports_of(database_url, processor_file) as ports:
            await mark_as_sandbox()
            switch_token = await _switch(ports)
            people = [await _holder(ports, number) for number in range(holders)]
    return World(database_url, processor_file, tuple(people), switch_token)


@database.transactional
async def _switch(ports: Ports) -> str:
    return await make_key(ports.now(), "switch", Role.PHONE_SWITCH)


async def _holder(ports: Ports, number: int) -> Holder:
    account, token = await _account(ports, number)
    phone = f"+1505555{2000 + number:04d}"
    service, _ = await open_service(ports, account, Product.ADVANCE_CONNECT, phone, "open")
    await database.execute(
        "update account_phones set added_at = $1 where phone = $2", ports.now() - HAD_THE_NUMBER_FOR, phone
    )
    cards = {}
    for card in CARDS:
        row = await add_method(ports, account, card, make_default=False)
        cards[card] = global_id(NodeKind.PAYMENT_METHOD, database.read_uuid(row["id"]))
    service_key = database.read_uuid(service["id"])
    return Holder(token, account, global_id(NodeKind.SERVICE_ACCOUNT, service_key), service_key, phone, cards)


@database.transactional
async def _account(ports: Ports, number: int) -> tuple[UUID, str]:
    """Insert an account that nobody can sign in to by password, and a phone's sign-in, which outlives moved clocks."""
    now, account, email = ports.now(), uuid7(), f"holder-{number}@example.com"
    await database.execute(
        "insert into accounts (id, status, email, email_key, email_verified_at, first_name, last_name, phone, line1,"
        " line2, city, state, zip, country, address_revision, locale, password_hash, password_changed_at,"
        " passcode_hash, terms_version, terms_agreed_at, event_number, created_at) values ($1, 'ACTIVE', $2, $2, $3,"
        " 'Holly', 'Holder', '+15055550100', '1 Plaza Street', null, 'Santa Fe', 'NM', '87501', 'US', 1, 'en', 'none',"
        " $3, 'none', '1', $3, 0, $3)",
        account, email, now,
    )  # fmt: skip
    token, _ = await begin_sign_in(ports, Bearer(account, False, "hammer", Channel.IOS, False))
    return account, token
