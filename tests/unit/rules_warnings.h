/*
 * rules_warnings.h - what is odd about rule sets that load, and what is said
 * about each: "line:col: warning: text", nothing at all for those that are in
 * order. And sets that could send irregular addresses to the path `ses`, which
 * takes none: those do not load. Included by test_rules_errors.c alone.
 */
/* clang-format off */
static const struct mistake warnings[] = {
	{ "route a to x.jp via ses\n"
	  "route b to y.jp via ses\n"
	  "route c to x.jp y.jp via mta\n"
	  "route z any via ses",
	  "3:7: warning: rule 'c' can never match: rules before it "
	  "take all of it, the last of them rule 'b' (r:2)\n" },
	{ "route a any via ses\n"
	  "route b to x.jp via mta",
	  "2:7: warning: rule 'b' can never match: rule 'a' (r:1) "
	  "takes all of it\n" },
	{ "route a to x.jp via ses\n"
	  "route b to x.jp y.jp via mta\n"
	  "route z any via ses",
	  "2:12: warning: 'x.jp' never comes to rule 'b': rule 'a' "
	  "(r:1) takes it already\n" },
	{ "route a to .x.jp via ses\n"
	  "route b to s.x.jp u@t.x.jp via mta\n"
	  "route z any via ses",
	  "2:7: warning: rule 'b' can never match: rule 'a' (r:1) "
	  "takes all of it\n" },
	{ "route a to .x.jp via ses\n"
	  "route b to x.jp .s.x.jp via mta\n"
	  "route z any via ses",
	  "2:17: warning: '.s.x.jp' never comes to rule 'b': rule 'a'"
	  " (r:1) takes it already\n" },
	{ "route a to x.jp via ses\n"
	  "route b to U@x.jp via mta\n"
	  "route z any via ses",
	  "2:7: warning: rule 'b' can never match: rule 'a' (r:1) "
	  "takes all of it\n" },
	{ "route a from <> via mta\n"
	  "route b from <> to x.jp via ses\n"
	  "route z any via ses",
	  "2:7: warning: rule 'b' can never match: rule 'a' (r:1) "
	  "takes all of it\n" },
	{ "route a from y.jp to x.jp via mta\n"
	  "route b from y.jp to x.jp size > 1MB via ses\n"
	  "route z any via ses",
	  "2:7: warning: rule 'b' can never match: rule 'a' (r:1) "
	  "takes all of it\n" },
	{ "route a to x.jp size > 1MB via mta\n"
	  "route b to x.jp  size > 1MB via ses\n"
	  "route z any via ses",
	  "2:7: warning: rule 'b' can never match: rule 'a' (r:1) "
	  "takes all of it\n" },
	{ "route a user a\"b via mta\n"
	  "route b user  a\"b via mta\n"
	  "route z any via ses",
	  "2:7: warning: rule 'b' can never match: rule 'a' (r:1) "
	  "takes all of it\n" },
	/* Blanks between words are nothing, those within them are. */
	{ "route a user \"a  b\" via mta\n"
	  "route b user \"a b\" via mta\n"
	  "route c to /a  b/ via mta\n"
	  "route d to /a b/ via mta\n"
	  "route e to   /a  b/ via mta\n"
	  "route z any via ses",
	  "5:7: warning: rule 'e' can never match: rule 'c' (r:3) "
	  "takes all of it\n" },
	{ "route a to /^u/ via mta\n"
	  "route b to /^u/ via ses\n"
	  "route z any via ses",
	  "2:7: warning: rule 'b' can never match: rule 'a' (r:1) "
	  "takes all of it\n" },
	{ "carrier c x.jp\n"
	  "route a to carrier * via mta\n"
	  "route b to carrier c via mta\n"
	  "route z any via ses",
	  "3:7: warning: rule 'b' can never match: rule 'a' (r:2) "
	  "takes all of it\n" },
	{ "carrier c x.jp\n"
	  "route a to carrier c via mta\n"
	  "route b to x.jp via ses\n"
	  "route z any via ses",
	  "3:7: warning: rule 'b' can never match: rule 'a' (r:2) "
	  "takes all of it\n" },
	{ "carrier c x.jp\n"
	  "route a to x.jp via mta\n"
	  "route b to carrier c via ses\n"
	  "route z any via ses",
	  "" },
	{ "carrier c x.jp\n"
	  "route z any via ses",
	  "1:9: warning: carrier 'c' is never used\n" },
	{ "carrier c x.jp\n"
	  "carrier c y.jp\n"
	  "carrier d z.jp\n"
	  "route a to carrier d via mta\n"
	  "route z any via ses",
	  "1:9: warning: carrier 'c' is never used\n" },
	{ "carrier c x.jp\n"
	  "shape carrier c rate 1/s\n"
	  "route z any via ses",
	  "" },
	{ "carrier c group g x.jp\n"
	  "shape group g rate 1/s\n"
	  "route z any via ses",
	  "" },
	{ "carrier c x.jp\n"
	  "route a header-from carrier c via mta\n"
	  "route z any via ses",
	  "" },
	{ "route a to x.jp y.jp x.jp via mta\n"
	  "route z any via ses",
	  "1:22: warning: 'x.jp' is listed twice\n" },
	{ "route a to x.jp domain X.jp via mta\n"
	  "route z any via ses",
	  "1:24: warning: 'X.jp' is listed twice\n" },
	{ "route a from u@x.jp U@x.jp via mta\n"
	  "route z any via ses",
	  "1:21: warning: 'U@x.jp' is listed twice\n" },
	{ "carrier c x.jp\n"
	  "route a to carrier c c via mta\n"
	  "route z any via ses",
	  "2:22: warning: 'c' is listed twice\n" },
	{ "route a user bob bob via mta\n"
	  "route z any via ses",
	  "1:18: warning: 'bob' is listed twice\n" },
	{ "route a tag k=v k=v via mta\n"
	  "route z any via ses",
	  "1:17: warning: 'k=v' is listed twice\n" },
	{ "route a listener in in via mta\n"
	  "route z any via ses",
	  "1:21: warning: 'in' is listed twice\n" },
	{ "carrier c x.jp x.jp\n"
	  "route a to carrier c via mta\n"
	  "route z any via ses",
	  "1:16: warning: 'x.jp' is listed twice, first at r:1\n" },
	{ "carrier c x.jp\n"
	  "carrier c x.jp\n"
	  "route a to carrier c via mta\n"
	  "route z any via ses",
	  "2:11: warning: 'x.jp' is listed twice, first at r:1\n" },
	{ "route a to x.jp via ses\n"
	  "route b to y.jp via ses\n"
	  "route c to x.jp y.jp w.jp via mta\n"
	  "route z any via ses",
	  "3:12: warning: 'x.jp' never comes to rule 'c': rule 'a' "
	  "(r:1) takes it already\n"
	  "3:17: warning: 'y.jp' never comes to rule 'c': rule 'b' "
	  "(r:2) takes it already\n" },
	{ "route a to x.jp size > 1MB via mta\n"
	  "route b to x.jp via ses\n"
	  "route z any via ses",
	  "" },
	{ "route a to x.jp not from <> via mta\n"
	  "route b to x.jp via ses\n"
	  "route z any via ses",
	  "" },
	{ "route a from <> to x.jp via mta\n"
	  "route b to x.jp via ses\n"
	  "route z any via ses",
	  "" },
	{ "route a not to x.jp via mta\n"
	  "route b to x.jp via ses\n"
	  "route z any via ses",
	  "" },
	{ "route a to x.jp local-part irregular via mta\n"
	  "route b to x.jp via ses\n"
	  "route z any via ses",
	  "" },
	{ "route a to s.x.jp via mta\n"
	  "route b to .x.jp via ses\n"
	  "route z any via ses",
	  "" },
	{ "route a to /./ via mta\n"
	  "route b to x.jp via ses\n"
	  "route z any via ses",
	  "" },
	{ "route a to x.jp user bob via mta\n"
	  "route b to x.jp user eve via ses\n"
	  "route z any via ses",
	  "" },
	{ "route a any hold\n"
	  "route b any discard\n"
	  "route e to x.jp reject \"no\"",
	  "2:7: warning: rule 'b' can never match: rule 'a' (r:1) "
	  "takes all of it\n"
	  "3:7: warning: rule 'e' can never match: rule 'a' (r:1) "
	  "takes all of it\n" },
	{ "route a to x.jp via mta fallback hold raw\n"
	  "route z any via ses",
	  "" },
	{ "include \"*.rules\"\n"
	  "route z any via ses",
	  "" },
	/* Of replies the last one wins, so what comes before may be hidden. */
	{ "reply any rcpt 550 /a/ bounce userunknown\n"
	  "reply any rcpt data 5xx bounce rejected\n"
	  "route z any via ses",
	  "1:7: warning: this reply can never match: the later one at r:2 "
	  "takes all of it\n" },
	{ "reply any rcpt 550 /a/ bounce userunknown\n"
	  "reply any rcpt 421 retry blocked\n"
	  "reply any connect reset retry blocked\n"
	  "reply any dot none retry blocked\n"
	  "reply any rcpt 250 retry blocked\n"
	  "reply any rcpt any /a/ bounce suspend\n"
	  "reply any any any retry rejected\n"
	  "reply any any any retry onhold\n"
	  "route z any via ses",
	  "1:7: warning: this reply can never match: the later one at r:8 "
	  "takes all of it\n"
	  "2:7: warning: this reply can never match: the later one at r:8 "
	  "takes all of it\n"
	  "3:7: warning: this reply can never match: the later one at r:8 "
	  "takes all of it\n"
	  "4:7: warning: this reply can never match: the later one at r:8 "
	  "takes all of it\n"
	  "6:7: warning: this reply can never match: the later one at r:8 "
	  "takes all of it\n"
	  "7:7: warning: this reply can never match: the later one at r:8 "
	  "takes all of it\n" },
	/* Some of it is left to each of these. */
	{ "carrier c a.jp\n"
	  "reply any rcpt 550 bounce userunknown\n"
	  "reply any rcpt 550 /a/ bounce rejected\n"
	  "reply any rcpt 550 /a/i bounce rejected\n"
	  "reply any rcpt 4xx retry onhold\n"
	  "reply any rcpt 450 retry onhold\n"
	  "reply any rcpt dot 450 /a/ retry onhold\n"
	  "reply any dot reset retry onhold\n"
	  "reply any dot 250 retry onhold\n"
	  "reply any dot none retry onhold\n"
	  "reply any dot 4xx retry onhold\n"
	  "reply any dot 5xx retry onhold\n"
	  "reply c rcpt 550 bounce suspend\n"
	  "reply any rcpt 551 bounce suspend\n"
	  "route z any via ses",
	  "" },
	{ "reply any mail reset retry onhold\n"
	  "reply any mail 250 retry onhold\n"
	  "reply any mail reset retry blocked\n"
	  "route z any via ses",
	  "1:7: warning: this reply can never match: the later one at r:3 "
	  "takes all of it\n" },
	{ "warm-up fast first 1 grow 2 cap 9\n"
	  "route z any via ses",
	  "1:9: warning: warm-up plan 'fast' is never used\n" },
	{ "carrier c a.jp\n"
	  "reply c any 550 bounce rejected\n"
	  "route z any via ses",
	  "" },
	{ "shape default warm-up slow\n"
	  "warm-up slow first 1 grow 2 cap 9\n"
	  "route z any via ses",
	  "" },
	{ "route a user * not user \"a b\" \"*\" via mta\n"
	  "route z any via ses",
	  "" },
};

