"""The tree as a picture in a browser: one self-contained file, or the same script served by the dashboard."""
