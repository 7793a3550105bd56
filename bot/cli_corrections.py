"""``whosthat corrections``: what leaves the ledger, what comes into it, and what is swept away."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False)


def register(program: typer.Typer) -> None:
    """Add the group to the program."""
    program.add_typer(app, name="corrections", help="What people taught: export, import, and what goes.")


@app.callback()
def corrections() -> None:
    """What people taught: export, import, and what goes."""