static const struct mistake irregulars[] = {
	{ "route default to any via ses",
	  "1:7: rule 'default' could send irregular addresses such as"
	  " a..b@docomo.ne.jp by path 'ses', which takes none; add "
	  "'and not local-part irregular', or have a rule for them "
	  "before it\n" },
	{ "carrier docomo docomo.ne.jp\n"
	  "carrier au ezweb.ne.jp\n"
	  "route emergency to any via ses\n"
	  "route keitai to carrier * via mta\n"
	  "route default any via ses",
	  "3:7: rule 'emergency' could send irregular addresses such "
	  "as a..b@docomo.ne.jp by path 'ses', which takes none; add "
	  "'and not local-part irregular', or have a rule for them "
	  "before it\n" },
	{ "carrier docomo docomo.ne.jp\n"
	  "carrier au ezweb.ne.jp\n"
	  "route keitai to carrier * via mta\n"
	  "route default any via ses",
	  "" },
	{ "carrier docomo docomo.ne.jp\n"
	  "route keitai to carrier * via mta\n"
	  "route default any via ses",
	  "3:7: rule 'default' could send irregular addresses such as"
	  " a..b@ezweb.ne.jp by path 'ses', which takes none; add "
	  "'and not local-part irregular', or have a rule for them "
	  "before it\n" },
	{ "route default any and not local-part irregular via ses\n"
	  "route rest any via mta",
	  "" },
	{ "route default any not local-part irregular via ses\n"
	  "route rest any reject \"no\"",
	  "" },
	{ "route a any via ses 99% mta 1%",
	  "" },
	{ "route a any via ses 50% ses 50% pool p",
	  "1:7: rule 'a' could send irregular addresses such as "
	  "a..b@docomo.ne.jp by path 'ses', which takes none; add "
	  "'and not local-part irregular', or have a rule for them "
	  "before it\n" },
	{ "route a any via ses fallback mta",
	  "1:7: rule 'a' could send irregular addresses such as "
	  "a..b@docomo.ne.jp by path 'ses', which takes none; add "
	  "'and not local-part irregular', or have a rule for them "
	  "before it\n" },
	{ "route a any via mta fallback ses",
	  "" },
	{ "route a to a..b@docomo.ne.jp via ses\n"
	  "route z any via mta",
	  "1:7: rule 'a' could send irregular addresses such as "
	  "a..b@docomo.ne.jp by path 'ses', which takes none; add "
	  "'and not local-part irregular', or have a rule for them "
	  "before it\n" },
	{ "route a to ab@docomo.ne.jp via ses\n"
	  "route z any via mta",
	  "" },
	{ "route a to a..b@x.jp via ses\n"
	  "route z any via mta",
	  "" },
	{ "carrier c .x.jp\n"
	  "route a to s.x.jp via ses\n"
	  "route z any via mta",
	  "2:7: rule 'a' could send irregular addresses such as "
	  "a..b@s.x.jp by path 'ses', which takes none; add 'and not "
	  "local-part irregular', or have a rule for them before it\n" },
	{ "carrier docomo docomo.ne.jp\n"
	  "carrier au ezweb.ne.jp\n"
	  "route keitai to carrier * size < 1MB via mta\n"
	  "route default any via ses",
	  "4:7: rule 'default' could send irregular addresses such as"
	  " a..b@docomo.ne.jp by path 'ses', which takes none; add "
	  "'and not local-part irregular', or have a rule for them "
	  "before it\n" },
	{ "route a from x.jp via ses\n"
	  "route z any via mta",
	  "1:7: rule 'a' could send irregular addresses such as "
	  "a..b@docomo.ne.jp by path 'ses', which takes none; add "
	  "'and not local-part irregular', or have a rule for them "
	  "before it\n" },
	{ "route a to carrier * not to carrier au via ses\n"
	  "route z any via mta\n"
	  "carrier docomo docomo.ne.jp\n"
	  "carrier au ezweb.ne.jp\n",
	  "1:7: rule 'a' could send irregular addresses such as "
	  "a..b@docomo.ne.jp by path 'ses', which takes none; add "
	  "'and not local-part irregular', or have a rule for them "
	  "before it\n" },
	{ "route a to x.jp via ses\n"
	  "route z any hold",
	  "" },
	{ "route k local-part irregular via mta\n"
	  "route z any via ses",
	  "" },
	{ "route k local-part irregular to docomo.ne.jp ezweb.ne.jp "
	  "reject \"no\"\n"
	  "route z any via ses",
	  "" },
	{ "route k to docomo.ne.jp via mta\n"
	  "route z any via ses\n"
	  "expect a..b@ezweb.ne.jp via ses",
	  "2:7: rule 'z' could send irregular addresses such as "
	  "a..b@ezweb.ne.jp by path 'ses', which takes none; add 'and"
	  " not local-part irregular', or have a rule for them before"
	  " it\n" },
};
/* clang-format on */
