from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops
from uuid_utils.compat import uuid7


class Migration(migrations.Migration):
    dependencies = [("models", "0004_second_release_constraints")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Cancellation",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "subscription",
                    fields.ForeignKeyField(
                        "models.PlanSubscription",
                        source_field="subscription_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="cancellations",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("open_for", fields.UUIDField(null=True, unique=True)),
                ("step", fields.CharField(max_length=16)),
                ("outcome", fields.CharField(null=True, max_length=16)),
                ("reason", fields.CharField(null=True, max_length=40)),
                ("comment", fields.CharField(null=True, max_length=1000)),
                ("begun_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("changed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={"table": "cancellations", "app": "models", "pk_attr": "id"},
            bases=["Row"],
        ),
        ops.AddField(
            model_name="PlanSubscription",
            name="revision",
            field=fields.IntField(default=1, db_default=1),
        ),
    ]
