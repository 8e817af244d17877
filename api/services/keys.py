"""Keys of the phone switch and of payment partners."""

from __future__ import annotations

from api.adapters.database import transactional
from api.adapters.ports import Ports
from api.auth.sign_ins import make_key
from api.domain.accounts import Role


@transactional
async def add_key(ports: Ports, name: str, role: Role) -> str:
    """Make a key and return its token, shown once; IntegrityError when the name is taken."""
    return await make_key(ports.now(), name, role)
