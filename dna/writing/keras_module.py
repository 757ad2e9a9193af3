"""A program as a Python module of its own: its layer, and a function that builds a model.

The module needs Keras 3 and nothing else, with any backend. It can read the weights of the
`.keras` file that is exported with it. `keras_layer.py` writes the layer.
"""

from __future__ import annotations

import inspect
import re
import textwrap

from primeval.dna.check import ProgramError
from primeval.dna.cost import Cost, Scale
from primeval.dna.printing import format_program
from primeval.dna.writing.keras_layer import BODY, WIDE, BlockSource
from primeval.dna.writing.names import identifier
from primeval.primitives.keras_text import HELPERS
from primeval.primitives.primitive import Kernel


def format_source(cost: Cost, scale: Scale, name: str) -> str:
    """A module with the block of a program, and `build_model`, whose defaults are the scale.

    Args:
        cost: The program at the scale, as `measure` gives it.
        scale: The model around it.
        name: Where the program comes from: a name, a file, or RUN:ID.

    Raises:
        ProgramError: for a user's primitive whose kernel has no source.
    """
    block = BlockSource(cost.graph)
    slug = module_name(name)
    parts = [
        _head(name, cost),
        *_helpers(block),
        _layer(block, slug),
        *([TOKEN_EMBEDDING.format(package=slug)] if scale.tied else []),
        _builder(block, scale, cost, slug),
        LOADER.format(layer=_class_name(slug)),
        'if __name__ == "__main__":\n    build_model().summary()\n',
    ]
    return "\n\n".join(parts)


def module_name(name: str) -> str:
    """A program's name as that of a module: `quickstart_3` for `runs/quickstart:3`."""
    stem = re.split(r"[/\\]", name.removesuffix(".dna").removesuffix("/"))[-1]
    return identifier(stem)


def _class_name(slug: str) -> str:
    return "".join(word.capitalize() for word in slug.split("_")) + "Block"


def _head(name: str, cost: Cost) -> str:
    program = textwrap.indent(format_program(cost.graph.program).strip(), "    ")
    program = re.sub(r"[ \t]+$", "", program, flags=re.MULTILINE)
    title = re.sub(r"[^\w .:/-]", "?", name, flags=re.ASCII)
    return f'''\
"""A decoder block for language models: {title[: WIDE - 45]}

Needs Keras 3, with any backend. Written by `primeval export` from this program:

{program}
"""

import keras
from keras import ops
'''


def _helpers(block: BlockSource) -> list[str]:
    """The functions that the block needs, users' kernels first."""
    kernels = [_kernel_source(op, kernel) for op, kernel in block.kernels.items()]
    starts = [block.weight_start(number) for number in block.names.weights]
    used = "\n".join([*block.lines, *starts])
    helpers: list[str] = []
    for name, helper in reversed(HELPERS.items()):  # the last ones use earlier ones
        if re.search(rf"\b{name}\b", used):
            helpers.insert(0, helper)
            used += helper
    return [*kernels, *helpers]


def _kernel_source(op: str, kernel: Kernel) -> str:
    try:
        return textwrap.dedent(inspect.getsource(kernel)).strip() + "\n"
    except (OSError, TypeError):
        raise ProgramError(
            f"{op} cannot be written as source: the source of its kernel was not found. "
            "Define the kernel in a Python file, see docs/primitives.md."
        ) from None


def _layer(block: BlockSource, slug: str) -> str:
    length = "one length only" if block.graph.fixed_length else "any length"
    title = f"One block, causal: (batch, position, width) to the same shape, at {length}."
    shapes = [
        f"{name}: {block.weight_shape(number)}" for number, name in block.names.weights.items()
    ]
    weights = "\n".join(f"        {line}" for line in shapes) or "        none"
    body = "\n".join(f"{BODY}{line}" for line in block.lines)
    return f'''\
@keras.saving.register_keras_serializable(package="{slug}")
class {_class_name(slug)}(keras.layers.Layer):
    """{title}

    Weights, where `width` is that of its input:
{weights}
    """

    def build(self, input_shape):
{_build(block)}

    def call(self, x):
{body}

    def compute_output_shape(self, input_shape):
        return input_shape
'''


