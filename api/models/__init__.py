"""Tables: columns and constraints."""

import os

MODULES = (
    "api.models.accounts",
    "api.models.staff",
    "api.models.sign_ins",
    "api.models.recovery",
    "api.models.second_factors",
    "api.models.activity",
    "api.models.facilities",
    "api.models.service_accounts",
    "api.models.ledger",
    "api.models.calls",
    "api.models.payments",
    "api.models.plans",
    "api.models.plumbing",
)


def __getattr__(name: str) -> object:
    """Give Tortoise's own command its configuration: `python -m tortoise -c api.models.TORTOISE makemigrations`."""
    if name != "TORTOISE":
        raise AttributeError(name)
    from api.adapters.database import tortoise_config

    return tortoise_config(os.environ.get("DATABASE_URL", "sqlite://./data/app.sqlite3"))
