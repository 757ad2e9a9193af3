"""What a program is worth: evaluators, and the models and data they train.

Here are `make_evaluator` and the Keras layers for models that are not searched: ProgramBlock,
SquaredReLU, MultiDConvHeadAttention. TensorFlow, Keras and Ray are imported when one of them
is asked for, so that reading a run needs none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from primeval.evaluators.evaluator import Evaluator
    from primeval.evaluators.export.primer_layers import MultiDConvHeadAttention, SquaredReLU
    from primeval.evaluators.export.program_block import ProgramBlock
    from primeval.evaluators.settings import Task

__all__ = ["MultiDConvHeadAttention", "ProgramBlock", "SquaredReLU", "make_evaluator"]

_LAYERS = {
    "MultiDConvHeadAttention": "export.primer_layers",
    "ProgramBlock": "export.program_block",
    "SquaredReLU": "export.primer_layers",
}


def __getattr__(name: str) -> Any:
    """Import a layer when it is first asked for."""
    if name not in _LAYERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_LAYERS[name]}"), name)


def make_evaluator(task: Task) -> Evaluator:
    """The evaluator that `task.workers.evaluator` names: toy, local or ray."""
    name = task.workers.evaluator
    if name == "toy":
        from primeval.evaluators.toy import ToyEvaluator

        return ToyEvaluator(task)
    if name == "local":
        from primeval.evaluators.runtime import import_tensorflow

        import_tensorflow()
        from primeval.evaluators.workers.local import LocalEvaluator

        return LocalEvaluator(task)
    if name == "ray":
        from primeval.evaluators.workers.ray_pool import RayEvaluator

        return RayEvaluator(task)
    raise ValueError(f"An evaluator is toy, local or ray. Received: {name!r}.")
