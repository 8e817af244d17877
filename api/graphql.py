"""Merges the resolvers into one schema; limits what a document may ask, and masks what nobody outside may read."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, cast

import strawberry
import structlog
from graphql import GraphQLError, specified_rules
from strawberry.extensions import MaxAliasesLimiter, ParserCache, QueryDepthLimiter, SchemaExtension, ValidationCache
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.tools import merge_types
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from api.adapters.database import DatabaseUnavailable
from api.context import Connection, Context, RequestRefused
from api.domain.faults import Refused
from api.domain.texts import DEFAULT_LOCALE, render
from api.resolvers import MUTATIONS, QUERIES, SUBSCRIPTIONS, TYPES
from api.schema.errors import ERROR_TYPES
from api.schema.scalars import CONFIG

DEPTH_MAX = 15
ALIASES_MAX = 60
TOKENS_MAX = 4_000
CACHED_DOCUMENTS = 512
_RULES = (
    *specified_rules,
    *QueryDepthLimiter(max_depth=DEPTH_MAX).validation_rules,
    *MaxAliasesLimiter(max_alias_count=ALIASES_MAX).validation_rules,
)
_OVER_HTTP = frozenset({OperationType.QUERY, OperationType.MUTATION})
_TOO_COMPLEX = re.compile(r"exceeds maximum operation depth|aliases found|contains more th\w+ \d+ tokens")
_log = structlog.get_logger("api.graphql")


class _Limits(SchemaExtension):
    """Sets the limits from rules made once: rules made per request would defeat the cache of validated documents."""

    def on_operation(self) -> Any:
        self.execution_context.validation_rules = _RULES
        self.execution_context.parse_options["max_tokens"] = TOKENS_MAX
        yield


class Schema(strawberry.Schema):
    """Looks up the sign-in for each operation, and lets no unexpected error out."""

    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        """Log nothing here: a client's errors are no news, and their text may hold secrets. See `_mask`."""

    async def execute(  # type: ignore[override]
        self, query: str | None, *, context_value: Any = None, **options: Any
    ) -> ExecutionResult:
        """Run a query or mutation of a request."""
        context = await _begin(context_value)
        if isinstance(context, ExecutionResult):
            return context
        # Server-sent events come later; until then a subscription over HTTP gets a clear answer instead of a null.
        options["allowed_operation_types"] = _OVER_HTTP.intersection(
            options.get("allowed_operation_types") or _OVER_HTTP
        )
        result = await super().execute(query, context_value=context, **options)
        return cast(ExecutionResult, _masked(result, context))

    async def stream(  # type: ignore[override]
        self, query: str | None, *, context_value: Any = None, **options: Any
    ) -> Any:
        """Run an operation of a socket."""
        context = await _begin(context_value)
        if isinstance(context, ExecutionResult):
            return _only(context)
        return _masked_stream(await super().stream(query, context_value=context, **options), context)


async def _begin(connection: Connection) -> Context | ExecutionResult:
    try:
        return await connection.operation()
    except DatabaseUnavailable:
        _log.warning("the database did not answer")
    except Exception as error:
        _log.exception("the sign-in could not be looked up", exc_info=error)
    message = render(DEFAULT_LOCALE, "errors.internal")
    return ExecutionResult(data=None, errors=[GraphQLError(message, extensions={"code": "INTERNAL"})])


async def _only(result: ExecutionResult) -> AsyncIterator[ExecutionResult]:
    yield result


async def _masked_stream(results: Any, context: Context) -> AsyncIterator[Any]:
    try:
        async for result in results:
            yield _masked(result, context)
    finally:
        await results.aclose()


def _masked(result: Any, context: Context) -> Any:
    if getattr(result, "errors", None):
        result.errors = [_mask(error, context) for error in result.errors]
    return result


def _mask(error: GraphQLError, context: Context) -> GraphQLError:
    """Return the error as it may be seen outside; what nobody expected is logged here, once, without its inputs."""
    cause = error.original_error
    while isinstance(cause, GraphQLError) and not isinstance(cause, RequestRefused) and cause.original_error:
        cause = cause.original_error
    if isinstance(error, RequestRefused) or isinstance(cause, RequestRefused):
        refused = error if isinstance(error, RequestRefused) else cause
        assert isinstance(refused, RequestRefused)
        return GraphQLError(
            refused.message, nodes=error.nodes, path=error.path, extensions=refused.extensions, original_error=refused
        )
    if isinstance(cause, Refused):
        fault = cause.faults[0]
        text = render(context.locale, fault.key, fault.params)
        return GraphQLError(text, nodes=error.nodes, path=error.path, extensions={"code": "BAD_REQUEST"})
    if error.path is None and (cause is None or isinstance(cause, GraphQLError | ValueError | TypeError)):
        code = "TOO_COMPLEX" if _TOO_COMPLEX.search(error.message) else "BAD_REQUEST"
        return GraphQLError(error.message[:500], nodes=error.nodes, extensions={"code": code})
    if isinstance(cause, CannotGetOperationTypeError | InvalidOperationTypeError):
        return error
    where = ".".join(str(step) for step in error.path or ())
    if isinstance(cause, DatabaseUnavailable):
        _log.warning("the database did not answer", path=where)
    else:
        _log.error("unexpected error", path=where, exc_info=cause or error)
    message = render(context.locale, "errors.internal")
    return GraphQLError(message, nodes=error.nodes, path=error.path, extensions={"code": "INTERNAL"})


def _extensions() -> Sequence[Callable[[], SchemaExtension]]:
    return (
        _Limits,
        lambda: ParserCache(maxsize=CACHED_DOCUMENTS),
        lambda: ValidationCache(maxsize=CACHED_DOCUMENTS),
    )


def build_schema() -> Schema:
    """Return the schema of the whole product."""
    return Schema(
        query=merge_types("Query", QUERIES),
        mutation=merge_types("Mutation", MUTATIONS),
        subscription=merge_types("Subscription", SUBSCRIPTIONS),
        types=(*ERROR_TYPES, *TYPES),
        extensions=list(_extensions()),
        config=CONFIG,
    )


def export_schema() -> str:
    """Return the schema in the schema definition language, as `schema.graphql` holds it."""
    return build_schema().as_str() + "\n"
