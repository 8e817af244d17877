"""Consents: proof of what was agreed to, in which words, when and how."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import execute
from api.domain.accounts import Channel
from api.domain.agreements import AgreementKind, text_of
from api.domain.texts import pick_locale


async def record_consent(
    account_id: UUID, kind: AgreementKind, version: str, *, locale: str, channel: Channel, agreed_at: datetime
) -> UUID:
    """Keep, within the transaction under way, that an account's holder agreed to a text; return the consent's id.

    `version` must be one that was shown, checked before: its file is read. The digest is the text's SHA-256, which
    proves the words as long as the file is kept. Each call keeps another consent.
    """
    consent_id, language = uuid7(), pick_locale(locale)
    digest = sha256(text_of(kind, version, language).encode()).hexdigest()
    await execute(
        "insert into consents (id, account_id, kind, version, locale, text_digest, agreed_at, channel)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8)",
        consent_id, account_id, kind.value, version, language, digest, agreed_at, channel.value,
    )  # fmt: skip
    return consent_id
