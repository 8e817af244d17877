"""What the flows of a holder's own account ask."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from api.adapters.database import fetch_one, read_uuid
from api.auth.sign_ins import Viewer, find_viewer
from tests.flows.conftest import Service
from tests.flows.getting_in import ERRORS, PASSWORD

NEW_PASSWORD = "Another horse 8 staple"
WRONG = "Wrong horse 7 battery"
UPDATE = f"""mutation($input: UpdateProfileInput!) {{ updateProfile(input: $input) {{
  account {{ firstName lastName phone locale address {{ line1 line2 city state zip country revision }} }}
  {ERRORS} }} }}"""
CHANGE_PASSWORD = f"""mutation($current: String!, $new: String!) {{
  changePassword(currentPassword: $current, newPassword: $new) {{
    token session {{ id current }} account {{ email }} {ERRORS} }} }}"""
CHANGE_PASSCODE = f"""mutation($password: String!, $new: String!) {{
  changePasscode(password: $password, newPasscode: $new) {{ account {{ email }} {ERRORS} }} }}"""
SET_QUESTIONS = f"""mutation($password: String!, $answers: [SecurityAnswerInput!]!) {{
  setSecurityQuestions(password: $password, answers: $answers) {{
    account {{ security {{ securityQuestions {{ code }} }} }} {ERRORS} }} }}"""
REAUTHENTICATE = f"""mutation($password: String!) {{ reauthenticate(password: $password) {{
  token session {{ current }} account {{ email }} {ERRORS} }} }}"""
CHANGE_EMAIL = f"""mutation($new: String!, $password: String!) {{
  changeEmail(newEmail: $new, password: $password) {{ accepted {ERRORS} }} }}"""
PENDING = "{ me { email pendingEmail } }"
ACTIVITY = """query($first: Int, $after: String) { me { activity(first: $first, after: $after) {
  edges { cursor node { id at action actor channel summary } } pageInfo { hasNextPage endCursor } } } }"""


async def change_password(
    service: Service, token: str, current: str = PASSWORD, new: str = NEW_PASSWORD
) -> dict[str, Any]:
    """Change the password; return the payload."""
    data = await service.ask(CHANGE_PASSWORD, {"current": current, "new": new}, token=token)
    payload: dict[str, Any] = data["changePassword"]
    return payload


async def change_email(service: Service, token: str, new: str, password: str = PASSWORD) -> dict[str, Any]:
    """Ask for a change of the address; return the payload."""
    data = await service.ask(CHANGE_EMAIL, {"new": new, "password": password}, token=token)
    payload: dict[str, Any] = data["changeEmail"]
    return payload


async def activity(service: Service, token: str) -> list[dict[str, Any]]:
    """Return what happened to the account, newest first."""
    data = await service.ask(ACTIVITY, {"first": 100}, token=token)
    return [edge["node"] for edge in data["me"]["activity"]["edges"]]


async def actions(service: Service, token: str) -> list[str]:
    """Return the names of what happened, newest first."""
    return [act["action"] for act in await activity(service, token)]


async def viewer_of(service: Service, token: str) -> Viewer:
    """Return who bears a token, as an operation finds it."""
    viewer = await find_viewer(service.ports, token)
    assert viewer is not None
    return viewer


async def account_key(email: str) -> UUID:
    """Return the key of an address's account."""
    row = await fetch_one("select id from accounts where email_key = $1", email)
    assert row is not None
    return read_uuid(row["id"])
