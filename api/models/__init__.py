"""Tables: columns and constraints."""

MODULES = (
    "api.models.accounts",
    "api.models.sign_ins",
    "api.models.facilities",
    "api.models.service_accounts",
    "api.models.ledger",
    "api.models.calls",
    "api.models.payments",
    "api.models.plans",
    "api.models.plumbing",
)
