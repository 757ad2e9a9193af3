"""`primeval export`: write a program as a Keras model, as Python source, or as both."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from primeval.dna.cost import Scale, measure
from primeval.dna.graph import build_graph
from primeval.evaluators.runtime import import_tensorflow
from primeval.primitives.language import Language
from primeval.primitives.widths import Rejection
from primeval.scripts.commands.arguments import whole_number
from primeval.search.config.config import load_config
from primeval.search.config.settings import RunConfig
from primeval.search.errors import RunError
from primeval.search.run.kept_weights import weights_file
from primeval.search.run.programs import Reference, find_program

if TYPE_CHECKING:
    from primeval.evaluators.export.export import Export

TRAINED, FRESH = "trained", "fresh"
CONFIG = "quickstart"  # the scale of a built-in program or a file without --config
SIZES = ("layers", "width", "vocab", "length")


def add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("program", metavar="REF", help="a built-in name, a file, or RUN:ID")
    parser.add_argument(
        "out", metavar="OUT", type=Path, help="OUT.keras for the model, OUT.py for its source"
    )
    parser.add_argument(
        "--source", metavar="OUT.py", type=Path, help="write the Python source, too"
    )
    parser.add_argument(
        "--weights",
        choices=(TRAINED, FRESH),
        help="the weights of the run, or new ones (default: trained if the run keeps them and "
        "they fit)",
    )
    number = whole_number(1)
    parser.add_argument("--layers", metavar="N", type=number, help="build N blocks")
    parser.add_argument("--width", metavar="W", type=number, help="give the model W channels")
    parser.add_argument("--vocab", metavar="V", type=number, help="use V different tokens")
    parser.add_argument(
        "--length", metavar="L", type=number, help="allow sequences of up to L tokens"
    )
    parser.add_argument(
        "--config",
        metavar="CONFIG",
        help="build a built-in program or a file at the scale of this configuration "
        f"(default: {CONFIG})",
    )
    parser.add_argument("--force", action="store_true", help="replace existing files")


def run_export(args: argparse.Namespace) -> None:
    found, config = _program(args)
    path, source = _checked_paths(args)
    try:
        scale = _resized(found, config, args)
        weights, why_fresh = _weights(found, config, args)
        export = _export(found, scale, path, source, weights)
    except Rejection as rejection:
        raise RunError(
            f"{args.program} cannot be built at this scale: {rejection}. "
            "Another scale: --config CONFIG, or --width W."
        ) from None
    for line in _report(path, source, scale, export, why_fresh):
        print(line)


def _program(args: argparse.Namespace) -> tuple[Reference, RunConfig]:
    """The program, and the configuration that gives its scale."""
    config = load_config(args.config) if args.config is not None else None
    language = Language() if config is None else config.make_language()
    found = find_program(args.program, language.vocabulary)
    if found.run is None:
        return found, config or load_config(CONFIG)
    if config is not None:
        raise RunError("An individual has the scale of its run. Leave --config out.")
    return found, found.run.config


def _export(
    found: Reference,
    scale: Scale,
    path: Path | None,
    source: Path | None,
    weights: Path | None,
) -> Export:
    """Write the files and verify them. Raises Rejection or ExportError, and then no file."""
    print("Building, saving, verifying in a fresh interpreter …", file=sys.stderr, flush=True)

    import_tensorflow()
    # imported here because TensorFlow takes seconds, and a mistake is reported before that
    from primeval.evaluators.export.export import ExportError, export_program

    seed = found.individual.seed if found.individual is not None else 0
    try:
        return export_program(
            found.program, scale, path, weights, seed, source=source, name=found.name
        )
    except ExportError as error:
        raise ExportError(f"{error} Nothing was written.") from error


def _resized(found: Reference, config: RunConfig, args: argparse.Namespace) -> Scale:
    """The scale that the arguments ask for. Raises Rejection if no unit fits it.

    CHOICE: what the arguments do not name stays. So with other layers or another vocabulary
    every width is the searched one, and another width scales all widths by one unit, as always.
    """
    scale = config.scale
    if all(getattr(args, size) is None for size in SIZES):
        return scale
    width = args.width or measure(build_graph(found.program), scale).width
    return replace(
        scale,
        layers=args.layers or scale.layers,
        vocabulary=args.vocab or scale.vocabulary,
        length=args.length or scale.length,
        window=None,
        width=width,
    )


def _weights(
    found: Reference, config: RunConfig, args: argparse.Namespace
) -> tuple[Path | None, str]:
    """The file of trained weights, or None and the reason why there are none.

    Raises RunError if there are none although `--weights trained` asks for them.
    """
    changed = [f"--{size}" for size in SIZES if getattr(args, size) is not None]
    if args.weights == FRESH:
        return None, ""
    if found.run is None or found.individual is None:
        why = "only an individual of a run (RUN:ID) has any"
    elif changed:
        why = f"trained ones do not fit another size ({', '.join(changed)})"
    else:
        file = weights_file(found.run.folder, found.individual.id)
        if file.is_file():
            return file, ""
        numbers = sorted(int(f.stem) for f in file.parent.glob("*.npz") if f.stem.isdecimal())
        kept = ", ".join(map(str, numbers)) or "none"
        why = (
            f"the run keeps those of its {config.keep_weights} best (kept: {kept}); "
            "`primeval confirm` keeps those of the individuals that it trains"
        )
    if args.weights == TRAINED:
        raise RunError(f"There are no trained weights of {args.program}: {why}.")
    return None, why if found.run is not None else ""


def _report(
    path: Path | None, source: Path | None, scale: Scale, export: Export, why_fresh: str
) -> Iterator[str]:
    """Lines about what was written, and how to use it."""
    graph, cost = export.cost.graph, export.cost
    length = f"{scale.length} only" if graph.fixed_length else f"up to {scale.length}"
    size = (
        f"{cost.parameters:,} parameters: {scale.layers} layer{'s' * (scale.layers > 1)} of "
        f"width {cost.width}, {scale.vocabulary:,} tokens, sequence length {length}"
    )
    if path is not None:
        yield f"{path}: {size}"
        origin = "trained in the run" if export.trained else "fresh"
        yield f"weights: {origin}{f' ({why_fresh})' if why_fresh else ''}"
    if source is not None:
        yield f"{source}: a Keras layer, and build_model(){'' if path else f', {size}'}"
    yield f"verified: works without primeval, largest difference {export.difference:.1e}"
    if path is not None:
        yield f'use it: keras.models.load_model("{path}"), token ids in, logits out'


def _checked_paths(args: argparse.Namespace) -> tuple[Path | None, Path | None]:
    """The paths of the model and of the source. Raises RunError if they cannot be written."""
    path, source = args.out, args.source
    if path.suffix == ".py":
        if source is not None:
            raise RunError(f"Two files of source: {path} and {source}. Leave one of them out.")
        path, source = None, path
    elif path.suffix != ".keras":
        raise RunError(
            "OUT is a Keras model, which ends in .keras, or Python source, which ends in .py. "
            f"Received: {path}."
        )
    if source is not None and source.suffix != ".py":
        raise RunError(f"Python source is a file that ends in .py. Received: {source}.")
    for file in filter(None, (path, source)):
        if not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
            raise RunError(
                f"{file} cannot be written: {file.parent} is no folder, or is write-protected."
            )
        if file.is_dir() or (file.exists() and not args.force):
            raise RunError(f"{file} exists. Choose another name, or give --force.")
    return path, source
