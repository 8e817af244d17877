"""Nouns: the GraphQL types, inputs and payloads, one file per feature."""
