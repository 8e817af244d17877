"""The link in a mail that confirms an address: of a sign-up, or of a change of the address (rule 5)."""

from __future__ import annotations

from api.adapters.ports import Ports
from api.auth.limits import Limit, client_of, count_try
from api.auth.sign_ins import Viewer
from api.auth.tokens import token_hash
from api.services.account_openings import open_account
from api.services.email_changes import confirm_email


async def verify_email(ports: Ports, token: str, *, client_address: str, viewer: Viewer | None = None) -> None:
    """Open the account of the sign-up that a link belongs to, or else make its address an account's; either once.

    Raises Refused: TOKEN_INVALID for a link that is unknown, used, ended or replaced, or whose address has got an
    account meanwhile; TOKEN_EXPIRED; RATE_LIMITED.
    """
    client, hash_of_token = client_of(client_address), token_hash(token)
    await count_try(ports, (Limit.LINKS_PER_CLIENT, client))
    if not await open_account(ports, hash_of_token, client):
        await confirm_email(ports, hash_of_token, client, viewer)
