"""A program as a Keras layer for any model.

    x = ProgramBlock("primer_ez")(x)

The layer takes its width from its input, and its length too if the program works at one length
only. A saved model contains the program as text. Padding is marked by Keras's masks;
`lowering/visibility.py` says what they mean for arbitrary programs.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, ClassVar

import keras

from primeval.dna.cost import Scale, measure
from primeval.dna.graph import build_graph
from primeval.dna.infer import Node
from primeval.dna.library import built_in_names, load_seed
from primeval.dna.parsing import parse
from primeval.dna.printing import format_program
from primeval.dna.program import Program
from primeval.evaluators.lowering.block import GraphBlock
from primeval.evaluators.lowering.visibility import PaddedVisibility
from primeval.evaluators.lowering.walk import run_graph
from primeval.primitives.errors import UnknownNameError
from primeval.primitives.kernels import WEIGHTED
from primeval.primitives.primitive import Vocabulary
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.primitives.widths import Rejection

Tensor = Any


@keras.saving.register_keras_serializable(package="primeval")
class ProgramBlock(keras.layers.Layer):
    """A decoder block: (batch, position, width) to the same shape, causal.

    Args:
        program: A built-in name, the path of a `.dna` file, the text of a program, or a
            `Program` (`find_program("runs/quickstart:3").program` for an individual).
        seed: Seed of its weights; drawn at random if None, as in Keras's own layers.

    Call arguments:
        x: (batch, position, width).
        mask: (batch, position), false where a position is padding; Keras passes on the mask of
            the input.

    Attributes:
        vocabulary: The primitives that a text may name. For a user's, make a subclass with
            `vocabulary = make_language(["my_primitives.py"]).vocabulary`. A `Program` knows
            its own.

    Raises:
        ProgramError: if the text is not a legal program.
        ValueError: if there is no such program; when the layer is built, if the program does
            not fit the width.
        Rejection: if the program has no meaning.
    """

    vocabulary: ClassVar[Vocabulary] = PRIMITIVES

    def __init__(self, program: str | Program, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        given = self._read(program)
        self.program = format_program(given)
        self.seed = random.randint(1, 10**9) if seed is None else seed
        self.graph = build_graph(given)

    def _read(self, program: str | Program) -> Program:
        """The program meant. Raises ProgramError, or ValueError with the nearest names."""
        if isinstance(program, Program):
            return program
        if program in built_in_names():
            return load_seed(program)
        if "\n" in program:
            return parse(program, vocabulary=self.vocabulary)
        path = Path(program)
        if path.is_file():
            return parse(path.read_text(encoding="utf-8-sig"), program, self.vocabulary)
        raise ValueError(
            f"{UnknownNameError('program', program, built_in_names())} A program is a built-in "
            "name, a file (my.dna) or a text. For an individual of a run: "
            "`from primeval.search.run.programs import find_program`, then "
            'find_program("RUN:ID").program.'
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights. Raises ValueError if the program does not fit the input's shape."""
        length, width = input_shape[-2:]
        if self.graph.fixed_length and length is None:
            raise ValueError(
                "This program owns weights over positions: it works at one length only, and "
                "the length of its input is open. Give it, as in keras.Input((64, width))."
            )
        try:  # layers, vocabulary and length decide nothing about the unit
            cost = measure(self.graph, Scale(1, 1, 1, width=width))
        except Rejection as rejection:
            raise ValueError(f"This program does not fit its input: {rejection}.") from None
        self.block = GraphBlock(
            self.graph, cost.unit, length or 1, self.seed, dtype=self.dtype_policy, name="block"
        )
        self.block.build(input_shape)

    def call(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(batch, position, width) to the same shape; `mask` is (batch, position)."""
        if mask is None:
            return self.block(x)

        def weigh(number: int, node: Node, operand: Tensor) -> Tensor:
            return WEIGHTED[node.op](operand, self.block.weight_of[number])

        return run_graph(self.graph, x, weigh, visibility=PaddedVisibility(mask))

    def compute_output_spec(self, x: Tensor, mask: Tensor | None = None) -> keras.KerasTensor:
        return keras.KerasTensor(x.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().get_config()
        return {**config, "program": self.program, "seed": self.seed}
