"""The account's suppression list, and its clock, by the commands that operators have (time limit: 120 s)."""

import harness as h
from oiwake import Config, Oiwake, Sandbox


def up():
    net = Sandbox()
    return net, Oiwake(Config(net, ses="api"))


def listed(ours, *args):
    return {r["address"]: r["reason"] for r in ours.json("ses suppression list", *args)}


def test_single_addresses():
    """add, show, list, remove; the list is that of the account"""
    net, ours = up()
    ours.cli("ses suppression add", "User+a/b@Example.com")
    ours.cli("ses suppression add", "cross@example.com", "--reason", "COMPLAINT")
    h.equal(listed(ours), {"user+a/b@example.com": "BOUNCE", "cross@example.com": "COMPLAINT"},
            "the list")
    h.equal(listed(ours, "--reason", "COMPLAINT"), {"cross@example.com": "COMPLAINT"}, "complaints")
    row = ours.json("ses suppression show", "user+a/b@example.com")[0]
    h.equal(row["reason"], "BOUNCE", "its reason")
    ours.cli("ses suppression show", "nobody@example.com", status=1)
    ours.cli("ses suppression remove", "user+a/b@example.com")
    row = ours.json("ses suppression remove", "user+a/b@example.com")[0]
    h.equal(row["was_there"], False, "removed twice")
    h.equal(listed(ours), {"cross@example.com": "COMPLAINT"}, "the list")
    ours.stop()


def test_what_ses_does_not_take_is_done_by_the_next_sync():
    """An addition that SES refuses is kept, and put there by sync; carriers' addresses are freed"""
    net, ours = up()
    net.control("set aws mood denied ses")
    ours.cli("ses suppression add", "late@example.com", status=1)
    net.control("set aws mood normal")
    h.equal(listed(ours), {}, "the list")
    row = ours.json("ses suppression sync", "--dry-run")[0]
    h.equal((row["put_there"], listed(ours)), (1, {}), "what a sync would do")
    row = ours.json("ses suppression sync")[0]
    h.equal((row["put_there"], row["there"]), (1, 0), "what it did")
    for address in ("a..b@docomo.ne.jp", "taro@au.com", "hanako@gmail.com"):
        ours.cli("ses suppression add", address)
    ours.cli("ses suppression add", "cross@docomo.ne.jp", "--reason", "COMPLAINT")
    row = ours.json("ses suppression prune-carriers", "--dry-run")[0]
    h.equal((row["found"], row["removed"]), (2, 0), "what would be freed")
    row = ours.json("ses suppression prune-carriers")[0]
    h.equal((row["found"], row["removed"], row["failed"]), (2, 2, 0), "what was freed")
    h.equal(sorted(listed(ours)), ["cross@docomo.ne.jp", "hanako@gmail.com", "late@example.com"],
            "the list")
    row = ours.json("ses suppression sync")[0]
    h.equal([row[c] for c in ("there", "put_here", "put_there", "removed_here", "removed_there")],
            [3, 0, 0, 0, 0], "both are the same")
    ours.stop()


def test_the_clock_is_wrong():
    """Signatures refused for the time are made by AWS's clock, until ours agrees again"""
    net, ours = up()

    def path():
        return ours.json("ses status", "--check")[0]

    h.equal(path()["clock_wrong"], False, "the clock")
    net.control("set aws skew -3600")
    row = path()
    h.equal((row["clock_wrong"], row["account"]["trouble"]), (True, None), "an hour ahead")
    h.check(-3602 < row["clock_skew"] < -3598, f"skew {row['clock_skew']}")
    net.control("set aws skew 0")
    row = path()
    h.equal((row["clock_wrong"], row["account"]["trouble"]), (False, None), "right again")
    ours.stop()


if __name__ == "__main__":
    h.main()
