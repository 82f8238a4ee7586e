"""`radixa docs`: collections of documents, of a running server or straight in the database of this installation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radixa.cli.common import ApiKey, Json, Url, console, print_json, printable, progress_bars
from radixa.core.errors import CallFailed, InvalidRequest

if TYPE_CHECKING:
    from radixa.cli.local_docs import Row

app = typer.Typer(no_args_is_help=True)

MOST_REFUSED = 20
"""Files that one command leaves out before it gives up: then it is not the files."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="The collection's name.")]


@app.callback()
def group() -> None:
    """Documents that programs retrieve passages of. With --url those of a server, else those in this installation's
    database (RADIXA_HOME).

    Example: radixa docs add handbook docs/
    """


@app.command("add")
def add(
    name: Name,
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", exists=True, readable=True, help="Text, Markdown, HTML, PDF, or folders."),
    ],
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Add files to a collection, which is made if it is not there; one of the same name is replaced.

    Of a folder all files of those kinds are added, by their path within it. Those that cannot be read are named, and
    the others are added.

    Example: radixa docs add handbook README.md docs/
    """
    from radixa.cli.doc_files import documents_in
    from radixa.cli.local_docs import place

    files = documents_in(paths)
    if not files:
        raise typer.BadParameter("there is no file of text, Markdown, HTML or PDF", param_hint="'PATH...'")
    added: list[Row] = []
    refused = 0
    with place(url, api_key) as library, progress_bars() as progress:
        for done, (title, path) in enumerate(files):
            progress(f"Adding to {printable(name)}", done, len(files))
            try:
                added.append(library.add(name, title, path.read_bytes()))
            except (InvalidRequest, CallFailed) as error:
                refused += 1
                of_the_file = isinstance(error, InvalidRequest) or error.answered == InvalidRequest.status
                if not of_the_file or refused in (len(files), MOST_REFUSED):
                    raise
                typer.echo(f"radixa: not added: {printable(error.message)}", err=True)
    if as_json:
        print_json(added)
    else:
        passages = sum(one["passages"] for one in added)
        typer.echo(f"{printable(name)}: {_counted(len(added), 'document')}, {_counted(passages, 'passage')} added")
    if refused:
        raise typer.Exit(1)


@app.command("list")
def list_collections(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One collection, document by document.")] = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """List the collections, or the documents of one.

    Example: radixa docs list handbook
    """
    from radixa.cli.local_docs import place

    with place(url, api_key) as library:
        rows = library.collections() if name is None else library.documents(name)
    if as_json:
        print_json(rows)
        return
    from rich.table import Table

    columns = ["document", "read as", "passages", "characters"]
    if name is None:
        columns = ["collection", "documents", "passages", "characters", "vectors of"]
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        counts = [f"{row[kind]:,}" for kind in ("passages", "characters")]
        if name is None:
            table.add_row(printable(row["name"]), f"{row['documents']:,}", *counts, row["embedding_model"] or "none")
        else:
            table.add_row(printable(row["name"]), row["format"], *counts)
    console().print(table)


@app.command("search")
def search(
    name: Name,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A question, or words.")],
    k: Annotated[int, typer.Option("-k", "--passages", min=1, max=100, help="How many passages.")] = 4,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Show the passages that fit a question best, the best first.

    Example: radixa docs search handbook "how are keys revoked?"
    """
    from radixa.cli.local_docs import place

    with place(url, api_key) as library:
        found = library.search(name, query, k)
    if as_json:
        print_json(found)
        return
    for place_, passage in enumerate(found):
        if place_:
            typer.echo("")
        typer.secho(f"{passage['rank']}  {printable(passage['document'])}", bold=True)
        typer.echo("\n".join(printable(line) for line in passage["text"].split("\n")))


@app.command("remove")
def remove(
    name: Name,
    document: Annotated[
        str | None, typer.Argument(metavar="[DOCUMENT]", help="One document; without it, the whole collection.")
    ] = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Remove a document, or a collection with all that is in it.

    Example: radixa docs remove handbook old.md
    """
    from radixa.cli.local_docs import place

    with place(url, api_key) as library:
        gone = library.remove(name, document)
    if as_json:
        print_json(gone)
    else:
        what = "the collection" if document is None else "the document"
        typer.echo(f"{what} {printable(gone['name'])} is removed")


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
