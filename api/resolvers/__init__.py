"""Verbs: the queries, mutations and subscriptions, one file per feature."""

from api.resolvers.accounts import AccountsQueries
from api.resolvers.balances import BalancesSubscriptions
from api.resolvers.calls import CallsMutations
from api.resolvers.nodes import NodesQueries
from api.resolvers.payments import PaymentsMutations, PaymentsQueries
from api.resolvers.security import SecurityMutations
from api.resolvers.service_accounts import ServiceAccountsMutations
from api.resolvers.sign_ins import SignInsMutations
from api.resolvers.sign_ups import SignUpsMutations
from api.schema.service_accounts import AdvanceConnectAccount

QUERIES = (NodesQueries, AccountsQueries, PaymentsQueries)
MUTATIONS = (
    SignUpsMutations,
    SignInsMutations,
    SecurityMutations,
    ServiceAccountsMutations,
    PaymentsMutations,
    CallsMutations,
)
SUBSCRIPTIONS = (BalancesSubscriptions,)
TYPES = (AdvanceConnectAccount,)
"""Types that the schema would not find by itself, since they are reached through an interface alone."""
