"""Alembic's folder. `env.py` runs the migrations of `versions/` on a given connection."""
