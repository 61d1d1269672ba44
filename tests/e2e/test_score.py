"""test_score.py - how right `oiwake classify` is on the sample of real feedback: tests/score as a
test of the run."""
import os
import sys

SCORE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "score")

os.execv(sys.executable, [sys.executable, SCORE, "--tap"])
