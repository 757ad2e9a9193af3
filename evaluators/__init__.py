"""What a program is worth: evaluators, and the models and data they train.

Only `make_evaluator` is here. It imports TensorFlow and Ray when they are asked for, so that
reading a run needs neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from primeval.evaluators.evaluator import Evaluator
    from primeval.evaluators.settings import Task


def make_evaluator(task: Task) -> Evaluator:
    """The evaluator that `task.workers.evaluator` names: toy, local or ray."""
    name = task.workers.evaluator
    if name == "toy":
        from primeval.evaluators.toy import ToyEvaluator

        return ToyEvaluator(task)
    if name == "local":
        from primeval.evaluators.quiet import import_tensorflow

        import_tensorflow()
        from primeval.evaluators.local import LocalEvaluator

        return LocalEvaluator(task)
    if name == "ray":
        from primeval.evaluators.ray_pool import RayEvaluator

        return RayEvaluator(task)
    raise ValueError(f"An evaluator is toy, local or ray. Received: {name!r}.")
