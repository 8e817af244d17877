"""Passwords, tokens, sign-ins, limits and roles."""
