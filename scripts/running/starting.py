"""Before a search or a confirmation: its data are made and its workers are started."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from primeval.evaluators.runtime import import_tensorflow
from primeval.evaluators.workers.factory import make_evaluator
from primeval.primitives.language import Language, make_language
from primeval.primitives.user import PrimitiveError
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.search.errors import ConfigError

if TYPE_CHECKING:
    from primeval.evaluators.data.corpus import Corpus
    from primeval.evaluators.evaluator import Evaluator
    from primeval.evaluators.task import Task


def start_evaluator(task: Task) -> Evaluator:
    """The evaluator of a task, with its data ready. Raises ConfigError or DataError."""
    try_primitives(make_language(task.modules))
    corpora: tuple[Corpus, ...] = ()
    if task.workers.evaluator != "toy":
        # imported here because NumPy is slow to import, and `check --no-train` does without
        from primeval.scripts.running.preparing import prepare_data

        corpora = prepare_data(task)
        print(f"Starting {task.workers.evaluator} workers …", file=sys.stderr, flush=True)
    try:
        return make_evaluator(task, corpora)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def try_primitives(language: Language) -> None:
    """Try the user's primitives. Raises ConfigError if one does not do what it promises."""
    if language.vocabulary is not PRIMITIVES:
        import_tensorflow()
        from primeval.primitives.promises import check_all_promises

        try:
            check_all_promises(language.vocabulary)
        except PrimitiveError as error:
            raise ConfigError(f"language.modules: {error}") from None
