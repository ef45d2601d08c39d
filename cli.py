"""The command line: ``planner route``, ``project``, ``code``, ``eval``, ``train``, and so on."""

from __future__ import annotations

import atexit
import gc
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

# Nothing is ever fetched: the program works without a network once it is set up.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
# Bars of libraries: the program shows one of its own. Read when tqdm is first imported.
os.environ.setdefault("TQDM_DISABLE", "1")

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:  # what loads the model's code is imported by the commands that need it
    from planner import Answer, Planner
    from planner.report import Domain

bench = typer.Typer(no_args_is_help=True, help="Measure the planner on tasks whose meaning is known.")
app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Plan trips and projects and write programs from your own words, offline.",
)
app.add_typer(bench, name="bench")
_err = Console(stderr=True)

USAGE_ERROR = 2

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Session = Annotated[str | None, typer.Option(help="Name of a session to start or continue.")]
Base = Annotated[Path | None, typer.Option(help="Folder of another base model with its adapter.")]


@app.command()
def route(
    text: Annotated[str, typer.Argument(help="What you want, in your own words; - reads standard input.")],
    as_json: AsJson = False,
    map_file: Annotated[Path | None, typer.Option("--map", help="Write a map as one HTML page.")] = None,
    gpx: Annotated[Path | None, typer.Option(help="Write the route as GPX.")] = None,
    geojson: Annotated[Path | None, typer.Option(help="Write the route as GeoJSON.")] = None,
    session: Session = None,
    base: Base = None,
) -> None:
    """Plan a car route in the United States, or revise the one of a session."""
    from planner.report import ROUTE
    from planner.write import write_route

    _answer(
        ROUTE,
        lambda planner: planner.route(_said(text), session=session),
        lambda answer: write_route(answer, map_file=map_file, gpx=gpx, geojson=geojson),
        targets=(map_file, gpx, geojson),
        as_json=as_json,
        session=session,
        base=base,
    )


@app.command()
def project(
    text: Annotated[
        str | None, typer.Argument(help="What is to be done, in your words; - reads standard input.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Tasks from a file: .csv, .yaml or MS Project .xml.")
    ] = None,
    template: Annotated[str | None, typer.Option(help="Name of the template to take the tasks from.")] = None,
    start: Annotated[str | None, typer.Option(metavar="DATE", help="First day of work, YYYY-MM-DD.")] = None,
    deadline: Annotated[str | None, typer.Option(metavar="DATE", help="Last day of work.")] = None,
    done: Annotated[
        list[str] | None, typer.Option(metavar="TASK=60%", help="How much of a task is done; repeat it.")
    ] = None,
    asof: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="By the end of which day; today if not said."),
    ] = None,
    slip: Annotated[
        list[str] | None,
        typer.Option(metavar="TASK=5", help="What if a task takes so many working days longer? Repeat it."),
    ] = None,
    simulate: Annotated[
        int,
        typer.Option(min=0, max=100_000, help="Samples of the finish, from best, likely, worst."),
    ] = 0,
    gantt: Annotated[Path | None, typer.Option(help="Write a Gantt chart as one HTML page.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the schedule as CSV.")] = None,
    ics: Annotated[Path | None, typer.Option(help="Write the schedule as iCalendar.")] = None,
    mermaid: Annotated[Path | None, typer.Option(help="Write the schedule as a Mermaid Gantt chart.")] = None,
    xml: Annotated[Path | None, typer.Option(help="Write the schedule as MS Project XML.")] = None,
    as_json: AsJson = False,
    session: Session = None,
    base: Base = None,
) -> None:
    """Schedule a project: who does which task when; or revise the one of a session."""
    from planner.given import given_project
    from planner.report import PROJECT
    from planner.write import write_project

    def ask(planner: Planner) -> Answer:
        given = given_project(
            file=file,
            template=template,
            start=start,
            deadline=deadline,
            done=done or (),
            asof=asof,
            slips=slip or (),
            runs=simulate,
        )
        return planner.project(None if text is None else _said(text), session=session, given=given)

    if text is None and file is None and template is None:
        raise typer.BadParameter("say what is to be done, or name a --file or a --template")
    if text is None and session is not None:
        raise typer.BadParameter("a session remembers what was said: say something", param_hint="--session")
    _answer(
        PROJECT,
        ask,
        lambda answer: write_project(answer, gantt=gantt, csv=csv, ics=ics, mermaid=mermaid, xml=xml),
        targets=(gantt, csv, ics, mermaid, xml),
        as_json=as_json,
        session=session,
        base=base,
    )


