"""What a process keeps from one candidate to the next: the data and the reference program."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property

import tensorflow as tf

from primeval.dna.cost import Cost, measure
from primeval.dna.graph import Graph, build_graph
from primeval.dna.parsing import parse
from primeval.evaluators.data.corpus import Corpus, open_corpus, require_batches
from primeval.evaluators.task import Task
from primeval.evaluators.training.batches import Batches
from primeval.evaluators.training.trainer import Trainer
from primeval.primitives.language import make_language


class Workbench:
    """Loads the data once and compiles the reference program once, for one rung.

    Args:
        task: The settings that all candidates share.
        corpora: The tokens of each rung, if they are open already; if not, they are opened.

    Attributes:
        task: As given.
        vocabulary: The primitives that candidates may consist of.
        scale: The model around a candidate's block.
        bytes_per_token: Bytes of UTF-8 per token of the held-out text; None without text.
        clock: The clock by which steps of two programs are compared, in seconds.

    Raises:
        DataError: The corpus cannot be had, or is too small for one batch.
        PrimitiveError: A module of users' primitives cannot be used.
    """

    def __init__(self, task: Task, corpora: Sequence[Corpus] = ()) -> None:
        self.task, self._corpora = task, corpora
        self._higher: dict[int, Workbench] = {}
        self.vocabulary = make_language(task.modules).vocabulary
        corpus = corpora[0] if corpora else open_corpus(task)
        require_batches(corpus, task.model, task.training, task.split)
        self.scale = task.model.scale(corpus.vocabulary)
        self.bytes_per_token = corpus.bytes_per_token.get(task.split)
        self._batches = Batches(corpus, task.split, task.training, task.model.length)
        reference = parse(task.reference, "reference", self.vocabulary)
        self._reference_graph = build_graph(reference)
        self._reference: Trainer | None = None
        # CHOICE: on one core steps are compared by the CPU time of this process, to which other
        # processes add nothing: beside two busy ones ratios spread by 8 %, by wall time 87 %.
        alone = task.workers.threads == 1 and not tf.config.list_physical_devices("GPU")
        self.clock = time.process_time if alone else time.perf_counter

    def on(self, rung: int) -> Workbench:
        """The bench of a rung, made when it is first asked for; that of rung 1 is this one."""
        if rung == 1:
            return self
        if rung not in self._higher:
            opened = self._corpora[rung - 1 : rung]
            self._higher[rung] = Workbench(self.task.on(rung), opened)
        return self._higher[rung]

    @cached_property
    def reference_cost(self) -> Cost:
        """The reference program at the bench's scale."""
        return measure(self._reference_graph, self.scale)

    def reference(self) -> Trainer:
        """The reference program, compiled when it is first asked for."""
        if self._reference is None:
            self._reference = self.trainer(self.reference_cost, seed=0)
            self._reference.trace()
            self._reference.compile()
        return self._reference

    def is_reference(self, graph: Graph) -> bool:
        """Whether a graph computes the same as the reference program's."""
        return graph.fingerprint == self._reference_graph.fingerprint

    def trainer(self, cost: Cost, seed: int, data_seed: int | None = None) -> Trainer:
        """A model that is ready to be trained.

        Args:
            cost: The program at this bench's scale, as `measure` gives it.
            seed: Seed of the weights.
            data_seed: Seed of the order of the data; None for the run's.
        """
        order = self.task.seed if data_seed is None else data_seed
        return Trainer(self.scale, cost, self.task.training, self._batches, seed, order)
