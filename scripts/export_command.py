"""`primeval export`: take a program away as a Keras model."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from primeval.dna.text import format_program
from primeval.primitives.widths import Rejection
from primeval.search.locking import RunError


def add(commands: Any) -> None:
    parser = commands.add_parser("export", help="write a program as a Keras model")
    parser.add_argument("program", metavar="REF", help="a name, a file, or RUN:ID")
    parser.add_argument("out", metavar="OUT.keras", type=Path)
    parser.add_argument(
        "--config", metavar="CONFIG", help="the scale of a built-in program or a file"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from primeval.search.config import load_config
    from primeval.search.reference import find_program
    from primeval.search.weights import weights_file

    found = find_program(args.program)
    _check_path(args.out, args.force)
    if found.run is not None and args.config is not None:
        raise RunError("An individual has the scale of its run. Leave --config out.")
    weights, seed = None, 0
    if found.run is not None and found.individual is not None:
        config, seed = found.run.config, found.individual.seed
        kept = weights_file(found.run.folder, found.individual.id)
        weights = kept if kept.is_file() else None
    else:
        config = load_config(args.config or "quickstart")
    print("Building, saving, verifying in a fresh interpreter …", file=sys.stderr, flush=True)

    from primeval.evaluators.quiet import import_tensorflow

    import_tensorflow()
    from primeval.evaluators.export import ExportError, export_program

    text = format_program(found.program)
    try:
        export = export_program(text, config.scale, args.out, weights, seed)
    except Rejection as rejection:
        raise RunError(
            f"{args.program} cannot be built at this scale: {rejection}. "
            "Another scale: --config CONFIG."
        ) from None
    except ExportError as error:
        print(f"primeval: {error} Nothing was written.", file=sys.stderr)
        return 1
    length = f"{config.model.length} only" if export.fixed_length else "any"
    origin = "trained in the run" if export.trained else "fresh"
    if found.run is not None and not export.trained:
        origin += " (the run kept those of its best only)"
    print(
        f"{export.path}: {export.parameters:,} parameters, weights {origin}, "
        f"sequence length {length}\n"
        f"verified: opens without primeval, largest difference {export.difference:.1e}\n"
        f'use it: keras.models.load_model("{export.path}"), token ids in, logits out'
    )
    return 0


def _check_path(path: Path, force: bool) -> None:
    """Raise RunError if the model cannot be written there."""
    if path.suffix != ".keras":
        raise RunError(f"A Keras model is a file that ends in .keras. Received: {path}.")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise RunError(f"{path} cannot be written: {path.parent} is no folder to write to.")
    if path.is_dir() or (path.exists() and not force):
        raise RunError(f"{path} exists. Choose another name, or give --force.")
