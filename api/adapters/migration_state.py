"""The state that migrations are applied to, without what makes it slow.

Tortoise renders all models anew for each operation, and builds their querysets, so that an empty database took longer
with the square of what there is. Operations replace models and never change them, so states can share them; and no
migration of ours asks the database by a model.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from copy import copy

from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.graph import MigrationKey
from tortoise.migrations.schema_generator.state import ModelState, State
from tortoise.migrations.schema_generator.state_apps import StateApps


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
    """A state that renders one model anew, not all that are related to it, where no field of it changed."""

    def clone(self) -> State:
        """Return a state that can change without this one."""
        models = {key: model.clone() for key, model in self.models.items()}
        return _SharedState(models=models, apps=self.apps.clone(model_states=models))

    def reload_model(self, app_label: str, model_name: str) -> None:
        """Show a model as it is now."""
        state = self.models[app_label, model_name]
        shown = self.apps.apps.get(app_label, {}).get(model_name)
        if shown is None or shown.__dict__.get("_rendered_of") != _names_of(state):
            super().reload_model(app_label, model_name)
            return
        # Only its options are others, so a copy that shares its fields will do; an earlier state may show the other.
        model = type.__new__(type(shown), shown.__name__, shown.__bases__, dict(shown.__dict__))
        model._meta = copy(shown._meta)
        model._meta._model = model
        model._meta.constraints = tuple(state.options.get("constraints", ()))
        model._meta.table_description = state.options.get("table_description", "")
        self.apps.apps[app_label][model_name] = model

    def _reload(self, models_to_reload: set[tuple[str, str]]) -> None:
        super()._reload(models_to_reload)
        for app_label, model_name in models_to_reload:
            model = self.apps.apps[app_label][model_name]
            model._rendered_of = _names_of(self.models[app_label, model_name])  # type: ignore[attr-defined]


def _names_of(state: ModelState) -> tuple[object, ...]:
    """Return what a model is rendered of, besides constraints and its description."""
    kept = {name: value for name, value in state.options.items() if name not in ("constraints", "table_description")}
    return (state.table, {name: id(field) for name, field in state.fields.items()}, kept)


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
