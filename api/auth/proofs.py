"""Fresh proofs: what is grave asks for a password that was given a few minutes ago at most (rule 10)."""

from __future__ import annotations

from datetime import datetime

from api.adapters.ports import Ports
from api.auth.sign_ins import Viewer
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.security import proof_is_fresh


def fresh(viewer: Viewer, now: datetime) -> bool:
    """Tell whether the viewer signed in or proved the password within the last minutes, see `data/security.toml`."""
    return proof_is_fresh(viewer.proved_at, now)


def require_fresh(viewer: Viewer, ports: Ports) -> None:
    """Raise Refused with REAUTHENTICATION_REQUIRED unless the viewer's proof is fresh.

    For acts that take no password themselves; the viewer is as the operation found it.
    """
    if not fresh(viewer, ports.now()):
        raise Refused(Fault(ErrorCode.REAUTHENTICATION_REQUIRED, "errors.reauthentication_required"))
