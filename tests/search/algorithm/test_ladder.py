"""A gain counts as far up the ladder as it has been seen to hold."""

from __future__ import annotations

import math
import random

import pytest
from helpers.toys import outcome
from helpers.trained_ladders import (
    CONVOLVED,
    CONVOLVED_LATER,
    TAME,
    THREE,
    ladder_of,
    train,
)

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.ladder import Ladder, Standing, Trial
from primeval.search.algorithm.rung import Rung

LOST = Outcome(Status.LOST, message="the worker ended")


# -- what a gain counts ---------------------------------------------------------------------


def test_what_was_measured_replaces_what_was_expected() -> None:
    ladder = ladder_of(3.0, 2.9)
    train(ladder, 0, 2.0, rung=2)
    assert ladder.expected(1, 2) == pytest.approx(0.05), "half of a gain is taken to hold"
    train(ladder, 1, 1.8, rung=2)
    assert ladder.expected(1, 2) == ladder.gain(1, 2) == pytest.approx(0.2)
    assert ladder.expected(1, 1) == pytest.approx(0.1)


def test_a_program_that_loses_its_gain_higher_up_loses_its_standing() -> None:
    ladder = ladder_of(3.0, 2.5, 2.9)
    train(ladder, 0, 2.0, rung=2)
    assert ladder.standing(1) > ladder.standing(2) > ladder.standing(0)
    train(ladder, 1, 2.1, rung=2)
    assert ladder.standing(2) > ladder.standing(0) > ladder.standing(1)


def test_a_program_that_fails_higher_up_stands_last() -> None:
    ladder = ladder_of(3.0, 2.5, 4.0)
    train(ladder, 0, 2.0, rung=2)
    train(ladder, 1, None, rung=2)
    assert ladder.standing(1) == Standing(1, -math.inf) < ladder.standing(2)


def test_what_was_never_tried_does_not_outrank_what_proved_itself() -> None:
    ladder = ladder_of(3.0, 2.99, 1.0)
    train(ladder, 0, 2.0, rung=2)
    train(ladder, 1, 1.99, rung=2)
    assert ladder.expected(2, 2) > ladder.expected(1, 2)
    assert ladder.standing(1) > ladder.standing(2)


def test_a_gain_within_the_noise_proves_nothing() -> None:
    ladder = ladder_of(3.0, 2.9, 2.9, rungs=(Rung(), Rung(replicates=3)))
    for loss in (1.95, 2.0, 2.05):
        train(ladder, 0, loss, rung=2)
    floor = ladder.noise(2).floor()
    assert floor is not None
    assert 0.1 < floor < 0.2
    train(ladder, 1, 2.0 - floor + 0.01, rung=2)
    train(ladder, 2, 2.0 - floor - 0.01, rung=2)
    assert [ladder.standing(one).proved for one in (1, 2)] == [1, 2]


def test_a_gain_proved_on_the_second_rung_is_lost_on_the_third() -> None:
    ladder = ladder_of(3.0, 2.9, rungs=THREE)
    for rung in (2, 3):
        train(ladder, 0, 2.0, rung)
    train(ladder, 1, 1.9, rung=2)
    assert ladder.standing(1).proved == 2
    train(ladder, 1, 2.1, rung=3)
    assert ladder.standing(1) == Standing(1, pytest.approx(-0.1))


def unmasked_at_the_top() -> Ladder:
    """Convolutions gain most on two rungs and lose on the third; program 3 is one too."""
    ladder = ladder_of(3.0, rungs=THREE)
    train(ladder, 1, 2.8, text=CONVOLVED)
    train(ladder, 2, 2.9, text=TAME)
    train(ladder, 3, 2.8, text=CONVOLVED_LATER)
    for rung in (2, 3):
        train(ladder, 0, 2.0, rung)
    train(ladder, 1, 1.8, rung=2, text=CONVOLVED)
    train(ladder, 1, 2.4, rung=3, text=CONVOLVED)
    return ladder


def test_a_proved_gain_that_is_known_to_be_lost_further_up_proves_nothing() -> None:
    ladder = unmasked_at_the_top()
    train(ladder, 3, 1.8, rung=2, text=CONVOLVED_LATER)
    assert ladder.expected(3, 3) < 0 < ladder.expected(2, 3)
    assert ladder.standing(3).proved == 1
    assert ladder.standing(2) > ladder.standing(3)


