"""Alembic's script location. `versions/` holds one file a change of the schema."""
