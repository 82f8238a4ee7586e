"""The schema's history, oldest first by revision number."""
