"""How much a document may ask for. Measured once per fragment, before anything that costs more than reading it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

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
INTROSPECTION_ALIAS_WEIGHT = 12
"""As how many aliases one counts that is of or within introspection: it may repeat an answer of the whole schema."""
REPEATS_MAX = 200
"""Fields that are selected once more beside themselves: whether they agree is checked for each pair of them."""


@dataclass(slots=True)
class _Size:
    """`keys` are the names in the answer of what is selected here, `repeats` those selected again further below."""

    depth: int = 0
    aliases: int = 0
    fields: int = 0
    repeats: int = 0
    keys: Counter[str] = field(default_factory=Counter)

    def all_repeats(self) -> int:
        return self.repeats + self.keys.total() - len(self.keys)

    def add(self, other: _Size) -> None:
        self.depth = max(self.depth, other.depth)
        self.aliases += other.aliases
        self.fields += other.fields
        self.repeats += other.repeats


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
            size.repeats = size.all_repeats()
            whole.add(size)
    if whole.depth > DEPTH_MAX:
        return f"a document goes at most {DEPTH_MAX} levels deep"
    if whole.aliases > ALIASES_MAX:
        return f"a document has at most {ALIASES_MAX} aliases"
    if whole.fields > FIELDS_MAX:
        return f"a document selects at most {FIELDS_MAX} fields"
    if whole.repeats > REPEATS_MAX:
        return f"a document selects at most {REPEATS_MAX} fields again where they are selected already"
    return None


def _measure(
    selections: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode], measured: dict[str, _Size]
) -> _Size:
    size = _Size()
    for node in selections.selections:
        if isinstance(node, FieldNode):
            inner = _measure(node.selection_set, fragments, measured) if node.selection_set else _Size(-1)
            is_introspection = node.name.value.startswith("__")
            weight = INTROSPECTION_ALIAS_WEIGHT if node.name.value in ("__schema", "__type") else 1
            # Introspection goes deep by nature, and its answer is the schema's alone.
            depth = 0 if is_introspection else inner.depth + 1
            aliases = (inner.aliases + (node.alias is not None)) * weight
            size.add(_Size(depth, aliases, inner.fields + 1, inner.all_repeats()))
            size.keys[(node.alias or node.name).value] += 1
        elif isinstance(node, InlineFragmentNode):
            inner = _measure(node.selection_set, fragments, measured)
            size.add(inner)
            size.keys.update(inner.keys)
        elif isinstance(node, FragmentSpreadNode):
            name = node.name.value
            if name not in measured:
                # A fragment that spreads itself, and one that does not exist, are for the standard rules to refuse.
                measured[name] = _Size()
                if name in fragments:
                    measured[name] = _measure(fragments[name].selection_set, fragments, measured)
            size.add(measured[name])
            size.keys.update(measured[name].keys)
    return size