def test_a_promotion_to_a_middle_rung_goes_by_what_is_expected_at_the_top() -> None:
    ladder = unmasked_at_the_top()
    assert ladder.expected(3, 2) > ladder.expected(2, 2)
    assert ladder.next_trial([1, 2, 3]) == Trial(2, 2)


def test_a_local_gain_is_recognised_in_programs_that_are_no_relatives() -> None:
    ladder = ladder_of(3.0)
    train(ladder, 1, 2.8, text=CONVOLVED)
    train(ladder, 2, 2.8, text=CONVOLVED_LATER)
    train(ladder, 3, 2.9, text=TAME)
    train(ladder, 0, 2.0, rung=2)
    assert ladder.expected(2, 2) > ladder.expected(3, 2) > 0
    train(ladder, 1, 2.2, rung=2, text=CONVOLVED)
    assert ladder.expected(2, 2) < 0 < ladder.expected(3, 2)


@pytest.mark.parametrize("loss", [None, 50.0])
def test_failures_and_disasters_teach_as_much_as_a_loss_the_size_of_a_gain(
    loss: float | None,
) -> None:
    ladder = ladder_of(3.0)
    train(ladder, 1, 2.8, text=CONVOLVED)
    train(ladder, 2, 2.8, text=CONVOLVED_LATER)
    train(ladder, 0, 2.0, rung=2)
    train(ladder, 1, loss, rung=2, text=CONVOLVED)
    assert -0.2 < ladder.expected(2, 2) < 0


def test_copies_of_the_seed_show_no_gain_beyond_the_noise_floor_in_95_of_100_runs() -> None:
    rng, beyond, runs = random.Random(1), 0, 800
    for _ in range(runs):
        ladder = ladder_of(*(rng.gauss(3.0, 0.1) for _ in range(11)))
        for _ in range(3):
            train(ladder, 0, rng.gauss(3.0, 0.1))
        floor = ladder.noise(1).floor(ladder.compared(1))
        assert floor is not None
        beyond += max(ladder.gain(copy, 1) or 0.0 for copy in range(1, 11)) > floor
    assert beyond / runs == pytest.approx(0.05, abs=0.025)


# -- which programs are promoted ------------------------------------------------------------


def test_a_rung_opens_with_the_seed_once_there_is_room_for_one_program() -> None:
    ladder = ladder_of(3.0, rungs=(Rung(), Rung(promote=0.25)))
    for program in (1, 2):
        train(ladder, program, 2.9)
    assert ladder.next_trial([1, 2]) is None
    train(ladder, 3, 2.8)
    assert ladder.next_trial([1, 2, 3]) == Trial(0, 2)
    train(ladder, 0, 2.0, rung=2)
    assert ladder.next_trial([1, 2, 3]) == Trial(3, 2)
    train(ladder, 3, 1.9, rung=2)
    assert ladder.next_trial([1, 2, 3]) is None


def test_the_first_seed_is_trained_as_often_as_a_rung_has_replicates() -> None:
    ladder = ladder_of(3.0, rungs=(Rung(replicates=2), Rung(promote=0.5, replicates=3)))
    assert ladder.next_trial([]) == Trial(0, 1)
    train(ladder, 0, 3.2)
    train(ladder, 1, 2.9)
    for loss in (2.0, 2.1, 2.2):
        assert ladder.next_trial([1]) == Trial(0, 2)
        train(ladder, 0, loss, rung=2)
    assert ladder.noise(1).mean == pytest.approx(3.1)
    assert ladder.fitness(0) == pytest.approx(-2.1), "of the first seed it is the mean"
    assert ladder.next_trial([1]) == Trial(1, 2)


def test_all_seeds_are_trained_on_every_rung() -> None:
    ladder = ladder_of(3.0, 3.1, 3.2, seeds=3)
    trials = []
    while (trial := ladder.next_trial([])) is not None:
        trials.append(trial)
        train(ladder, trial.program, 2.0, trial.rung)
    assert trials == [Trial(seed, 2) for seed in range(3)]


def test_room_is_used_even_if_nothing_is_ahead_of_the_seed() -> None:
    ladder = ladder_of(3.0, 3.1)
    train(ladder, 0, 2.0, rung=2)
    assert ladder.next_trial([1]) == Trial(1, 2)


def test_only_candidates_that_ended_on_the_rung_below_are_promoted() -> None:
    ladder = ladder_of(3.0, 2.9, None, 2.7)
    train(ladder, 0, 2.0, rung=2)
    train(ladder, 4, 2.0, result=outcome(2.0, 3, Status.STOPPED))
    assert ladder.next_trial([1, 2, 4]) == Trial(1, 2), "3 is no candidate"


