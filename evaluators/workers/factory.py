"""The evaluator that a task names; TensorFlow and Ray are imported only where it needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from primeval.evaluators.data.corpus import Corpus
    from primeval.evaluators.evaluator import Evaluator
    from primeval.evaluators.task import Task


def make_evaluator(task: Task, corpora: Sequence[Corpus] = ()) -> Evaluator:
    """The evaluator that `task.workers.evaluator` names: toy, local or ray.

    Args:
        task: The settings that all candidates share.
        corpora: The tokens of each rung, as `load_corpora` gives them; opened if not given.

    Raises:
        DataError: The tokens of a rung cannot be had, or are too few.
        ValueError: There is no such evaluator, or Ray does not start.
    """
    name = task.workers.evaluator
    if name == "toy":
        from primeval.evaluators.toy import ToyEvaluator

        return ToyEvaluator(task)
    if name == "local":
        from primeval.evaluators.runtime import import_tensorflow

        import_tensorflow()
        from primeval.evaluators.workers.local import LocalEvaluator

        return LocalEvaluator(task, corpora)
    if name == "ray":
        from primeval.evaluators.workers.ray_pool import RayEvaluator

        return RayEvaluator(task, corpora)
    raise ValueError(f"An evaluator is toy, local or ray. Received: {name!r}.")
