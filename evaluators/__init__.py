"""Evaluators, which find out how good a program is, and the models and data that they train.

Three Keras layers for use in other models can be imported from here: ProgramBlock, SquaredReLU
and MultiDConvHeadAttention. TensorFlow and Keras are imported when one of them is first used,
so that reading a run needs neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from primeval.evaluators.export.primer_layers import MultiDConvHeadAttention, SquaredReLU
    from primeval.evaluators.export.program_block import ProgramBlock

__all__ = ["MultiDConvHeadAttention", "ProgramBlock", "SquaredReLU"]

_LAYERS = {
    "MultiDConvHeadAttention": "export.primer_layers",
    "ProgramBlock": "export.program_block",
    "SquaredReLU": "export.primer_layers",
}


def __getattr__(name: str) -> Any:
    """Import a layer when it is first used. Raises AttributeError for any other name."""
    if name not in _LAYERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_LAYERS[name]}"), name)
