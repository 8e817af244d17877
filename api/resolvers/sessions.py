"""Handing a new sign-in over, as a token or as a cookie."""

from __future__ import annotations

from api.adapters.database import read_time, read_uuid
from api.context import Context
from api.schema.sign_ups import SessionPayload
from api.services.sign_in_begins import SignedIn
from api.services.sign_ins import sign_out


async def hand_over(context: Context, begun: SignedIn) -> SessionPayload:
    """Return the payload of a sign-in that has just begun; a browser's token goes into its cookie instead.

    The sign-in of the cookie that is replaced ends, since nobody could use it any more.
    """
    connection = context.connection
    if not begun.sign_in["in_browser"] or connection.cookie is None:
        return SessionPayload.of(begun)
    if connection.from_cookie and context.viewer is not None:
        account_id = read_uuid(begun.account["id"]) if begun.account else None
        await sign_out(context.ports, context.viewer, everywhere=False, replaced_by=account_id)
    lasts = read_time(begun.sign_in["expires_at"]) - context.ports.now()
    connection.cookie.give(begun.token, int(lasts.total_seconds()))
    return SessionPayload.of(begun, by_cookie=True)
