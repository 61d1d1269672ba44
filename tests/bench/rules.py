"""rules.py - what a large rule set costs, and the same tables in Postfix.

Both are given the same domains, patterns and addresses, and take turns, round by round. Oiwake is
timed inside bench_rules, around nothing but the load and the decisions. Of Postfix, postmap(1) is
run with N and with 2 N keys, so that its start drops out; its reading and printing, which do not,
are shown alone as `static`, a table that gives the same answer to everybody.

Two sets of patterns are used: one as operators write them, and one in which each has to be tried
on each address; how many were tried is counted and printed.
"""

import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import harness as h  # noqa: E402

RULES = int(os.environ.get("BENCH_RULES", "100000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
PATTERNS = 500
ADDRESSES = 100000
HOT = 64
SIZES = (100, 1000, 10000, 100000)
HASH_KEYS = 200000
PCRE_KEYS = 10000
SECONDS = 600.0

TARGETS = {"domain": 2e6, "patterns": 1e5, "load": 1.0, "memory": 100e6}

ACTIONS = ("via mta 95% ses 5%", "via mta pool keitai", "via ses configuration-set partner") + \
    ("via mta", "via ses") * 8
GIVEN = "taro hanako jiro yuki sakura kenta naoko makoto aya shota".split()
FAMILY = "sato suzuki takahashi tanaka ito watanabe yamamoto nakamura kobayashi kato".split()
ELSEWHERE = ("gmail.com", "yahoo.co.jp", "outlook.jp", "icloud.com", "hotmail.co.jp", "nifty.com",
             "c{}.co.jp", "shop{}.example.com", "mail.office{}.ne.jp")


# -- the tables --------------------------------------------------------------------------------

def domain_rule(i):
    """Of a hundred rules one is for an address, eight for a domain and what is below it, two for
    what is below it only, the rest for a domain."""
    name, kind = f"d{i}.example.jp", i % 100
    if kind == 0:
        who = f"info@{name}"
    elif kind <= 8:
        who = f"domain {name} .{name}"
    elif kind <= 10:
        who = f".{name}"
    else:
        who = f"domain {name}"
    return f"route r{i} to {who} {ACTIONS[i % len(ACTIONS)]}"


def patterns():
    """As operators write them: nearly each has some text in it that few addresses have."""
    for k in range(PATTERNS):
        if k < PATTERNS * 2 // 5:
            yield rf"^qa\+.*@team{k}\.example\.com$", ""
        elif k < PATTERNS * 3 // 5:
            yield rf"-bounces@list{k}-[0-9]+\.example\.net$", "i"
        elif k < PATTERNS * 4 // 5:
            yield rf"^(no-?reply|do-not-reply)@svc{k}\.", ""
        elif k < PATTERNS * 49 // 50:
            yield rf"^order{k}-[0-9]+-[a-f0-9]{{8}}@", ""
        else:
            yield rf"^[a-z]{{2}}[0-9]{{{k % 10 + 4},}}@", ""


def stubborn_patterns():
    """Which nothing can rule out but trying them: no text in them and no run of letters or digits
    that an address would have to have."""
    for k in range(PATTERNS):
        n = k // 5
        yield (rf"^[^@]{{1,2}}(?:[0-9]{{{n + 1}}})?@",
               rf"@[^.]{{1,{n + 8}}}$",
               rf"^.{{{n + 60},}}$",
               rf"@(?:[^.]{{1,{n // 20 + 8}}}[.]){{{n % 20 + 4},}}",
               rf"([a-z])\1{{{n + 2}}}")[k % 5], ""


def words(made):
    return [f"/{text}/{flags}" for text, flags in made]


def pattern_rules(made):
    return [f"route p{k} to {word} {ACTIONS[k % len(ACTIONS)]}"
            for k, word in enumerate(words(made))]


def write_rules(name, *blocks):
    head = [f'include "{os.path.join(h.ROOT, "conf", "carriers.rules")}"',
            "route keitai to carrier * via mta pool keitai"]
    lines = head + [line for block in blocks for line in block] + ["route default to any via ses"]
    return h.work.write(name, "\n".join(lines) + "\n")


def write_lines(name, lines):
    return h.work.write(name, "".join(line + "\n" for line in lines))


def local_part(rng):
    return rng.choice(GIVEN) + rng.choice((".", "", "-")) + rng.choice(FAMILY) + \
        rng.choice(("", str(rng.randrange(100)), str(rng.randrange(1960, 2010))))


def hit(i, rng):
    """An address that domain_rule(i) takes."""
    name, kind = f"d{i}.example.jp", i % 100
    if kind == 0:
        return f"info@{name}"
    if kind in (9, 10) or kind <= 8 and rng.random() < 0.5:
        name = "mail." + name
    return f"{local_part(rng)}@{name}"


def hits(rng, rules, n):
    """Addresses spread evenly over the rules, in no order."""
    found = [hit(i % rules, rng) for i in range(n)]
    rng.shuffle(found)
    return found


def misses(rng, n):
    """Addresses that no domain rule and no pattern takes."""
    return [f"{local_part(rng)}@{rng.choice(ELSEWHERE).format(rng.randrange(5000))}"
            for _ in range(n)]


# -- Oiwake ------------------------------------------------------------------------------------

class Others:
    """How busy everybody else kept the machine meanwhile."""

    def __init__(self):
        self.start = self.now()

    @staticmethod
    def now():
        """Seconds: of the clock, of all processors in use, of ours."""
        with open("/proc/stat") as f:
            ticks = [int(x) for x in f.readline().split()[1:9]]
        busy = (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
        ours = sum(sum(resource.getrusage(who)[:2])
                   for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return time.monotonic(), busy, ours

    def processors(self):
        clock, busy, ours = (b - a for a, b in zip(self.start, self.now()))
        return max(0.0, busy - ours) / clock


def bench_rules(*args):
    """What it prints, a line each."""
    return map(json.loads, h.run([os.path.join(h.BUILD, "bin", "bench_rules"), *args],
                                 limit=SECONDS).stdout.splitlines())


def tried(made, addresses):
    """Of the patterns, how many are tried on an address."""
    return next(bench_rules("--sieve", write_lines("patterns", words(made)), addresses))["tried"]


class Set:
    """A rule file, the address files it is asked for, and what the rounds gave."""

    def __init__(self, path, lists):
        self.path, self.lists = path, lists
        self.loads, self.ns = [], {name: [] for name in lists}

    def round(self):
        """Once more in a fresh process; returns its versions."""
        versions, load, *asked = bench_rules(self.path, *(path for path, _ in self.lists.values()))
        self.loads.append(load)
        for (name, (_, missed)), figures in zip(self.lists.items(), asked):
            h.equal(figures["default"], figures["addresses"] if missed else 0,
                    f"addresses of '{name}' that come to the default")
            h.equal(figures["limited"], 0, "patterns given up")
            self.ns[name].append(figures["ns"])
        return versions

    def load(self, key):
        return statistics.median(l[key] for l in self.loads)

    def cost(self, name):
        return statistics.median(self.ns[name])


def sets(rng):
    """Every set to measure. Of each list: its file, and whether it is decided by the default."""
    known, unknown = hits(rng, RULES, ADDRESSES), misses(rng, ADDRESSES)
    lists = {"spread": (write_lines("spread", known), False),
             "hot": (write_lines("hot", known[:HOT]), False),
             "miss": (write_lines("miss", unknown), True)}
    domains = [domain_rule(i) for i in range(RULES)]
    real, stubborn = pattern_rules(patterns()), pattern_rules(stubborn_patterns())
    found = {"whole": Set(write_rules("whole.rules", domains, real), lists),
             "first": Set(write_rules("first.rules", real, domains), lists),
             "stubborn": Set(write_rules("stubborn.rules", domains, stubborn), {
                 "miss": (write_lines("miss.few", unknown[:PCRE_KEYS]), True)})}
    for size in SIZES:
        these = hits(rng, size, ADDRESSES)
        found[size] = Set(write_rules(f"{size}.rules", (domain_rule(i) for i in range(size))), {
            "spread": (write_lines(f"spread.{size}", these), False),
            "hot": (write_lines(f"hot.{size}", these[:HOT]), False)})
    return found


def judged(name, figure, target, met, more=""):
    print(f"  {name:44}{figure:>14}{target:>16}  {'met' if met else 'missed':8}{more}")


def rate_row(name, ns, target=None, more=""):
    rate, more = 1e9 / ns, f"{ns:.0f} ns each{more}"
    if target is None:
        print(f"  {name:44}{f'{rate:,.0f}/s':>14}{'':16}  {'':8}{more}")
    else:
        judged(name, f"{rate:,.0f}/s", f"{target:,.0f}/s", rate >= target, more)


def print_sets(found):
    whole, first, stubborn = found["whole"], found["first"], found["stubborn"]
    seconds, resident = whole.load("seconds"), whole.load("resident")
    print(f"  {'':44}{'figure':>14}{'target':>16}")
    judged("load", f"{seconds:.2f} s", f"{TARGETS['load']:.0f} s", seconds < TARGETS["load"])
    judged("memory, resident", f"{resident / 1e6:.0f} MB", f"{TARGETS['memory'] / 1e6:.0f} MB",
           resident < TARGETS["memory"], f"{whole.load('heap') / 1e6:.0f} MB of it from malloc; "
           f"{whole.load('peak') / 1e6:.0f} MB at most while loading")
    rate_row(f"decided by a domain, {RULES} in turn", whole.cost("spread"), TARGETS["domain"])
    rate_row(f"decided by a domain, {HOT} addresses", whole.cost("hot"), TARGETS["domain"])
    for name, these, made in (
            (f"no rule takes it, {PATTERNS} patterns considered", whole, patterns()),
            ("the same, with patterns nothing can rule out", stubborn, stubborn_patterns())):
        rate_row(name, these.cost("miss"), TARGETS["patterns"],
                 f", {tried(made, these.lists['miss'][0]):.1f} of {PATTERNS} tried")
    print("  for comparison, the patterns written before the domains")
    rate_row(f"decided by a domain, {RULES} in turn", first.cost("spread"))
    rate_row("no rule takes it", first.cost("miss"))


def print_sizes(found):
    print(f"\n  {'a domain hit, ns each':44}" + "".join(f"{n:>9,}" for n in SIZES) +
          f"   {SIZES[-1]:,} against {SIZES[0]:,}")
    for name, text in (("hot", f"{HOT} addresses"), ("spread", "all domains in turn")):
        costs = [found[n].cost(name) for n in SIZES]
        print(f"    {text:42}" + "".join(f"{c:9.0f}" for c in costs) +
              f"{costs[-1] / costs[0]:12.2f}x")


# -- Postfix -----------------------------------------------------------------------------------

class Postmap:
    """One table asked by `postmap -q -`; CPU seconds of a look-up, user and with system."""

    def __init__(self, table, keys, hit):
        self.table, self.hit, self.keys = table, hit, len(keys)
        name = os.path.basename(table)
        self.once = write_lines(f"{name}.keys", keys)
        self.twice = write_lines(f"{name}.keys2", keys + keys)
        self.user, self.all = [], []

    def round(self):
        once, twice = self.ask(self.once, self.keys), self.ask(self.twice, 2 * self.keys)
        user, both = (b - a for a, b in zip(once, twice))
        self.user.append(user / self.keys)
        self.all.append(both / self.keys)

    def ask(self, path, count):
        answers = h.work.file("postmap.out")
        with open(path, "rb") as keys, open(answers, "wb") as out:
            user, both, status = waited(postmap("-q", "-", self.table), stdin=keys, stdout=out)
        # Nothing found is status 1 and no mistake.
        h.check(status in (0, 1), f"postmap -q - {self.table} ends well")
        with open(answers, "rb") as out:
            h.equal(sum(1 for _ in out), count if self.hit else 0, f"answers of {self.table}")
        return user, both


def postmap(*args):
    return ["postmap", "-c", h.work.file("postmap"), *args]


def waited(argv, **files):
    """A command run to its end: CPU seconds, user and with system, and its status."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    status = subprocess.run(argv, preexec_fn=h.die_with_parent, timeout=SECONDS, **files).returncode
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    user = after.ru_utime - before.ru_utime
    return user, user + after.ru_stime - before.ru_stime, status


def pcre_table(name, made):
    """Postfix ignores case unless the flag i is given, and we the other way round."""
    return "pcre:" + write_lines(name, (f"/{text}/{'' if 'i' in flags else 'i'} p{k}"
                                        for k, (text, flags) in enumerate(made)))


def postfix_tables(rng):
    """The maps this Postfix has, with the CPU seconds that building the hash took."""
    types = h.run(["postconf", "-m"]).stdout.split()
    os.makedirs(h.work.file("postmap"))
    h.work.write("postmap/main.cf", "compatibility_level = 3.6\n")
    unknown = misses(rng, PCRE_KEYS)
    keys = [f"d{i % RULES}.example.jp" for i in range(HASH_KEYS)]
    rng.shuffle(keys)
    found, built = {}, None
    found["static"] = Postmap("static:mta", keys, True)
    kind = next((t for t in ("hash", "lmdb", "cdb") if t in types), None)
    if kind is not None:
        source = write_lines("domains", (f"d{i}.example.jp r{i}" for i in range(RULES)))
        built = waited(postmap(f"{kind}:{source}"))
        h.equal(built[2], 0, "postmap's status")
        found[kind] = Postmap(f"{kind}:{source}", keys, True)
    if "pcre" in types:
        found["pcre"] = Postmap(pcre_table("pcre", patterns()), unknown, False)
        found["pcre, stubborn"] = Postmap(pcre_table("stubborn", stubborn_patterns()), unknown,
                                         False)
    return found, built and built[1]


def beside_row(name, us, user=None, more=""):
    of_user = f"{user:10.2f}" if user is not None else f"{'':10}"
    print(f"    {name:42}{us:9.2f}{of_user}{1e6 / us:>14,.0f}/s  {more}")


def print_postfix(found, maps, built):
    print(f"\n  {'beside Postfix, CPU us each':44}{'all':>9}{'user':>10}{'':>16}")
    rows = [("static", None, None, "reads a key, prints an answer")]
    rows += [(t, "whole", "spread", f"one look-up of the domain; built in {built:.2f} s")
             for t in maps if t in ("hash", "lmdb", "cdb")]
    rows += [("pcre", "whole", "miss", "one pattern after the other, no JIT"),
             ("pcre, stubborn", "stubborn", "miss", "the same")]
    for table, ours, asked, more in rows:
        if ours is not None:
            beside_row(f"oiwake, {ours}.rules, {asked}", found[ours].cost(asked) / 1000,
                       more="the whole decision")
        if table in maps:
            beside_row(f"postmap -q, {table}", statistics.median(maps[table].all) * 1e6,
                       statistics.median(maps[table].user) * 1e6, more)
        else:
            print(f"    postmap -q, {table}: this Postfix has no such table")


# -- the part ----------------------------------------------------------------------------------

def part_rules():
    """A large rule set: load, memory, decisions; and Postfix's tables of the same."""
    rng = random.Random(3)
    found = sets(rng)
    maps, built = postfix_tables(rng)
    others = Others()
    for _ in range(ROUNDS):
        for each in found.values():
            versions = each.round()
        for table in maps.values():
            table.round()
    print(f"\nrules     {RULES} domain rules, {PATTERNS} patterns, carriers.rules, a default; one "
          f"thread, {ROUNDS} rounds in turn, CPU time, medians")
    print(f"          {versions['compiler']}, PCRE2 {versions['pcre2']}, JIT {versions['jit']}; "
          f"others kept {others.processors():.2f} processors busy")
    print_sets(found)
    print_sizes(found)
    print_postfix(found, maps, built)
