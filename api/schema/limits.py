"""How much a document may ask for. Measured once per fragment, before anything that costs more than reading it."""

from __future__ import annotations

from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

QUERY_LENGTH_MAX = 16 * 1024
"""Characters of a document, many times what a real one has; variables have more room."""
TOKENS_MAX = 2_000
DEPTH_MAX = 15
ALIASES_MAX = 60
FIELDS_MAX = 600
FRAGMENTS_MAX = 60


class _Size(NamedTuple):
    depth: int = 0
    aliases: int = 0
    fields: int = 0


def too_much(document: DocumentNode) -> str | None:
    """Say what a document asks too much of, or None. Fields and aliases count as often as their fragment is spread.

    Each fragment is measured once: walking them as they are spread takes 2^n steps for n fragments.
    """
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    if len(fragments) > FRAGMENTS_MAX:
        return f"a document has at most {FRAGMENTS_MAX} fragments"
    measured: dict[str, _Size] = {}
    whole = _Size()
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            size = _measure(node.selection_set, fragments, measured)
            whole = _Size(max(whole.depth, size.depth), whole.aliases + size.aliases, whole.fields + size.fields)
    if whole.depth > DEPTH_MAX:
        return f"a document goes at most {DEPTH_MAX} levels deep"
    if whole.aliases > ALIASES_MAX:
        return f"a document has at most {ALIASES_MAX} aliases"
    if whole.fields > FIELDS_MAX:
        return f"a document selects at most {FIELDS_MAX} fields"
    return None


def _measure(
    selections: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode], measured: dict[str, _Size]
) -> _Size:
    depth = aliases = fields = 0
    for node in selections.selections:
        if isinstance(node, FieldNode):
            inner = _measure(node.selection_set, fragments, measured) if node.selection_set else _Size(-1)
            # Introspection goes deep by nature, and its answer is the schema's alone.
            below = 0 if node.name.value.startswith("__") else inner.depth + 1
            depth, fields = max(depth, below), fields + inner.fields + 1
            aliases += inner.aliases + (node.alias is not None)
        elif isinstance(node, InlineFragmentNode):
            inner = _measure(node.selection_set, fragments, measured)
            depth, aliases, fields = max(depth, inner.depth), aliases + inner.aliases, fields + inner.fields
        elif isinstance(node, FragmentSpreadNode):
            name = node.name.value
            if name not in measured:
                # A fragment that spreads itself, and one that does not exist, are for the standard rules to refuse.
                measured[name] = _Size()
                if name in fragments:
                    measured[name] = _measure(fragments[name].selection_set, fragments, measured)
            inner = measured[name]
            depth, aliases, fields = max(depth, inner.depth), aliases + inner.aliases, fields + inner.fields
    return _Size(depth, aliases, fields)