@app.command()
def code(
    text: Annotated[str, typer.Argument(help="What to build, in your own words; - reads standard input.")],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the program: empty, missing, or one that was written before."
        ),
    ] = None,
    function: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Functions with examples (.py), whose bodies are to be written."),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, max=200, help="Bodies to try at a time.")] = 8,
    repairs: Annotated[int, typer.Option(min=0, max=20, help="Rounds of repair for a function.")] = 2,
    endpoint: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Send the functions to this OpenAI-compatible endpoint instead."),
    ] = None,
    endpoint_model: Annotated[str | None, typer.Option(help="Which of its models to ask.")] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Print what changes, line by line.")] = False,
    as_json: AsJson = False,
    session: Session = None,
    base: Annotated[
        Path | None,
        typer.Option(help="Folder of another base model; one without an adapter writes functions only."),
    ] = None,
) -> None:
    """Write a program that keeps records, and test it; or revise the one of a session."""
    from planner.code_models import chosen_model, reading_base
    from planner.given import given_code
    from planner.report import CODE
    from planner.write import write_code

    def ask(planner: Planner) -> Answer:
        model = chosen_model(base, endpoint=endpoint, name=endpoint_model)
        given = given_code(out=out, diff=diff, functions=function, samples=samples, repairs=repairs)
        return planner.code(_said(text), session=session, given=given, model=model)

    _answer(
        CODE,
        ask,
        write_code,
        targets=(),
        as_json=as_json,
        session=session,
        base=reading_base(base) if function is not None else base,
    )