def test_a_new_trait_gets_the_benefit_of_the_doubt() -> None:
    ladder = ladder_of(3.0, 2.99, rungs=(Rung(), Rung(promote=0.5, replicates=2)))
    train(ladder, 2, 3.0, text=TAME)
    for loss in (1.9, 2.1):
        train(ladder, 0, loss, rung=2)
    assert ladder.expected(1, 2) > ladder.expected(2, 2)
    assert ladder.next_trial([1, 2]) == Trial(2, 2)


def test_a_number_promotes_only_what_may_be_among_the_best_that_many() -> None:
    ladder = ladder_of(3.0, 2.9, 2.8, 2.7, 2.95, 2.96, 3.1, rungs=(Rung(), Rung(promote=2)))
    train(ladder, 0, 2.0, rung=2)
    assert ladder.next_trial(range(7)) == Trial(3, 2)
    train(ladder, 3, 1.7, rung=2)
    assert ladder.next_trial(range(7)) == Trial(2, 2)
    train(ladder, 2, 1.8, rung=2)
    assert ladder.next_trial(range(7)) is None, "two are expected to stay ahead of all others"


def test_a_number_promotes_at_most_half_of_all_programs() -> None:
    rungs = (Rung(), Rung(promote=5))
    ladder = ladder_of(3.0, 2.9, 2.8, 2.7, 2.6, 2.5, rungs=rungs)
    train(ladder, 0, 2.0, rung=2)
    promoted = []
    while (trial := ladder.next_trial(range(6))) is not None:
        promoted.append(trial.program)
        train(ladder, trial.program, 2.5 - 0.1 * len(promoted), rung=2)
    assert len(promoted) == 3


def test_a_promotion_that_was_lost_is_asked_for_again() -> None:
    ladder = ladder_of(3.0, 2.9)
    train(ladder, 0, 2.0, rung=2)
    train(ladder, 1, None, rung=2, result=LOST)
    assert ladder.next_trial([1]) == Trial(1, 2)
    assert ladder.gain(1, 2) is None


def test_nothing_is_promoted_where_the_first_seed_failed() -> None:
    ladder = ladder_of(3.0, 2.9)
    train(ladder, 0, None, rung=2)
    assert ladder.next_trial([1]) is None
    assert ladder.standing(1).gain == pytest.approx(0.05)


def test_one_replicate_that_failed_does_not_void_the_others() -> None:
    ladder = ladder_of(3.0, 2.9, rungs=(Rung(), Rung(promote=0.5, replicates=3)))
    for loss in (2.0, None, 2.2):
        train(ladder, 0, loss, rung=2)
    assert ladder.noise(2).losses == (2.0, 2.2)
    assert ladder.next_trial([1]) == Trial(1, 2)


def test_a_program_that_does_not_fit_a_rung_makes_room_for_the_next() -> None:
    ladder = ladder_of(3.0, 2.8, 2.9)
    train(ladder, 0, 2.0, rung=2)
    before = ladder.digest, ladder.standing(1)
    ladder.refuse(1, 2)
    assert ladder.next_trial([1, 2]) == Trial(2, 2)
    assert (ladder.digest, ladder.standing(1)) == before


def test_a_seed_that_does_not_fit_a_rung_closes_it() -> None:
    ladder = ladder_of(3.0, 2.8)
    ladder.refuse(0, 2)
    assert ladder.next_trial([1]) is None


def test_a_mirage_that_is_tried_does_not_eat_the_promotions_of_others() -> None:
    """Mirages turn up again and again, in programs that are no relatives."""
    rng, ladder, promoted = random.Random(0), ladder_of(3.0, rungs=(Rung(), Rung())), []
    kinds = {}
    train(ladder, 0, 2.0, rung=2)
    for program in range(1, 200):
        text = kinds[program] = rng.choice((CONVOLVED, CONVOLVED_LATER, TAME))
        mirage = text is not TAME
        train(ladder, program, (2.8 if mirage else 2.95) + rng.gauss(0, 0.01), text=text)
        while (
            trial := ladder.next_trial(range(max(1, program - 20), program + 1))
        ) is not None:
            loss = 1.9 if kinds[trial.program] is TAME else 2.1
            train(ladder, trial.program, loss, 2, kinds[trial.program])
            promoted.append(kinds[trial.program])
    assert len(promoted) == 20
    assert sum(text is not TAME for text in promoted) <= 4
