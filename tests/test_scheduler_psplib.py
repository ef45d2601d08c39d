"""The reader of PSPLIB files, on a problem whose optimum can be seen."""

import pytest

from benchmarks.psplib import SOLVERS, measure, read_sm

# Two jobs that need both places of the one resource, and one that needs one of them.
SMALL = """\
jobs (incl. supersource/sink ):  5
************************************************************************
PRECEDENCE RELATIONS:
jobnr.    #modes  #successors   successors
   1        1          3           2   3   4
   2        1          1           5
   3        1          1           5
   4        1          1           5
   5        1          0
************************************************************************
REQUESTS/DURATIONS:
jobnr. mode duration  R 1
------------------------------------------------------------------------
  1      1     0       0
  2      1     3       2
  3      1     4       2
  4      1     2       1
  5      1     0       0
************************************************************************
RESOURCEAVAILABILITIES:
  R 1
    2
************************************************************************
"""


def test_a_file_is_read():
    problem = read_sm(SMALL)
    assert [job.length for job in problem.jobs] == [0, 3, 4, 2, 0]
    assert [(arc.before, arc.after) for arc in problem.arcs] == [
        (0, 1),
        (0, 2),
        (0, 3),
        (1, 4),
        (2, 4),
        (3, 4),
    ]
    assert problem.jobs[3].demands == (("R1", 1),) and problem.capacity == {"R1": 2}


def test_all_solvers_find_the_optimum():
    runs = measure(read_sm(SMALL), optimum=9, seconds=2, workers=1)
    assert {name: runs[name].makespan for name in SOLVERS} == dict.fromkeys(SOLVERS, 9)
    assert runs["project tool"].proved and runs["PyJobShop"].proved


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("RESOURCEAVAILABILITIES", "RESOURCES", "no section"),
        ("  3      1     4       2\n", "", "duration"),
        ("  4      1     2       1\n", "  4      2     2       1\n", "one mode"),
        ("   2        1          1           5\n", "   2        1          2           5\n", "successors"),
    ],
)
def test_a_file_of_another_form_is_refused(old, new, words):
    with pytest.raises(ValueError, match=words):
        read_sm(SMALL.replace(old, new))
