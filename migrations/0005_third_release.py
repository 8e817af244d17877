from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0004_second_release_constraints")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Call",
            name="plan_period_start",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Call",
            name="subscription_id",
            field=fields.UUIDField(null=True),
        ),
        ops.AddField(
            model_name="PlanSubscription",
            name="revision",
            field=fields.IntField(default=1, db_default=1),
        ),
    ]
