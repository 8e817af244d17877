"""How many fields the answer to a document may come to, by the sizes of the lists that it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)

from api.services.pages import SIZE, SIZE_MAX

COST_MAX = 30_000
"""Some seconds of work; the whole of an account's pages at their largest is a fraction of it."""
_PAGE, _LIST = ("first", "last"), "ids"


def costs_too_much(document: DocumentNode, variables: Mapping[str, Any] | None) -> str | None:
    """Say that the answer to a document may come to too many fields, or None.

    A page counts as many as it is asked for, in steps of what it has unasked; a list of ids as many as there are. Each
    fragment is counted once, as in `too_much`, which a document must have passed.
    """
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    sizes: dict[str, int] = {}
    for operation in operations:
        for definition in operation.variable_definitions or ():
            sizes[definition.variable.name.value] = _size_of(definition.default_value, {})
    sizes |= {name: _size(value) for name, value in (variables or {}).items()}
    costs: dict[str, int] = {}
    if max((_cost(operation.selection_set, fragments, sizes, costs) for operation in operations), default=0) > COST_MAX:
        return f"the answer to a document has at most {COST_MAX} fields, with its lists as large as they may be"
    return None


def _cost(
    selections: SelectionSetNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    sizes: Mapping[str, int],
    costs: dict[str, int],
) -> int:
    total = 0
    for node in selections.selections:
        if isinstance(node, FragmentSpreadNode):
            name = node.name.value
            if name not in costs:
                costs[name] = 0
                if name in fragments:
                    costs[name] = _cost(fragments[name].selection_set, fragments, sizes, costs)
            total += costs[name]
        elif isinstance(node, FieldNode):
            inner = _cost(node.selection_set, fragments, sizes, costs) if node.selection_set else 0
            total += 1 + inner * _times(node, sizes)
        elif isinstance(node, InlineFragmentNode):
            total += _cost(node.selection_set, fragments, sizes, costs)
    return total


def _times(node: FieldNode, sizes: Mapping[str, int]) -> int:
    """Return how often a field's selections are answered; a page's are told apart by its edges, also in a fragment."""
    times = SIZE if node.name.value == "edges" else 1
    for argument in node.arguments or ():
        size = _size_of(argument.value, sizes)
        if argument.name.value in _PAGE:
            times *= max(1, -(-size // SIZE))
        elif argument.name.value == _LIST:
            times *= max(1, size)
    return times


def _size_of(value: ValueNode | None, sizes: Mapping[str, int]) -> int:
    if isinstance(value, VariableNode):
        return sizes.get(value.name.value, 1)
    if isinstance(value, IntValueNode):
        # A longer one is no number of rows, and is refused as such.
        return _size(int(value.value)) if len(value.value) < 10 else SIZE_MAX
    return _size(value.values) if isinstance(value, ListValueNode) else 1


def _size(value: object) -> int:
    """Return how many a number or a list stands for; what is more than a page or a list may have is refused later."""
    if isinstance(value, list | tuple):
        value = len(value)
    return min(value, SIZE_MAX) if isinstance(value, int) else 1
