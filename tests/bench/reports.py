"""reports.py - mail that came back: how right, how fast and how large reading it is.

How right: tests/score, where its sample is at hand. How fast: bench_report, in one thread, on that sample
and on a few made-up messages.
"""

import glob
import json
import os

import harness as h

SECONDS = os.environ.get("BENCH_SECONDS", "5")
DATA = os.environ.get("OIWAKE_DATA", os.path.join(h.ROOT, "..", "shared", "data"))


def speed(title, files):
    """One line of what bench_report measures."""
    out = h.run([os.path.join(h.BUILD, "bin", "bench_report"), SECONDS, *files], limit=300.0).stdout
    row = json.loads(out)
    what = f"{title}: {row['messages']} of {row['bytes'] / 1000:.1f} KB"
    print(f"  {what:38}{row['second']:12,.0f}{row['read']:10.1f}{row['find']:10.1f}"
          f"{row['memory'] / 1024:10.1f}")


def part_reports():
    """Reading mail that came back, and finding its reason."""
    sample = sorted(glob.glob(os.path.join(DATA, "bounces", "*.eml")))
    print(f"\nreports   mail that came back, read and looked up in the shipped table, one thread, {SECONDS} s "
          "each; CPU us each")
    print(f"{'':40}{'messages/s':>12}{'read':>10}{'find':>10}{'MiB peak':>10}")
    speed("made up", [])
    if not sample:
        print(f"  no sample in {DATA}: not scored")
        return
    speed("sample", sample)
    print(f"  right, against {DATA}/bounces/expected.tsv:")
    score = h.run(["/usr/bin/python3", os.path.join(h.ROOT, "tests", "score")], status=None, limit=300.0)
    print("".join(f"  {line}\n" for line in score.stdout.splitlines()), end="")
