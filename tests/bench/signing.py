"""signing.py - what a signature costs, beside libopendkim alone and the private-key operation alone.

bench_dkim measures all three in turn in one process; `openssl speed` is run beside it, for who wants
to compare with another machine.
"""

import json
import os
import re

import harness as h

SIGNATURES = int(os.environ.get("BENCH_SIGNATURES", "1000"))
NAMES = {"rsa": ("RSA-2048", "rsa2048"), "ed25519": ("Ed25519", "ed25519")}


def openssl_speed(name):
    """Microseconds that a signature takes by `openssl speed`."""
    done = h.run(["openssl", "speed", "-mr", "-seconds", "2", name], limit=120.0)
    found = re.search(r"^\+F.*:([0-9.]+):[0-9.]+$", done.stdout, re.M)
    return 1e6 / float(found.group(1)) if found else float("nan")


def part_dkim():
    """CPU per signature of a 5 KB message."""
    out = h.run([os.path.join(h.BUILD, "bin", "bench_dkim"), str(SIGNATURES)],
                limit=600.0).stdout
    print(f"\ndkim      {SIGNATURES} signatures of a 5 KB message, relaxed/relaxed, in turn, one thread; "
          "CPU us each, medians")
    print(f"{'':22}{'oiwake':>10}{'libopendkim':>14}{'key alone':>12}{'openssl speed':>16}")
    for row in map(json.loads, out.splitlines()):
        title, speed = NAMES[row["type"]]
        print(f"  {title:20}{row['ours']:10.0f}{row['libopendkim']:14.0f}{row['key']:12.0f}"
              f"{openssl_speed(speed):16.0f}")
        print(f"  {'oiwake against it':20}{'':10}{'1/%.1f' % (row['libopendkim'] / row['ours']):>14}"
              f"{row['ours'] / row['key']:11.2f}x")
