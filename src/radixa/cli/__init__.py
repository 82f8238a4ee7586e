"""The command line: one Typer application, thin."""
