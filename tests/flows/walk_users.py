"""The holders of a walk, with their cards."""

from __future__ import annotations

from dataclasses import dataclass, field

from api.adapters.database import execute
from tests import factories
from tests.factories import Holder
from tests.flows.conftest import Service
from tests.flows.model import Card, Wallet

REFUSING = "tok_refund_refused"
TOKENS = ("tok_visa", "tok_mastercard", REFUSING)


@dataclass(eq=False)
class User:
    """A holder, the cards that are kept, and the service that is open."""

    holder: Holder
    cards: list[Card] = field(default_factory=list)
    wallet: Wallet | None = None

    @property
    def open(self) -> Wallet:
        assert self.wallet is not None
        return self.wallet


async def join(service: Service, email: str) -> User:
    """Bring in a holder who has three cards and the passcode 2468."""
    user = User(await factories.holder(service, email))
    kept = await service.passwords.hash_short("passcode", "2468")
    await execute("update accounts set passcode_hash = $1 where id = $2", kept, user.holder.account_id)
    for token in TOKENS:
        await keep_card(user, token)
    return user


async def keep_card(user: User, token: str) -> None:
    """Keep a card for a holder."""
    user.cards.append(Card(await user.holder.card(token), token == REFUSING))
