"""The state that migrations are applied to, without what makes it slow.

Tortoise renders all models anew for each operation, and builds their querysets, so that an empty database took longer
with the square of what there is. Operations replace models and never change them, so states can share them; and no
migration of ours asks the database by a model.
"""

from __future__ import annotations

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


class QuickExecutor(MigrationExecutor):
    """Applies migrations as Tortoise does, on states that share their models."""

    async def _project_state(self, applied: set[MigrationKey], *, upto: MigrationKey | None = None) -> State:
        connections = {
            label: config.get("default_connection", "default") for label, config in self.loader.apps_config.items()
        }
        state = State(models={}, apps=_SharedApps(default_connections=connections))
        for key in self._full_plan():
            if key == upto:
                break
            if key in applied and (migration := self.loader.graph.nodes[key]) is not None:
                await migration.apply(state, dry_run=True, schema_editor=None)
        return state
