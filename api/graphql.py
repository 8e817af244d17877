"""Merges the resolvers into one schema; limits what a document may ask, and masks what nobody outside may read."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, cast

import strawberry
import structlog
from graphql import GraphQLError, OperationDefinitionNode, specified_rules
from strawberry.extensions import ParserCache, SchemaExtension, ValidationCache
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.tools import merge_types
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from api.adapters.database import DatabaseUnavailable
from api.context import Connection, Context, RequestRefused
from api.domain.faults import ErrorCode, Refused
from api.domain.texts import DEFAULT_LOCALE, render
from api.resolvers import MUTATIONS, QUERIES, SUBSCRIPTIONS, TYPES
from api.schema.costs import costs_too_much
from api.schema.errors import ERROR_TYPES
from api.schema.limits import QUERY_LENGTH_MAX, TOKENS_MAX, too_much
from api.schema.scalars import CONFIG

CACHED_DOCUMENTS = 512
_RULES = tuple(specified_rules)
_TOO_MANY_TOKENS = re.compile(r"contains more th\w+ \d+ tokens")
_log = structlog.get_logger("api.graphql")


class _Limits(SchemaExtension):
    """Refuses documents that ask too much, before they cost more than reading them.

    The rules are one tuple: rules made per request would defeat the cache of validated documents.
    """

    def on_operation(self) -> Any:
        self.execution_context.validation_rules = _RULES
        self.execution_context.parse_options["max_tokens"] = TOKENS_MAX
        yield

    def on_parse(self) -> Any:
        if len(self.execution_context.query or "") > QUERY_LENGTH_MAX:
            raise _TooComplex(f"a document has at most {QUERY_LENGTH_MAX} characters")
        yield
        document = self.execution_context.graphql_document
        reason = too_much(document) or costs_too_much(document, self.execution_context.variables) if document else None
        if reason is not None:
            raise _TooComplex(reason)


class _TooComplex(GraphQLError):
    """A document that asks too much."""


class _OneOperation(SchemaExtension):
    """Refuses a document of several operations that does not say which: Strawberry would run the first."""

    def on_validate(self) -> Any:
        context = self.execution_context
        nodes = context.graphql_document.definitions if context.graphql_document else ()
        operations = [node for node in nodes if isinstance(node, OperationDefinitionNode)]
        if len(operations) > 1 and context._provided_operation_name is None and not context.pre_execution_errors:
            context.pre_execution_errors = [GraphQLError("operationName must say which operation to run")]
        yield


class Schema(strawberry.Schema):
    """Looks up the sign-in for each operation, and lets no unexpected error out."""

    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        """Log nothing here: a client's errors are no news, and their text may hold secrets. See `_mask`."""

    async def execute(  # type: ignore[override]
        self, query: str | None, *, context_value: Any = None, **options: Any
    ) -> ExecutionResult:
        """Run a query or mutation of a request; a subscription is refused, it wants a socket."""
        context = await _begin(context_value)
        if isinstance(context, ExecutionResult):
            return context
        options["allowed_operation_types"] = (OperationType.QUERY, OperationType.MUTATION)
        result = await super().execute(query, context_value=context, **options)
        return cast(ExecutionResult, _masked(result, context))

    async def stream(  # type: ignore[override]
        self, query: str | None, *, context_value: Any = None, **options: Any
    ) -> Any:
        """Run an operation of a socket."""
        context = await _begin(context_value)
        if isinstance(context, ExecutionResult):
            return _only(context)
        try:
            results = await super().stream(query, context_value=context, **options)
        except GraphQLError as error:
            # What a document cannot even be parsed for flies out of the cache of parsed documents.
            return _only(PreExecutionError(data=None, errors=[_mask(error, context)]))
        return _masked_stream(results, context)


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
    except GraphQLError as error:
        yield PreExecutionError(data=None, errors=[_mask(error, context)])
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
        extensions: dict[str, Any] = {"code": "BAD_REQUEST"}
        if fault.code is ErrorCode.RATE_LIMITED:
            extensions = {"code": fault.code.value, "retryAfterSeconds": fault.facts["retry_after_seconds"]}
        return GraphQLError(text, nodes=error.nodes, path=error.path, extensions=extensions)
    if error.path is None and (cause is None or isinstance(cause, GraphQLError | ValueError | TypeError)):
        too_complex = isinstance(error, _TooComplex) or isinstance(cause, _TooComplex)
        code = "TOO_COMPLEX" if too_complex or _TOO_MANY_TOKENS.search(error.message) else "BAD_REQUEST"
        return GraphQLError(error.message[:500], nodes=error.nodes, extensions={"code": code})
    if isinstance(cause, CannotGetOperationTypeError):
        return GraphQLError(cause.as_http_error_reason(), extensions={"code": "BAD_REQUEST"})
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
        _OneOperation,  # After the cache, which sets the errors anew.
    )


def _root(name: str, parts: tuple[type, ...], description: str) -> type:
    merged = merge_types(name, parts)
    cast(Any, merged).__strawberry_definition__.description = description
    return merged


def build_schema() -> Schema:
    """Return the schema of the whole product."""
    return Schema(
        query=_root("Query", QUERIES, "What can be read."),
        mutation=_root("Mutation", MUTATIONS, "What can be done; each answers with what it refused in `errors`."),
        subscription=_root("Subscription", SUBSCRIPTIONS, "What can be followed live."),
        types=(*ERROR_TYPES, *TYPES),
        extensions=list(_extensions()),
        config=CONFIG,
    )


def export_schema() -> str:
    """Return the schema in the schema definition language, as `schema.graphql` holds it."""
    return build_schema().as_str() + "\n"