@app.command("eval")
def evaluate(
    file: Annotated[Path, typer.Argument(help="Conversations with their meaning, one JSON object a line.")],
    domain: Annotated[str | None, typer.Option(help="Only conversations of this domain.")] = None,
    reading: Annotated[
        Literal["state", "sight", "zeroed", "transcript"],
        typer.Option(
            help="From the state; with the text in sight, too; from a zeroed state; or from the whole "
            "conversation without a state."
        ),
    ] = "state",
    compare: Annotated[
        bool,
        typer.Option(help="Read again with the text in sight, as a plan does, and count what is asked."),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write the predictions, one JSON object a line.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many conversations.")] = None,
    adapter: Annotated[Path | None, typer.Option(help="Other trained weights of the same base.")] = None,
    base: Base = None,
) -> None:
    """Read requests whose meaning is known and say how many were read exactly."""
    from planner import BaseError
    from planner.evaluate import EvaluationError, evaluate_file

    gc.enable()  # see main
    with _progress(quiet=False) as tell:
        try:
            lines = evaluate_file(
                file,
                domain=domain,
                mode=reading,
                out=out,
                limit=limit,
                compares=compare,
                base=base,
                adapter=adapter,
                progress=tell,
                note=_note,
            )
        except (EvaluationError, BaseError, OSError) as error:
            _fail(str(error))
    for line in lines:
        typer.echo(line)


@app.command()
def train(config: Annotated[Path, typer.Argument(help="Training configuration (YAML).")]) -> None:
    """Train the reader's memory; an interrupted run goes on where its last checkpoint left off."""
    from lpm_model.base import BaseError
    from lpm_model.retrofit import AdapterError
    from planner.train import ConfigError, TrainConfig
    from planner.train import train as run

    gc.enable()  # see main
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stopped run keeps its progress
    try:
        wanted = TrainConfig.from_file(config)
        steps = int(wanted.training["steps"])
        with _progress(quiet=False) as tell:

            def report(metrics: dict[str, float]) -> None:
                shown = ", ".join(
                    f"{k} {v:.3f}"
                    for k, v in metrics.items()
                    if any(part in k for part in ("loss", "exact", "reward"))
                )
                tell(f"step {metrics['step']:.0f}: {shown}", metrics["step"] / steps)

            adapter = run(wanted, report)
    except (ConfigError, BaseError, AdapterError, OSError, KeyError) as error:
        _fail(str(error))
    typer.echo(f"the adapter is {adapter}")


@app.command()
def calibrate(
    conversations: Annotated[int, typer.Option(min=2, help="How many to generate and read.")] = 150,
    adapter: Annotated[Path | None, typer.Option(help="Other trained weights of the same base.")] = None,
    base: Base = None,
) -> None:
    """Fit how sure the reader is to how often it is right; the result is kept beside the weights."""
    from planner import BaseError
    from planner.calibrate import calibrate_weights

    gc.enable()  # see main
    with _progress(quiet=False) as tell:
        try:
            lines = calibrate_weights(conversations, base=base, adapter=adapter, progress=tell, note=_note)
        except (BaseError, OSError) as error:
            _fail(str(error))
    for line in lines:
        typer.echo(line)


@bench.command()
def multihop(
    data: Annotated[Path, typer.Option(help="Problems in ProsQA's format (JSON).")],
    config: Annotated[Path, typer.Option(help="Experiment whose trained arms answer (YAML).")] = Path(
        "configs/multihop-prosqa.yaml"
    ),
) -> None:
    """Ask every trained arm of an experiment the questions of a file: what is right, and what it costs."""
    from lpm_model.baselines.data import Problems
    from lpm_model.baselines.experiment import Experiment, ExperimentError
    from lpm_model.baselines.report import by_hops, compare, table
    from lpm_model.data.multihop import DataError, read_prosqa

    gc.enable()  # see main
    try:
        experiment = Experiment.from_file(config)
        rows = compare(experiment, Problems(read_prosqa(data), experiment.symbols), note=_note)
    except (ExperimentError, DataError, OSError) as error:
        _fail(str(error))
    typer.echo(f"{table(rows)}\n\n{by_hops(rows)}")


@bench.command()
def arithmetic(
    config: Annotated[Path, typer.Option(help="Experiment whose trained arms answer (YAML).")] = Path(
        "configs/arithmetic.yaml"
    ),
    count: Annotated[int, typer.Option(min=1, help="How many calculations to ask.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the calculations.")] = 1,
) -> None:
    """Ask every trained arm of an experiment new calculations: what is right, and what it costs."""
    from lpm_model.baselines.experiment import Experiment, ExperimentError, calculations
    from lpm_model.baselines.report import by_hops, compare, table

    gc.enable()  # see main
    try:
        experiment = Experiment.from_file(config)
        if experiment.task != "arithmetic":
            _fail(f"{config} is an experiment with graphs: planner bench multihop")
        rows = compare(experiment, calculations(experiment, f"ask/{seed}", count), note=_note)
    except (ExperimentError, OSError) as error:
        _fail(str(error))
    typer.echo(f"{table(rows)}\n\n{by_hops(rows)}")


@bench.command("code")
def bench_code(
    file: Annotated[Path, typer.Argument(help="Conversations with their meaning, one JSON object a line.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many conversations.")] = None,
    as_json: AsJson = False,
    adapter: Annotated[Path | None, typer.Option(help="Other trained weights of the same base.")] = None,
    base: Base = None,
) -> None:
    """Build programs from requests, run them, and count what reading costs in three ways."""
    from planner import BaseError
    from planner.bench.code import bench_code as measure
    from planner.bench.code import print_bench
    from planner.evaluate import EvaluationError

    gc.enable()  # see main
    with _progress(quiet=as_json) as tell:
        try:
            found = measure(file, limit=limit, base=base, adapter=adapter, progress=tell, note=_note)
        except (EvaluationError, BaseError, OSError) as error:
            _fail(str(error))
    if as_json:
        typer.echo(json.dumps(found.as_object()))
    else:
        print_bench(found, Console())


@app.command()
def doctor() -> None:
    """Say what is installed, cached and missing."""
    from planner.doctor import examine

    findings = examine()
    width = max(len(f.what) for f in findings)
    for finding in findings:
        typer.echo(f"{'ok ' if finding.ok else '!! '} {finding.what:<{width}}  {finding.detail}")
    raise typer.Exit(0 if all(f.ok for f in findings) else 1)


def _said(text: str) -> str:
    """The person's words: the argument, or for ``-`` standard input."""
    return sys.stdin.buffer.read().decode("utf-8", "replace") if text == "-" else text


def _answer(
    domain: Domain,
    ask: Callable[[Planner], Answer],
    write: Callable[[Answer], list[Path]],
    *,
    targets: Sequence[Path | None],
    as_json: bool,
    session: str | None,
    base: Path | None,
) -> NoReturn:
    """Ask the planner, write the files, print the answer, and end with its exit code.

    Args:
        domain: How answers are shown.
        ask: Gets the answer.
        write: Writes the files that were asked for and returns them.
        targets: Where those files are, so that a wrong place is found out before long work.
    """
    from planner import BaseError, Planner, SessionError
    from planner.report import answer_object, error_object, print_answer
    from planner.write import check_target
    from tools.roads import RoadDataMissing
    from tools.tool import BadInput

    try:
        for target in targets:
            if target is not None:
                check_target(target)
        with _progress(quiet=as_json) as tell:
            answer = ask(Planner(base, progress=tell, note=_note))
    except (BaseError, SessionError, RoadDataMissing, BadInput, OSError) as error:
        if as_json:
            typer.echo(json.dumps(error_object(str(error), session, domain)))
        _fail(str(error))
    shown, written, failed = answer_object(answer, domain), [], ""
    try:
        written = write(answer)
    except (BadInput, OSError) as error:
        failed = str(error)
        shown["error"] = failed
    if as_json:
        # ASCII only: no encoding of the output can spoil it, and no terminal finds an escape in it.
        typer.echo(json.dumps(shown))
    else:
        console = Console()
        console.soft_wrap = not console.is_terminal  # in a file or a pipe a line stays a line
        print_answer(answer, domain, console, written)
    if failed:
        _fail(failed)
    raise typer.Exit(int(answer.status))


def _fail(message: str) -> NoReturn:
    _tell(f"error: {message}", "red")
    raise typer.Exit(USAGE_ERROR)


def _note(message: str) -> None:
    _tell(f"note: {message}", "yellow")


def _tell(message: str, style: str) -> None:
    # A message may quote somebody's text; a terminal shows it and obeys nothing in it.
    shown = "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in message.splitlines())
    _err.print(shown, style=style, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Any]:
    """A bar on standard error for long work; a plain silence where nobody watches."""
    if quiet or not _err.is_terminal:
        yield lambda _stage, _share: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_err, transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda stage, share: bar.update(task, description=stage, completed=share)


def main() -> None:
    """Entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal's encoding lacks
    # Looking for garbage in cycles among all that the imports make takes seconds, and one plan leaves little.
    # What runs for long turns it on again. At the end all goes with the process.
    gc.disable()
    atexit.register(gc.freeze)
    app(prog_name="planner")


if __name__ == "__main__":
    main()
