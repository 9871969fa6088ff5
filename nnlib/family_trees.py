"""Two families of twelve people, English and Italian, with the same tree: 104 questions, 112 answers.

Whatever is true of Christopher is true of Roberto. Nobody tells the network; it can find out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

# Each Italian stands below the English person in the same place of the tree.
ENGLISH = (
    "Christopher", "Andrew", "Arthur", "James", "Charles", "Colin",
    "Penelope", "Christine", "Victoria", "Jennifer", "Margaret", "Charlotte",
)  # fmt: skip
ITALIAN = (
    "Roberto", "Pierro", "Emilio", "Marco", "Tomaso", "Alfonso",
    "Maria", "Francesca", "Lucia", "Angela", "Gina", "Sophia",
)  # fmt: skip
PEOPLE = ENGLISH + ITALIAN
RELATIONS = (
    "father", "mother", "husband", "wife", "son", "daughter",
    "uncle", "aunt", "brother", "sister", "nephew", "niece",
)  # fmt: skip

# Couples and their children, as places in ENGLISH; in each list the first six places are men.
COUPLES = ((0, 6, (2, 8)), (1, 7, (3, 9)), (2, 10, ()), (3, 8, (5, 11)), (4, 9, ()))
# What the paper reads in the units, for each person: nationality, generation (1 the grandparents), and the branch of
# the family, -1 left and 1 right; the grandchildren belong to both.
NATIONALITY = (-1,) * 12 + (1,) * 12
GENERATION = (1, 1, 2, 2, 2, 3, 1, 1, 2, 2, 2, 3) * 2
BRANCH = (-1, 1, -1, 1, 1, 0, -1, 1, -1, 1, -1, 0) * 2


@dataclass(frozen=True)
class Question:
    """One question and all its answers, such as *Colin's aunt: Jennifer and Margaret*."""

    person: str
    relation: str
    answers: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.person}'s {self.relation}: {' and '.join(self.answers)}"


@cache
def questions() -> tuple[Question, ...]:
    """Return every question that has an answer, the English first, in the order of people and relations.

    Examples
    --------
    >>> len(questions()), sum(len(question.answers) for question in questions())
    (104, 112)
    >>> print(next(q for q in questions() if q.person == "Colin" and q.relation == "aunt"))
    Colin's aunt: Jennifer and Margaret
    """
    found = []
    for names in (ENGLISH, ITALIAN):
        for person in range(12):
            relatives = _relatives(person)
            found += [
                Question(names[person], relation, tuple(names[place] for place in sorted(relatives[relation])))
                for relation in RELATIONS
                if relatives[relation]
            ]
    return tuple(found)


def family_trees() -> tuple[np.ndarray, np.ndarray]:
    """Return all questions and answers as arrays of 0 and 1.

    Returns
    -------
    X : ndarray (104, 36)
        The person (24 columns in the order of PEOPLE), then the relation (12 columns).
    y : ndarray (104, 24)
        A 1 for each person who is an answer.

    Examples
    --------
    >>> X, y = family_trees()
    >>> X.shape, y.shape, int(y.sum())
    ((104, 36), (104, 24), 112)
    """
    X, y = np.zeros((len(questions()), 36)), np.zeros((len(questions()), 24))
    for row, question in enumerate(questions()):
        X[row, [PEOPLE.index(question.person), 24 + RELATIONS.index(question.relation)]] = 1
        y[row, [PEOPLE.index(answer) for answer in question.answers]] = 1
    return X, y


def own_units() -> np.ndarray:
    """Return the mask (36, 12) of a first layer in which the people and the relations have six units each.

    Examples
    --------
    >>> own_units().sum(axis=0).tolist()
    [24, 24, 24, 24, 24, 24, 12, 12, 12, 12, 12, 12]
    """
    mask = np.zeros((36, 12), dtype=bool)
    mask[:24, :6] = mask[24:, 6:] = True
    return mask


def _relatives(person: int) -> dict[str, set[int]]:
    parents = [{father, mother} for father, mother, children in COUPLES if person in children]
    siblings = {child for father, mother, children in COUPLES if person in children for child in children} - {person}
    partners = [({father, mother} - {person}) for father, mother, _ in COUPLES if person in (father, mother)]
    partner = set().union(*partners)
    children = {child for father, mother, born in COUPLES if person in (father, mother) for child in born}
    everybody = range(12)
    uncles_and_aunts, nephews_and_nieces = (
        {other for other in everybody if related(other, person)}
        for related in (_is_uncle_or_aunt, lambda other, one: _is_uncle_or_aunt(one, other))
    )
    kin = {
        ("father", "mother"): set().union(*parents),
        ("husband", "wife"): partner,
        ("son", "daughter"): children,
        ("uncle", "aunt"): uncles_and_aunts,
        ("brother", "sister"): siblings,
        ("nephew", "niece"): nephews_and_nieces,
    }
    return {
        name: {other for other in found if (other < 6) == male}
        for names, found in kin.items()
        for name, male in zip(names, (True, False), strict=True)
    }


def _is_uncle_or_aunt(one: int, other: int) -> bool:
    """Say whether `one` is a brother or sister of a parent of `other`, or married to such a person."""
    parents = {p for father, mother, born in COUPLES if other in born for p in (father, mother)}
    by_blood = {c for _, _, born in COUPLES if parents & set(born) for c in born} - parents
    by_marriage = {p for father, mother, _ in COUPLES if {father, mother} & by_blood for p in (father, mother)}
    return one in (by_blood | by_marriage) - parents
