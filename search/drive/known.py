"""What is known of programs by what they compute: evaluated before, or in flight just now.

The second level of not paying twice; the first is the fingerprint, which `evolution.py` looks
at before an individual is asked for. Here the individual exists, a worker has worked out its
digest (`evaluators/training/probe.py`), and the driver decides whether it is trained. Digests
of what was evaluated are in the store, so they hold over resumes; those in flight are here, and
are worked out again if the driver dies.
"""

from __future__ import annotations

from dataclasses import replace

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.run.store import Store


class Known:
    """Who had a digest first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._flying: dict[str, int] = {}  # digest to individual
        self._probed: dict[int, Outcome] = {}  # individuals in flight whose digest is known

    def recognise(self, number: int, probed: Outcome) -> Outcome | None:
        """The outcome of an individual that is known; None, and it is noted, if it is new."""
        digest = probed.digest
        if digest is None:
            same = None
        else:
            same = self._flying.get(digest)
            same = self._store.known(digest) if same is None else same
        if same is None:
            self.note(number, probed)
            return None
        return Outcome(
            Status.KNOWN,
            seconds=probed.seconds,
            message=f"the same as individual {same}, by outputs and gradients",
            digest=digest,
            same_as=same,
        )

    def note(self, number: int, probed: Outcome) -> None:
        """An individual is going to be evaluated."""
        self._probed[number] = probed
        if probed.digest is not None:
            self._flying.setdefault(probed.digest, number)

    def land(self, number: int, outcome: Outcome) -> Outcome:
        """The outcome of an evaluation, with what its probe found and took."""
        probed = self._probed.pop(number, None)
        if probed is None:
            return outcome
        if probed.digest is not None and self._flying.get(probed.digest) == number:
            del self._flying[probed.digest]
        seconds = {**probed.seconds, **outcome.seconds}
        return replace(outcome, digest=probed.digest, seconds=seconds)