def _build(block: BlockSource) -> str:
    """The statements that make the weights."""
    lines = []
    adding = [line for number in block.names.weights for line in _weight(block, number)]
    step = block.step > 1
    if step or any("width" in line for line in adding):
        lines.append("width = input_shape[-1]")
    if step:
        lines += [
            f"if width % {block.step}:",
            f'    raise ValueError(f"The width must be a multiple of {block.step}. '
            'Received: {width}.")',
        ]
    if block.graph.fixed_length:
        lines += [
            "length = input_shape[-2]",
            "if length is None:",
            '    raise ValueError("It owns weights over positions: give the length.")',
        ]
    return "\n".join(f"{BODY}{line}" for line in [*lines, *adding] or ["pass"])


def _weight(block: BlockSource, number: int) -> list[str]:
    name = block.names.weights[number]
    return [
        f"self.{name} = self.add_weight(",
        f'    name="{name}",',
        f"    shape={block.weight_shape(number)},",
        f"    initializer={block.weight_start(number)},",
        ")",
    ]


TOKEN_EMBEDDING = '''\
@keras.saving.register_keras_serializable(package="{package}")
class TokenEmbedding(keras.layers.Embedding):
    """Token ids to vectors; with `reverse`, vectors to logits by the same matrix."""

    def call(self, x, reverse=False):
        if reverse:
            return ops.matmul(x, ops.transpose(self.embeddings))
        return super().call(x)

    def compute_output_spec(self, x, reverse=False):
        kept = x.shape[:-1] if reverse else x.shape
        size = self.input_dim if reverse else self.output_dim
        return keras.KerasTensor((*kept, size), dtype=self.compute_dtype)
'''

LOADER = '''\
def load_weights(model, path):
    """Copy the weights of the `.keras` file that was exported with this module."""
    try:
        exported = keras.models.load_model(path)
    except Exception as error:
        raise ValueError(f"{{path}} cannot be read as a Keras model: {{error}}") from error
    if exported.count_params() != model.count_params():
        counts = f"{{exported.count_params():,}} weights, not {{model.count_params():,}}"
        raise ValueError(f"{{path}} is of another program or size: {{counts}}.")
    for layer in model.layers:
        if isinstance(layer, {layer}):
            for weight in layer.weights:
                (value,) = exported.get_layer(f"{{layer.name}}_{{weight.name}}").weights
                weight.assign(ops.reshape(value, weight.shape))
        elif layer.weights:
            layer.set_weights(exported.get_layer(layer.name).get_weights())
'''


def _builder(block: BlockSource, scale: Scale, cost: Cost, slug: str) -> str:
    """The source of `build_model`, a function that builds the whole model around the block."""
    size = f"vocabulary={scale.vocabulary}, layers={scale.layers}, width={cost.width}"
    header = f"def build_model({size}, length={scale.length}):"
    embedding = "TokenEmbedding" if scale.tied else "keras.layers.Embedding"
    output = "logits = embedding(x, reverse=True)"
    if not scale.tied:
        output = 'logits = keras.layers.Dense(vocabulary, use_bias=False, name="output")(x)'
    positions = "length" if block.graph.fixed_length else "None"
    shape = "length" if block.graph.fixed_length else "up to length"
    return f'''\
{header}
    """Token ids (batch, {shape}) to logits (batch, position, vocabulary)."""
    tokens = keras.Input(({positions},), dtype="int32", name="tokens")
    start = keras.initializers.RandomNormal(stddev=0.5 * width**-0.5)
    embedding = {embedding}(
        vocabulary,
        width,
        embeddings_initializer=start,
        name="token_embedding",
    )
    positions = keras.layers.Embedding(
        length,
        width,
        embeddings_initializer=start,
        name="position_embedding",
    )
    places = ops.cumsum(ops.ones_like(tokens[:1, :]), axis=1) - 1
    x = embedding(tokens) + positions(places)
    for number in range(layers):
        x = {_class_name(slug)}(name=f"block_{{number}}")(x)
    x = keras.layers.LayerNormalization(epsilon=1e-6, name="final_norm")(x)
    {output}
    return keras.Model(tokens, logits, name="{slug}")
'''
