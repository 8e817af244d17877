"""Doors that are not GraphQL: health, GraphiQL, the sandbox."""
