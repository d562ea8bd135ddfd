"""The `hwsim` command. Results go to stdout, progress and errors to stderr.

Exit codes: 0 finished whatever the verdicts (1 with ``--strict`` when a claim is not reproduced), 2 usage,
3 a tool is missing, 4 internal. A user's mistake never shows a traceback. Everything heavy is imported inside
the commands, so that ``hwsim --help`` stays fast.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hwsim import __version__
from hwsim.ir.errors import HwsimError

STOPPED = 130  # Ctrl-C: 128 + SIGINT

app = typer.Typer(
    name="hwsim",
    help="Papers from training to silicon numbers: run a bench, read its verdicts, take its Verilog.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
ir = typer.Typer(help="Look into artifact files (*.hwir.safetensors).", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(ir, name="ir")

Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
Out = Annotated[Path, typer.Option("--out", help="Results folder.")]
Slug = Annotated[str, typer.Argument(metavar="SLUG", help="A paper; see hwsim list.")]
ENCODER = "lsa (fits itself to the texts), minilm, a sentence transformer's name or folder, or disan:FILE."
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; repeatable.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"hwsim {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an internal error.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Take the options before a command; `main` reads `--debug` wherever it stands."""


@app.command("list", short_help="All papers and their verdicts.")
def list_papers(out: Out = Path("results"), as_json: Json = False) -> None:
    """All papers, with the verdicts of their newest run."""
    from benches.show import listing

    print(listing(out, as_json))


@app.command(short_help="One paper: claims, code map, deviations, figures.")
def show(slug: Slug, out: Out = Path("results"), as_json: Json = False) -> None:
    """One paper: claims, where its equations live in the code, deviations, newest figures."""
    from benches.show import one_paper

    print(one_paper(slug, out, as_json))


@app.command(short_help="Run papers, print claim beside figure and verdict.")
def bench(
    slugs: Annotated[list[str], typer.Argument(metavar="SLUG…", help="Papers, or SLUG@RUN_ID with --resume.")],
    profile: Annotated[str, typer.Option(help="smoke (a minute), quick (15 min) or full (hours).")] = "quick",
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    sets: Sets = None,
    out: Out = Path("results"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the newest unfinished run.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the figures under docs/results.")] = False,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 when a claim is not reproduced.")] = False,
) -> None:
    """Run papers and print each claim beside our figure and the verdict."""
    from benches.commands import BenchOptions, run_benches

    options = BenchOptions(profile, seed, sets or [], out, resume, keep, as_json, quiet, strict)
    raise typer.Exit(run_benches(slugs, options))


@app.command(short_help="Write one HTML page about every newest run.")
def report(
    out: Out = Path("results"),
    to: Annotated[Path | None, typer.Option("--to", help="HTML file (default: OUT/index.html).")] = None,
) -> None:
    """Write one self-contained HTML page about every paper's newest run."""
    from benches.html import write_page

    print(write_page(out, to or out / "index.html"))


@app.command()
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A run's folder, a result.json, or SLUG@RUN_ID.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Likewise; SLUG@latest is the newest run.")],
    out: Out = Path("results"),
    as_json: Json = False,
) -> None:
    """The metrics of two runs side by side."""
    from benches.compare import compare_runs

    print(compare_runs(a, b, out, as_json))


@app.command()
def doctor(as_json: Json = False) -> None:
    """Tools found and missing, what needs them, how to get them. Exit 3 when a required one is missing."""
    from benches.doctor import report_tools

    text, code = report_tools(as_json)
    print(text)
    raise typer.Exit(code)


@app.command()
def verilog(
    slug: Slug,
    out: Annotated[Path | None, typer.Option("--out", help="Folder (default: build/SLUG).")] = None,
    sets: Sets = None,
) -> None:
    """Write a paper's Verilog, constraints and vendor script stub."""
    from benches.commands import write_verilog

    for path in write_verilog(slug, out or Path("build") / slug, sets or []):
        print(path)


@app.command()
def sim(
    artifact: Annotated[Path, typer.Argument(metavar="ART", help="A *.hwir.safetensors file.")],
    x: Annotated[Path, typer.Option("--in", metavar="X.npy", help="Input array [batch, n_inputs].")],
    y: Annotated[Path | None, typer.Option("--out", metavar="Y.npy", help="Write the output array.")] = None,
    vcd: Annotated[Path | None, typer.Option("--vcd", metavar="OUT.vcd", help="Write a waveform.")] = None,
    as_json: Json = False,
) -> None:
    """Simulate an artifact cycle by cycle on an input array."""
    from benches.artifacts import simulate

    print(simulate(artifact, x, y, vcd, as_json))


