/*
 * rules_mistakes.h - mistakes in rule files and exactly what is said about each.
 *
 * Every text is followed by a rule for everything else, which is no part of the mistake. The problems
 * are "line:col: text", one a line. Included by test_rules_errors.c alone.
 */
/* clang-format off */
struct mistake {
	const char *text, *problems;
};

static const struct mistake mistakes[] = {
	{ "rout a to any via ses",
	  "1:1: expected 'route', 'carrier', 'shape', 'reply', "
	  "'warm-up', 'expect', 'hint' or 'include', got 'rout', did you mean 'route'?\n" },
	{ "foo",
	  "1:1: expected 'route', 'carrier', 'shape', 'reply', "
	  "'warm-up', 'expect', 'hint' or 'include', got 'foo'\n" },
	{ "\"route\" a to any via ses",
	  "1:1: expected 'route', 'carrier', 'shape', 'reply', "
	  "'warm-up', 'expect', 'hint' or 'include', got '\"route\"', did you mean 'route'?\n" },
	{ "via ses",
	  "1:1: expected 'route', 'carrier', 'shape', 'reply', "
	  "'warm-up', 'expect', 'hint' or 'include', got 'via'\n" },
	{ "route",
	  "1:6: expected a name for the rule after 'route'\n" },
	{ "route to any via ses",
	  "1:7: expected a name for the rule, got 'to'\n" },
	{ "route a",
	  "1:8: expected a condition such as 'to', or 'via' after 'a'\n" },
	{ "route a to",
	  "1:11: expected 'any', 'carrier', 'domain' or an address "
	  "after 'to'\n" },
	{ "route a to any",
	  "1:15: expected a condition such as 'to', or 'via' after "
	  "'any'\n" },
	{ "route a to any via",
	  "1:19: expected the name of a path after 'via'\n" },
	{ "route a via ses",
	  "1:9: no condition before 'via'; 'to any' takes everything\n" },
	{ "route a!b to any via ses",
	  "1:7: expected a name for the rule, got 'a!b'\n" },
	{ "route -a to any via ses",
	  "1:7: expected a name for the rule, got '-a'\n" },
	{ "route "
	  "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
	  "nnnnnnn to any via ses",
	  "1:7: expected a name for the rule, got "
	  "'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
	  "nnn...'\n" },
	{ "route a to any via ses\n"
	  "route a to x.jp via mta",
	  "2:7: rule 'a' is defined already, at r:1\n" },
	{ "route a too any via ses",
	  "1:9: expected a condition such as 'to', or 'via', got "
	  "'too', did you mean 'to'?\n" },
	{ "route a to any vai ses",
	  "1:16: expected a condition such as 'to', or 'via', got "
	  "'vai', did you mean 'via'?\n" },
	{ "route a to any via ses pol x",
	  "1:24: expected 'pool', 'configuration-set', a share such "
	  "as '95%', 'fallback', 'quote', 'raw', 'transactional' or "
	  "the end of the line, got 'pol', did you mean 'pool'?\n" },
	{ "route a to any via mta ses",
	  "1:24: expected 'pool', 'configuration-set', a share such "
	  "as '95%', 'fallback', 'quote', 'raw', 'transactional' or "
	  "the end of the line, got 'ses'\n" },
	{ "route a to any via ses to x.jp",
	  "1:24: conditions come before 'via'\n" },
	{ "route a to any x.jp via ses",
	  "1:16: expected a condition such as 'to', or 'via', got "
	  "'x.jp'\n" },
	{ "route a to x.jp any via ses",
	  "1:17: 'any' stands alone, not beside other conditions\n" },
	{ "route a to x.jp to y.jp via ses",
	  "1:17: 'to' is given twice; write 'and to' if both must "
	  "hold\n" },
	{ "route a to any via ses pool",
	  "1:28: expected the name of a pool after 'pool'\n" },
	{ "route a to any via ses pool p pool q",
	  "1:31: 'pool' is given twice\n" },
	{ "route a to any via ses pool to",
	  "1:29: expected the name of a pool, got 'to'\n" },
	{ "route a to any via mta configuration-sett x",
	  "1:24: expected 'pool', 'configuration-set', a share such "
	  "as '95%', 'fallback', 'quote', 'raw', 'transactional' or "
	  "the end of the line, got 'configuration-sett', did you mean "
	  "'configuration-set'?\n" },
	{ "route a to example via ses",
	  "1:12: expected 'any', 'carrier', 'domain' or an address, "
	  "got 'example'\n" },
	{ "route a to carier docomo via ses",
	  "1:12: expected 'any', 'carrier', 'domain' or an address, "
	  "got 'carier', did you mean 'carrier'?\n" },
	{ "route a to carrier via ses",
	  "1:20: expected the name of a carrier, got 'via'\n" },
	{ "route a to carrier docmo via mta\n"
	  "carrier docomo docomo.ne.jp",
	  "1:20: unknown carrier 'docmo', did you mean 'docomo'?\n" },
	{ "route a to carrier nobody via mta",
	  "1:20: unknown carrier 'nobody'\n" },
	{ "route a to carrier docomo.ne.jp via mta",
	  "1:20: expected the name of a carrier, got 'docomo.ne.jp'; "
	  "write 'domain' before domains\n" },
	{ "route a to domain via ses",
	  "1:19: expected a domain, got 'via'\n" },
	{ "route a to domain a@b.jp via ses",
	  "1:19: 'a@b.jp' is an address, expected a domain\n" },
	{ "route a to @b.jp via ses",
	  "1:12: '@b.jp' has no local part\n" },
	{ "route a to a@ via ses",
	  "1:12: 'a@' has no domain\n" },
	{ "route a to "
	  "llllllllllllllllllllllllllllllllllllllllllllllllllllllllll"
	  "lllllll@b.jp via ses",
	  "1:12: "
	  "'lllllllllllllllllllllllllllllllllllllllllllllllllllllllll"
	  "lll...' has a local part longer than 64 bytes\n" },
	{ "route a to b..jp via ses",
	  "1:12: 'b..jp' has an empty label\n" },
	{ "route a to ..jp via ses",
	  "1:12: '..jp' has an empty label\n" },
	{ "route a to b.jp. via ses",
	  "1:12: 'b.jp.' ends in a dot\n" },
	{ "route a to *.b.jp via ses",
	  "1:12: '*.b.jp' has a '*'; write '.example.jp' for "
	  "sub-domains\n" },
	{ "route a to \"b.jp\" via ses",
	  "1:12: '\"b.jp\"' is quoted, which no domain is\n" },
	{ "route a to b,c.jp via ses",
	  "1:12: 'b,c.jp' has a character that no domain has\n" },
	{ "route a to "
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxx.jp via ses",
	  "1:12: "
	  "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxx...' has a label longer than 63 bytes\n" },
	{ "route a to "
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.xxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.xxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.xxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxx.xxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxx.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxx via ses",
	  "1:12: "
	  "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.xxxxxx"
	  "xxx...' is longer than 255 bytes\n" },
	{ "route a to [192.0.2.1 via ses",
	  "1:12: '[192.0.2.1' has no closing bracket\n" },
	{ "route a to <> via ses",
	  "1:12: expected 'any', 'carrier', 'domain' or an address, "
	  "got '<>'\n" },
	{ "route a to any via mta 95% ses 6%",
	  "1:16: the shares add up to 101.00%, expected 100%\n" },
	{ "route a to any via mta 95%",
	  "1:16: the shares add up to 95.00%, expected 100%\n" },
	{ "route a to any via mta 101%",
	  "1:24: expected a share from 0% to 100%, such as '95%' or "
	  "'2.5%', got '101%'\n" },
	{ "route a to any via mta x% ses",
	  "1:24: expected a share from 0% to 100%, such as '95%' or "
	  "'2.5%', got 'x%'\n" },
	{ "route a to any via mta 2.555% ses 97.445%",
	  "1:24: expected a share from 0% to 100%, such as '95%' or "
	  "'2.5%', got '2.555%'\n" },
	{ "route a to any via mta 50% ses",
	  "1:16: the shares add up to 150.00%, expected 100%\n" },
	{ "route a to not x.jp via ses",
	  "1:12: 'not' comes before the whole condition: 'not to ...'\n" },
	{ "carrier",
	  "1:8: expected the name of a carrier after 'carrier'\n" },
	{ "carrier docomo",
	  "1:15: expected a domain or '.suffix' after 'docomo'\n" },
	{ "carrier do.como x.jp",
	  "1:9: expected the name of a carrier, got 'do.como'\n" },
	{ "carrier to x.jp",
	  "1:9: expected the name of a carrier, got 'to'\n" },
	{ "carrier c group",
	  "1:16: expected the name of a group after 'group'\n" },
	{ "carrier c group g",
	  "1:18: expected a domain or '.suffix' after 'g'\n" },
	{ "carrier c x.jp\n"
	  "carrier d x.jp",
	  "2:11: 'x.jp' belongs to carrier 'c' already, at r:1\n" },
	{ "carrier c x@y.jp",
	  "1:11: 'x@y.jp' is an address, expected a domain\n" },
	{ "carrier c .",
	  "1:11: '.' has no domain\n" },
	{ "hint x.jp",
	  "1:10: expected a text in quotes after 'x.jp'\n" },
	{ "hint \"text\"",
	  "1:6: expected a domain or '.suffix', got '\"text\"'\n" },
	{ "hint x.jp \"\"",
	  "1:11: expected a text in quotes, got '\"\"'\n" },
	{ "hint x.jp text",
	  "1:15: expected a text in quotes after 'text'\n" },
	{ "hint x.jp \"a\"\n"
	  "hint .y.jp x.jp \"b\"",
	  "2:12: 'x.jp' has a hint already, at r:1\n" },
	{ "hint x.jp \"a\" \"b\"",
	  "1:11: '\"a\"' is quoted, which no domain is\n" },
	{ "shape",
	  "1:6: expected 'default', 'path', 'carrier', 'group' or "
	  "'domain' after 'shape'\n" },
	{ "shape carrier",
	  "1:14: expected the name of a carrier after 'carrier'\n" },
	{ "shape carier docomo rate 1/s",
	  "1:7: expected 'default', 'path', 'carrier', 'group' or "
	  "'domain', got 'carier', did you mean 'carrier'?\n" },
	{ "shape default",
	  "1:14: expected a key such as 'connections' or 'rate' "
	  "after 'default'\n" },
	{ "shape default conections 2",
	  "1:15: expected a key such as 'connections' or 'rate', got "
	  "'conections', did you mean 'connections'?\n" },
	{ "shape default connections",
	  "1:26: expected a number after 'connections'\n" },
	{ "shape default connections many",
	  "1:27: expected a number, got 'many'\n" },
	{ "shape default connections 0",
	  "1:27: expected a number from 1 to 10000, got '0'\n" },
	{ "shape default connections 99999999999999999999",
	  "1:27: expected a number from 1 to 10000, got "
	  "'99999999999999999999'\n" },
	{ "shape default recipients 100",
	  "1:26: expected a number such as '100/session' or "
	  "'1/message', got '100'\n" },
	{ "shape default recipients",
	  "1:25: expected a number such as '100/session' or "
	  "'1/message' after 'recipients'\n" },
	{ "shape default recipients x/session",
	  "1:26: expected a number from 1 to 1000000, got 'x/session'\n" },
	{ "shape default rate 5",
	  "1:20: expected a rate such as '5/s', '30/min', '100/h' or "
	  "'2000/day', got '5'\n" },
	{ "shape default rate 5/m",
	  "1:20: expected a rate such as '5/s', '30/min', '100/h' or "
	  "'2000/day', got '5/m'\n" },
	{ "shape default rate fast",
	  "1:20: expected a rate such as '5/s', '30/min', '100/h' or "
	  "'2000/day', got 'fast'\n" },
	{ "shape default rate 0/s",
	  "1:20: expected a number from 1 to 1000000, got '0/s'\n" },
	{ "shape default retry 5min,,1h",
	  "1:21: expected a time such as '30s', '5min', '1h' or "
	  "'5d', got ''\n" },
	{ "shape default retry 5",
	  "1:21: expected a time such as '30s', '5min', '1h' or "
	  "'5d', got '5'\n" },
	{ "shape default retry 5m",
	  "1:21: expected a time such as '30s', '5min', '1h' or "
	  "'5d', got '5m'\n" },
	{ "shape default retry "
	  "1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1"
	  "s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s",
	  "1:21: more than 32 times in a retry schedule\n" },
	{ "shape default expiry",
	  "1:21: expected a time such as '5d' after 'expiry'\n" },
	{ "shape default expiry 400d",
	  "1:22: expected a number from 1 to 365, got '400d'\n" },
	{ "shape default unknown-users 2",
	  "1:29: expected a share from 0% to 100%, such as '95%' or "
	  "'2.5%', got '2'\n" },
	{ "shape default connections 1 connections 2",
	  "1:29: 'connections' is set already for the same, at r:1\n" },
	{ "shape default connections 1\n"
	  "shape default connections 2",
	  "2:15: 'connections' is set already for the same, at r:1\n" },
	{ "shape carrier docmo rate 1/s\n"
	  "carrier docomo x.jp",
	  "1:15: unknown carrier 'docmo', did you mean 'docomo'?\n" },
	{ "shape group kdi rate 1/s\n"
	  "carrier au group kddi x.jp",
	  "1:13: unknown group 'kdi', did you mean 'kddi'?\n" },
	{ "shape domain rate 1/s",
	  "1:14: expected a domain or '.suffix', got 'rate'\n" },
	{ "shape domain x@y.jp rate 1/s",
	  "1:14: 'x@y.jp' is an address, expected a domain\n" },
	{ "shape path rate 1/s",
	  "1:17: expected a key such as 'connections' or 'rate', got "
	  "'1/s'\n" },
	{ "shape path mta.x",
	  "1:17: expected a key such as 'connections' or 'rate' "
	  "after 'mta.x'\n" },
	{ "include",
	  "1:8: expected the name of a file in quotes after 'include'\n" },
	{ "include x",
	  "1:9: expected the name of a file in quotes, got 'x'\n" },
	{ "include \"\"",
	  "1:9: expected the name of a file in quotes, got '\"\"'\n" },
	{ "include \"x.rules\"",
	  "1:9: cannot read 'x.rules': it is not among the files "
	  "given\n" },
	{ "include \"a\" \"b\"",
	  "1:13: expected the end of the line, got '\"b\"'\n" },
	{ "expect",
	  "1:7: expected an address after 'expect'\n" },
	{ "expect a@x.jp",
	  "1:14: expected 'rule', 'via', 'carrier', 'pool', 'reject',"
	  " 'hold' or 'discard' after 'a@x.jp'\n" },
	{ "expect a@x.jp via mta",
	  "1:1: expected via 'mta', got rule 'z' (r:2) via 'ses' "
	  "carrier 'none'\n" },
	{ "expect a@x.jp rule nosuch via ses",
	  "1:1: expected rule 'nosuch' via 'ses', got rule 'z' (r:2) "
	  "via 'ses' carrier 'none'\n" },
	{ "expect a@x.jp carrier docomo",
	  "1:1: expected carrier 'docomo', got rule 'z' (r:2) via "
	  "'ses' carrier 'none'\n" },
	{ "expect from to a@x.jp via ses",
	  "1:13: expected an address or '<>', got 'to'\n" },
	{ "expect from x.jp to a@x.jp via ses",
	  "1:13: 'x.jp' is no address\n" },
	{ "expect x.jp via ses",
	  "1:8: 'x.jp' is no address\n" },
	{ "expect a@x.jp vai ses",
	  "1:15: expected 'rule', 'via', 'carrier', 'pool', 'reject',"
	  " 'hold' or 'discard', got 'vai', did you mean 'via'?\n" },
	{ "hint x.jp \"no end",
	  "1:11: no closing quote\n" },
	{ "hint x.jp \"a\"b",
	  "1:14: expected a blank after the quote\n" },
	{ "route a \\\n"
	  "  to any \\\n"
	  "  vai ses",
	  "3:3: expected a condition such as 'to', or 'via', got "
	  "'vai', did you mean 'via'?\n" },
	{ "route a　to any via ses",
	  "1:8: full-width space (U+3000) between words, expected an "
	  "ordinary one\n" },
	{ "route a to any \\ via ses",
	  "1:16: expected a condition such as 'to', or 'via', got '\\'\n" },
	{ "\troute\ta\tto\tdocomo\tvia\tses",
	  "1:13: expected 'any', 'carrier', 'domain' or an address, "
	  "got 'docomo'\n" },
	{ "# 日本語\n"
	  "hint x.jp \"携帯ではない\" y",
	  "2:33: expected a text in quotes after 'y'\n" },
	{ "route a to vai \\\n"
	  " to any via ses",
	  "1:12: expected 'any', 'carrier', 'domain' or an address, "
	  "got 'vai', did you mean 'via'?\n" },
	{ "carrier docomo docomo.ne.jp\n"
	  "route a to docomo via mta",
	  "2:12: 'docomo' is a carrier; write 'carrier docomo'\n" },
	{ "route a to any via ses\n"
	  "route b too any via ses\n"
	  "route c to carrier nobody via ses\n"
	  "shape default rate x",
	  "2:9: expected a condition such as 'to', or 'via', got "
	  "'too', did you mean 'to'?\n"
	  "4:20: expected a rate such as '5/s', '30/min', '100/h' or "
	  "'2000/day', got 'x'\n"
	  "3:20: unknown carrier 'nobody'\n" },
	{ "route a to carrier \"docomo\" via ses",
	  "1:20: expected the name of a carrier, got '\"docomo\"'\n" },
	{ "route a to carrier docomo domain via ses",
	  "1:34: expected a domain, got 'via'\n"
	  "1:20: unknown carrier 'docomo'\n" },
	{ "route a from \"a b\" to any via ses",
	  "1:14: expected 'any', 'carrier', 'domain' or an address, "
	  "got '\"a b\"'\n" },
};
/* clang-format on */
