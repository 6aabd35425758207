"""The command line: the Python API under the same names. Torch is imported by what needs it."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import typer

from evonas.errors import ConfigError, StoreError

app = typer.Typer(
    help="Evolve PyTorch models: children inherit the trained weights of their parents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

RunFile = Annotated[Path, typer.Argument(help="A run file, such as runs/digits.toml.")]
RunFolder = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run's folder, or its run file: runs/digits.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the run file; repeatable."),
]
Trust = Annotated[
    bool,
    typer.Option("--trust", help="Let the folder of somebody else run the code that it names."),
]
Identity = Annotated[
    int | None, typer.Option("--id", help="The candidate with this number.", min=0)
]


@app.command()
def run(
    file: RunFile,
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the run goes; by default runs/NAME.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Search; the same command continues an interrupted search."""
    from evonas import api
    from evonas.report.live import view_for

    _look_here()
    configured = api.configure(file, overrides or [])
    folder = out or api.default_folder(configured.name)
    with view_for(configured, quiet=quiet) as view:
        found = api.search(configured, out=folder, view=view)
    _show_result(found)


@app.command()
def front(
    folder: RunFolder,
    limit: Annotated[
        list[str] | None,
        typer.Option("--limit", metavar="NAME=MAXIMUM", help="Leave out what is larger."),
    ] = None,
    trust: Trust = False,
) -> None:
    """Show the candidates that no other one beats in every objective."""
    from evonas import api
    from evonas.report.terminal import front_table

    found = api.open_run(folder, trust=_trusting(folder, trust))
    members = found.front(_limits(limit))
    with found.blaming():
        _print(front_table(members, found.run.objectives, found.run.genes))


@app.command()
def lineage(
    folder: RunFolder,
    form: Annotated[
        Literal["tree", "graphml", "png"], typer.Option("--format", help="What to make.")
    ] = "tree",
    to: Annotated[Path | None, typer.Option(help="The file to write.")] = None,
    source: Annotated[
        Literal["journal", "mlflow"], typer.Option("--from", help="Where to read the births.")
    ] = "journal",
    trust: Trust = False,
) -> None:
    """Show who descends from whom, by which edits."""
    from evonas import api
    from evonas.report.family_picture import to_png
    from evonas.report.family_tree import to_graphml, tree_text

    found = api.open_run(folder, trust=_trusting(folder, trust))
    graph = found.lineage(source)
    if form == "tree":
        with found.blaming():
            text = tree_text(graph)
        _write(to, text) if to else print(text)
        return
    target = to or found.folder / f"lineage.{form}"
    with found.blaming():
        (to_graphml if form == "graphml" else to_png)(graph, target)
    print(target)


@app.command()
def report(
    folder: RunFolder,
    to: Annotated[Path | None, typer.Option(help="The file; by default RUN/report.html.")] = None,
    test: Annotated[
        bool,
        typer.Option(
            "--test",
            help="Train the best one from scratch beside its inherited weights, and judge both "
            "on the test data. Done once a run; kept in RUN/test.json.",
        ),
    ] = False,
    trust: Trust = False,
) -> None:
    """Write one HTML file that shows the whole search."""
    from evonas import api

    print(api.open_run(folder, trust=_trusting(folder, trust)).report(to, test=test))


@app.command()
def export(
    folder: RunFolder,
    best: Annotated[bool, typer.Option("--best", help="The best one (the default).")] = False,
    number: Identity = None,
    form: Annotated[
        Literal["safetensors", "torch", "onnx", "python"],
        typer.Option("--format", help="What to make; `python` is a standalone model.py."),
    ] = "safetensors",
    to: Annotated[Path | None, typer.Option(help="The file to write.")] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option("--limit", metavar="NAME=MAXIMUM", help="The best one within a limit."),
    ] = None,
    view: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A view that its cohort hands over, in its place."),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="One network of a candidate of several: an actor."),
    ] = None,
    trust: Trust = False,
) -> None:
    """Hand out a trained candidate, loaded back and compared before it is called done."""
    from evonas import api

    if best and number is not None:
        raise ConfigError("--best and --id exclude each other; give one")
    found = api.open_run(folder, trust=_trusting(folder, trust))
    member = found.best(_limits(limit)) if number is None else found.member(number)
    print(*member.export(to, form, view, network), sep="\n")


