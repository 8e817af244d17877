"""Staff: who works for the operator, and as what."""

from __future__ import annotations

from tortoise import fields

from api.models.base import Row


class StaffMember(Row):
    """Somebody of the operator's staff. `roles` are role codes; without a second factor they may only enrol one."""

    email = fields.CharField(254)
    email_key = fields.CharField(254, unique=True)
    name = fields.CharField(120)
    password_hash = fields.CharField(255)
    password_changed_at = fields.DatetimeField()
    roles: fields.Field[list[str]] = fields.JSONField()
    locale = fields.CharField(8, default="en")
    created_at = fields.DatetimeField()
    disabled_at = fields.DatetimeField(null=True)

    class Meta:
        table = "staff_members"


class StaffAct(Row):
    """What a member of staff did: who, when and why. `subject` is what it was done to, `facts` what it came to."""

    staff: fields.ForeignKeyRelation[StaffMember] = fields.ForeignKeyField(
        "models.StaffMember", on_delete=fields.RESTRICT, related_name="acts"
    )
    action = fields.CharField(40)
    account_id = fields.UUIDField(null=True)
    subject = fields.UUIDField()
    reason = fields.CharField(300)
    facts: fields.Field[dict[str, str]] = fields.JSONField()
    at = fields.DatetimeField()

    class Meta:
        table = "staff_acts"
