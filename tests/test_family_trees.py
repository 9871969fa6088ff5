"""The family trees: the facts, counted and turned over."""

import numpy as np

from nnlib.family_trees import (
    BRANCH,
    ENGLISH,
    GENERATION,
    ITALIAN,
    NATIONALITY,
    PEOPLE,
    RELATIONS,
    family_trees,
    own_units,
    questions,
)

FACTS = {(q.person, q.relation): set(q.answers) for q in questions()}
MEN = {*ENGLISH[:6], *ITALIAN[:6]}
CONVERSE = {
    "husband": {"wife"},
    "wife": {"husband"},
    "father": {"son", "daughter"},
    "mother": {"son", "daughter"},
    "son": {"father", "mother"},
    "daughter": {"father", "mother"},
    "brother": {"brother", "sister"},
    "sister": {"brother", "sister"},
    "uncle": {"nephew", "niece"},
    "aunt": {"nephew", "niece"},
    "nephew": {"uncle", "aunt"},
    "niece": {"uncle", "aunt"},
}


def test_what_the_paper_says_about_colin():
    assert FACTS["Colin", "aunt"] == {"Jennifer", "Margaret"}
    assert FACTS["Colin", "uncle"] == {"Arthur", "Charles"}
    assert FACTS["Colin", "mother"] == {"Victoria"}
    assert ("Colin", "brother") not in FACTS
    assert FACTS["Alfonso", "uncle"] == {"Emilio", "Tomaso"}


def test_every_fact_has_its_converse():
    for (person, relation), answers in FACTS.items():
        for answer in answers:
            back = [other for other in CONVERSE[relation] if person in FACTS.get((answer, other), ())]
            assert len(back) == 1, (person, relation, answer)


def test_relations_have_a_sex():
    male = {"father", "husband", "son", "uncle", "brother", "nephew"}
    for (_, relation), answers in FACTS.items():
        assert all((answer in MEN) == (relation in male) for answer in answers)
    assert set(CONVERSE) == set(RELATIONS)


def test_the_trees_have_the_same_shape():
    twin = dict(zip(ENGLISH, ITALIAN, strict=True))
    for english, italian in zip(questions()[:52], questions()[52:], strict=True):
        assert italian.person == twin[english.person]
        assert italian.relation == english.relation
        assert set(italian.answers) == {twin[answer] for answer in english.answers}
    assert len(NATIONALITY) == len(GENERATION) == len(BRANCH) == len(PEOPLE) == 24


def test_the_arrays_say_what_the_questions_say():
    X, y = family_trees()
    assert X.sum(axis=1).tolist() == [2.0] * 104
    for row, question in enumerate(questions()):
        assert PEOPLE[X[row, :24].argmax()] == question.person
        assert RELATIONS[X[row, 24:].argmax()] == question.relation
        assert {PEOPLE[i] for i in np.flatnonzero(y[row])} == set(question.answers)
    mask = own_units()
    assert not mask[:24, 6:].any()
    assert not mask[24:, :6].any()
