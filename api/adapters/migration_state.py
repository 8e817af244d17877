"""The state that migrations are applied to, without what makes it slow.

Tortoise renders all models anew for each operation, and builds their querysets, so that an empty database took longer
with the square of what there is. Operations replace models and never change them, so states can share them; and no
migration of ours asks the database by a model.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from copy import copy
from dataclasses import replace

from tortoise.fields.relational import ForeignKeyFieldInstance
from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.graph import MigrationKey
from tortoise.migrations.schema_generator.state import ModelState, State
from tortoise.migrations.schema_generator.state_apps import StateApps
from tortoise.models import Model


class _SharedApps(StateApps):
    """Models of a state, shared with the states before and after it."""

    def unregister_model(self, app_label: str, model_name: str) -> None:
        """Take a model out of this state; it stays whole, since an earlier state may still show it."""
        self.apps.get(app_label, {}).pop(model_name, None)

    def clone(self, model_states: dict[tuple[str, str], ModelState] | None = None) -> StateApps:
        """Return a state's models that can change without this one's."""
        cloned = _SharedApps(default_connections=dict(self._default_connections), connections=self._connections)
        cloned.apps = {label: dict(models) for label, models in self.apps.items()}
        return cloned

    def _build_initial_querysets(self) -> None:
        """Build none."""


class _SharedState(State):
    """A state that renders a model anew when the model itself changed, and leaves those related to it as they are.

    What is altered in a database is read from the model and from the tables and keys of those it refers to, which
    stay; so a rename of either needs more than this.
    """

    def clone(self) -> State:
        """Return a state that can change without this one: operations replace fields, too, and never change them."""
        models = {
            key: replace(model, options=dict(model.options), fields=dict(model.fields))
            for key, model in self.models.items()
        }
        return _SharedState(models=models, apps=self.apps.clone(model_states=models))

    def _find_related_models(self, app_label: str, model_name: str) -> set[tuple[str, str]]:
        return {(app_label, model_name)}

    def _reload(self, models_to_reload: set[tuple[str, str]]) -> None:
        """Show models as they are now."""
        for app_label, model_name in models_to_reload:
            state = self.models[app_label, model_name]
            shown = self.apps.apps.get(app_label, {}).get(model_name)
            if shown is not None and shown.__dict__["_rendered_of"] == _names_of(state):
                self.apps.apps[app_label][model_name] = _with_options_of(state, shown)
            else:
                self.apps.unregister_model(app_label, model_name)
                self.apps.register_model(app_label, self._render(state))
        self.apps._init_relations()

    def _render(self, state: ModelState) -> type[Model]:
        model = state.render(self.apps)
        for field in model._meta.fields_map.values():
            if isinstance(field, ForeignKeyFieldInstance):
                # What leads back would be one more thing to keep right in the models referred to, and changes no table.
                field.related_name = False
        model._rendered_of = _names_of(state)  # type: ignore[attr-defined]
        return model


def _with_options_of(state: ModelState, shown: type[Model]) -> type[Model]:
    """Return a copy that shares the fields: an earlier state may show the other."""
    model = type.__new__(type(shown), shown.__name__, shown.__bases__, dict(shown.__dict__))
    model._meta = copy(shown._meta)
    model._meta._model = model
    model._meta.constraints = tuple(state.options.get("constraints", ()))
    model._meta.table_description = state.options.get("table_description", "")
    return model


def _names_of(state: ModelState) -> tuple[object, ...]:
    """Return what a model is rendered of, besides constraints and its description."""
    kept = {name: value for name, value in state.options.items() if name not in ("constraints", "table_description")}
    return (state.table, dict(state.fields), kept)


class QuickExecutor(MigrationExecutor):
    """Applies migrations and takes them back as Tortoise does, on states that share their models."""

    async def _project_state(self, applied: set[MigrationKey], *, upto: MigrationKey | None = None) -> State:
        states = self._states(applied)
        async for key, state in states:
            if key == upto:
                return state
        return state

    async def _project_state_cache(self, applied: set[MigrationKey]) -> dict[MigrationKey, State]:
        return {key: state.clone() async for key, state in self._states(applied) if key is not None}

    async def _states(self, applied: set[MigrationKey]) -> AsyncGenerator[tuple[MigrationKey | None, State]]:
        """Give the state as it was before each migration that is applied, and after the last with None."""
        connections = {
            label: config.get("default_connection", "default") for label, config in self.loader.apps_config.items()
        }
        state = _SharedState(models={}, apps=_SharedApps(default_connections=connections))
        for key in self._full_plan():
            if key in applied and (migration := self.loader.graph.nodes[key]) is not None:
                yield key, state
                await migration.apply(state, dry_run=True, schema_editor=None)
        yield None, state
