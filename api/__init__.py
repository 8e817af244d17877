"""Calls, messages and video visits with people in custody: accounts, balances and payments over GraphQL."""