@ir.command("dump")
def ir_dump(file: Annotated[Path, typer.Argument(metavar="FILE")], as_json: Json = False) -> None:
    """Kind, id, header, tensors and cost of an artifact."""
    from benches.artifacts import dump

    print(dump(file, as_json))


@ir.command("check")
def ir_check(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    samples: Annotated[int, typer.Option(min=1, help="Random inputs to evaluate.")] = 64,
) -> None:
    """Validate an artifact and evaluate its reference on random inputs."""
    from benches.artifacts import check

    print(check(file, samples))


@app.command("index", short_help="Index a folder of text files for hwsim search.")
def index_folder(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Text files, folders in it included.")] = Path("."),
    encoder: Annotated[str | None, typer.Option(help=f"{ENCODER} Default: as before, or lsa.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew instead of adding what changed.")] = False,
    as_json: Json = False,
) -> None:
    """Index the text files of a folder; run it again after a kill or a change, it goes on from there."""
    from benches.semsearch.search import index

    print(index(folder, encoder, fresh, as_json))


@app.command("search", short_help="Ranked passages of an indexed folder.")
def search_folder(
    query: Annotated[str, typer.Argument(metavar="QUERY")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that hwsim index has seen.")] = Path("."),
    k: Annotated[int, typer.Option("-k", min=1, help="Passages.")] = 5,
    how: Annotated[str, typer.Option(help="hybrid, vectors or words.")] = "hybrid",
    as_prompt: Annotated[bool, typer.Option("--prompt", help="Print a prompt for a language model.")] = False,
    as_json: Json = False,
) -> None:
    """Print the passages of an indexed folder that answer a query best."""
    from benches.semsearch.search import search

    print(search(query, folder, k, how, as_prompt, as_json))


@app.command(short_help="The sentiment of a text, by search among labelled passages.")
def opinion(
    text: Annotated[str, typer.Argument(metavar="TEXT")],
    passages: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Lines of label, tab, text. Default: customer reviews.")
    ] = None,
    encoder: Annotated[str | None, typer.Option(help=f"{ENCODER} Default: minilm if installed, else lsa.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Passages that vote.")] = 15,
    as_json: Json = False,
) -> None:
    """Say which label the nearest labelled passages vote for, and print the nearest of them."""
    from benches.semsearch.opinions import answer

    print(answer(text, passages, encoder, k, as_json))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        code = app([a for a in given if a != "--debug"], prog_name="hwsim", standalone_mode=False)
        sys.stdout.flush()
        if code == STOPPED:
            print("\nstopped; hwsim bench … --resume goes on", file=sys.stderr)
        return int(code or 0)
    except HwsimError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        return _unread()
    except SystemExit as end:  # typer's answer to a broken pipe, or a bench that calls sys.exit
        return _unread() if isinstance(end.__context__, BrokenPipeError) else _other(RuntimeError(repr(end)), debug)
    except Exception as error:
        return _other(error, debug)


def _unread() -> int:
    """The reader of our output left (``… | head``): say no more, and not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _other(error: Exception, debug: bool) -> int:
    """Exit code and message of what is neither a result nor one of our own errors."""
    if hasattr(error, "show") and hasattr(error, "exit_code"):  # typer's own usage errors
        error.show()
        return int(error.exit_code)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        print(f"error: {error}. Free space, then go on with --resume.", file=sys.stderr)
        return 4
    text = "".join(traceback.format_exception(error))
    if debug:
        print(text, end="", file=sys.stderr)
        return 4
    print(f"internal error: {type(error).__name__}: {error}{_logged(text)}", file=sys.stderr)
    return 4


def _logged(text: str) -> str:
    try:
        handle, path = tempfile.mkstemp(prefix="hwsim-", suffix=".log")
        with os.fdopen(handle, "w") as file:
            file.write(text)
    except OSError:
        return "\n" + text
    return f"\nTraceback in {path}; --debug shows it here."


if __name__ == "__main__":
    raise SystemExit(main())
