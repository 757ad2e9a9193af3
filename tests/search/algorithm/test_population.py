"""The population is a queue in which the oldest dies, with a tournament over it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primeval.dna.library import load_seed
from primeval.search.algorithm.population import Individual, Population


def individual(number: int) -> Individual:
    return Individual(number, None, None, "text", "00", number)


def filled(fitnesses: list[float | None], size: int = 100) -> Population:
    population = Population(size)
    for number, fitness in enumerate(fitnesses):
        population.add(individual(number), fitness)
    return population


def ids(population: Population) -> list[int]:
    return [member.individual.id for member in population]


@given(st.integers(1, 20), st.integers(0, 60))
def test_the_oldest_dies_and_the_size_is_never_exceeded(size: int, count: int) -> None:
    population = filled([0.0] * count, size)
    assert ids(population) == list(range(count))[-size:]


def test_the_fittest_dies_too_when_it_is_the_oldest() -> None:
    assert ids(filled([9.0, 1.0, 2.0], size=2)) == [1, 2]


def test_a_tournament_of_all_finds_the_fittest() -> None:
    population = filled([-3.0, -1.0, -2.0])
    assert population.tournament(3, random.Random(0)).id == 1
    assert population.tournament(30, random.Random(0)).id == 1


def test_a_tournament_of_one_draws_every_member() -> None:
    population = filled([-3.0, -1.0, -2.0])
    drawn = {population.tournament(1, random.Random(seed)).id for seed in range(50)}
    assert drawn == {0, 1, 2}


def test_a_seed_in_evaluation_loses_against_any_fitness() -> None:
    population = filled([None, -1e9, None])
    assert population.tournament(3, random.Random(0)).id == 1


def test_ties_are_broken_at_random_but_repeatably() -> None:
    population = filled([-1.0] * 5)
    winners = [population.tournament(5, random.Random(seed)).id for seed in range(50)]
    assert set(winners) == {0, 1, 2, 3, 4}
    assert winners == [population.tournament(5, random.Random(seed)).id for seed in range(50)]


def test_copies_of_a_seed_get_its_fitness_or_go() -> None:
    population = Population(6)
    for number in (0, 1, 0, 1):
        population.add(individual(number), None)
    population.rate(lambda one: one.id == 0, -2.0)
    population.rate(lambda one: one.id == 1, None)
    assert [(m.individual.id, m.fitness) for m in population] == [(0, -2.0), (0, -2.0)]


@pytest.mark.parametrize("size", [2, 9])
def test_a_resized_population_keeps_the_youngest(size: int) -> None:
    population = filled([0.0] * 5, size=5)
    population.resize(size)
    population.add(individual(5), 0.0)
    assert ids(population) == list(range(6))[-size:]


def test_an_individual_parses_its_program_only_when_asked() -> None:
    seed = load_seed("transformer")
    made = Individual.made_of(seed, id=0, parent=None, edit=None, fingerprint="00", seed=1)
    read = Individual(0, None, None, made.text, "00", 1)
    assert made == read
    assert made.program() is seed
    assert read.program() == seed