@app.command()
def replay(folder: RunFolder, number: Identity = None, trust: Trust = False) -> None:
    """Re-create a candidate from its ancestors and compare its weights with the recorded ones."""
    from evonas import api

    found = api.open_run(folder, trust=_trusting(folder, trust))
    member = found.best() if number is None else found.member(number)
    result = found.replay(member.number, told=print)
    print(result.text)
    if not result.equal:
        raise typer.Exit(1)


@app.command()
def track(folder: RunFolder, trust: Trust = False) -> None:
    """Log to the tracking system whatever it does not hold yet."""
    from evonas import api
    from evonas.report.arrivals import arrivals

    found = api.open_run(folder, trust=_trusting(folder, trust))
    with arrivals() as told:
        missing = found.track(told=told)
    print(missing)


@app.command()
def repair(
    folder: RunFolder,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train candidates again whose weights are lost.")
    ] = False,
    trust: Trust = False,
) -> None:
    """Keep what is intact of a damaged run; what is not is set aside and made again if it can."""
    from evonas import api
    from evonas.repair import repair
    from evonas.trust import check_trusted, is_signed

    path = api.folder_of(folder)
    with suppress(StoreError):  # a damaged run file names no code: it is set aside
        _trusting(path, trust)
    if retrain:
        check_trusted(path, trust or is_signed(path), "this trains as its run file says")
    if not repair(path, retrain=retrain, told=print):
        raise typer.Exit(1)


@app.command()
def plugins() -> None:
    """List what is installed, with its papers: spaces, trainers, mutations, presets and others."""
    from evonas.catalogue import catalogue

    _print(catalogue())


@app.command()
def check(
    name: Annotated[str, typer.Argument(help="A plug-in: `module:Class` or KIND/NAME.")],
) -> None:
    """Run the conformance suite on a plug-in of yours."""
    from evonas.testing import check_plugin

    _look_here()
    lines, passed = check_plugin(name)
    print("\n".join(lines))
    if not passed:
        raise typer.Exit(1)


@app.command()
def doctor() -> None:
    """Say what this machine and installation can do."""
    from evonas.doctor import examine

    lines, healthy = examine()
    print("\n".join(lines))
    if not healthy:
        raise typer.Exit(1)


def _trusting(path: Path, trust: bool) -> bool:
    """Return `trust`; where there is any, look for code as the search has found it."""
    from evonas import api
    from evonas.trust import trusted

    if trust or trusted(api.folder_of(path)):
        _look_here()
    return trust


def _look_here() -> None:
    """Look for code of the user's in the current folder, too, after everything installed.

    Nowhere else: what is installed tries to import what may be missing, and would find it there.
    """
    sys.path.append(str(Path.cwd()))


def _limits(options: list[str] | None) -> dict[str, float]:
    limits: dict[str, float] = {}
    for option in options or []:
        name, mark, value = option.partition("=")
        try:
            limits[name] = float(value)
        except ValueError:
            mark = ""
        if not mark:
            raise ConfigError(f"--limit takes name=number, for example macs=5e6, not {option!r}")
    return limits


def _write(path: Path, text: str) -> None:
    from evonas import store

    store.write_text(path, text + "\n")
    print(path)


def _print(renderable: object) -> None:
    from rich.console import Console

    Console().print(renderable)


def _show_result(found: object) -> None:
    from evonas.api import Found
    from evonas.report.terminal import front_table

    assert isinstance(found, Found)
    _print(front_table(found.front(), found.run.objectives, found.run.genes))
    best = found.best()
    print(f"best: {best.number}, exported to", *best.export())
    print(f"report: {found.report()}")
