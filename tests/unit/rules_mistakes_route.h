/*
 * rules_mistakes_route.h - mistakes in `route` and `expect` and exactly what is
 * said about each; the rest are in rules_mistakes.h, whose form this has.
 */
/* clang-format off */
static const struct mistake route_mistakes[] = {
	{ "route a hold",
	  "1:9: no condition before 'hold'; 'to any' takes everything\n" },
	{ "route a reject \"no\"",
	  "1:9: no condition before 'reject'; 'to any' takes "
	  "everything\n" },
	{ "route a to x.jp from y.jp to z.jp via ses",
	  "1:27: 'to' is given twice; write 'and to' if both must "
	  "hold\n" },
	{ "route a and to x.jp via ses",
	  "1:9: 'and' stands between two conditions\n" },
	{ "route a not any via ses",
	  "1:9: 'not any' would be nobody\n" },
	{ "route a not to any via ses",
	  "1:16: 'not ... any' would be nobody\n" },
	{ "route a header-from via ses",
	  "1:21: expected 'any', 'carrier', 'domain' or a domain, got"
	  " 'via'\n" },
	{ "route a header-from bob@x.jp via ses",
	  "1:21: 'bob@x.jp' is an address, and 'header-from' looks at"
	  " the domain\n" },
	{ "route a header-from <> via ses",
	  "1:21: expected 'any', 'carrier', 'domain' or a domain, got"
	  " '<>'\n" },
	{ "route a header-form x.jp via ses",
	  "1:9: expected a condition such as 'to', or 'via', got "
	  "'header-form', did you mean 'header-from'?\n" },
	{ "route a user via ses",
	  "1:14: expected the name of a user or '*', got 'via'\n" },
	{ "route a user",
	  "1:13: expected the name of a user or '*' after 'user'\n" },
	{ "route a listener via ses",
	  "1:18: expected the name of a listener, got 'via'\n" },
	{ "route a listener * via ses",
	  "1:18: expected the name of a listener, got '*'\n" },
	{ "route a tag via ses",
	  "1:13: expected a tag such as 'campaign=spring', got 'via'\n" },
	{ "route a tag kind via ses",
	  "1:13: expected a tag such as 'campaign=spring', got 'kind'\n" },
	{ "route a tag =x via ses",
	  "1:13: expected a tag such as 'campaign=spring', got '=x'\n" },
	{ "route a tag kind= via ses",
	  "1:13: expected a tag such as 'campaign=spring', got "
	  "'kind='\n" },
	{ "route a tag kind=a,b via ses",
	  "1:13: expected a tag such as 'campaign=spring', got "
	  "'kind=a,b'\n" },
	{ "route a size 1MB via ses",
	  "1:14: expected '>' or '<', got '1MB'\n" },
	{ "route a size >= 1MB via ses",
	  "1:14: expected '>' or '<', got '>='\n" },
	{ "route a size >1MB via ses",
	  "1:14: expected '>' or '<', got '>1MB'\n" },
	{ "route a size > via ses",
	  "1:16: expected a size such as '1MB', got 'via'\n" },
	{ "route a size > big via ses",
	  "1:16: expected a size such as '500KB' or '1MB', got 'big'\n" },
	{ "route a size > 1TB via ses",
	  "1:16: expected a size such as '500KB' or '1MB', got '1TB'\n" },
	{ "route a size > 1m via ses",
	  "1:16: expected a size such as '500KB' or '1MB', got '1m'\n" },
	{ "route a size > -1 via ses",
	  "1:16: expected a size such as '500KB' or '1MB', got '-1'\n" },
	{ "route a size > 99999999999999999999GB via ses",
	  "1:16: expected a size such as '500KB' or '1MB', got "
	  "'99999999999999999999GB'\n" },
	{ "route a local-part via ses",
	  "1:20: expected 'irregular', got 'via'\n" },
	{ "route a local-part regular via ses",
	  "1:20: expected 'irregular', got 'regular', did you mean "
	  "'irregular'?\n" },
	{ "route a to /x via ses",
	  "1:12: no closing '/' of the pattern\n" },
	{ "route a to /x\\/ via ses",
	  "1:12: no closing '/' of the pattern\n" },
	{ "route a to /(x/ via ses",
	  "1:15: bad pattern: missing closing parenthesis\n" },
	{ "route a to /x)y/ via ses",
	  "1:14: bad pattern: unmatched closing parenthesis\n" },
	{ "route a to /*x/ via ses",
	  "1:13: bad pattern: quantifier does not follow a repeatable"
	  " item\n" },
	{ "route a to /[a-/ via ses",
	  "1:16: bad pattern: missing terminating ] for character "
	  "class\n" },
	{ "route a to /^qa\\+.*[z-a]$/ via ses",
	  "1:23: bad pattern: range out of order in character class\n" },
	{ "route a from y.jp /\\p{Foo}/ via ses",
	  "1:27: bad pattern: unknown property after \\P or \\p\n" },
	{ "route a to /(?<=a+)b/ via ses",
	  "1:13: bad pattern: lookbehind assertion is not fixed "
	  "length\n" },
	{ "route a to /\\2(x)/ via ses",
	  "1:14: bad pattern: reference to non-existent subpattern\n" },
	{ "route a to /x/g via ses",
	  "1:15: bad pattern: flag 'g' is not known (i, x and s are)\n" },
	{ "route a to /x/iy via ses",
	  "1:16: bad pattern: flag 'y' is not known (i, x and s are)\n" },
	{ "route a to /x/to x.jp via ses",
	  "1:15: bad pattern: flag 't' is not known (i, x and s are)\n" },
	{ "route a header-from /(/ via ses",
	  "1:23: bad pattern: missing closing parenthesis\n" },
	{ "# 日本\n"
	  "route a to /日(/ via ses",
	  "2:17: bad pattern: missing closing parenthesis\n" },
	{ "route a to \\\n"
	  "  /a[/ \\\n"
	  "  via ses",
	  "2:6: bad pattern: missing terminating ] for character "
	  "class\n" },
	{ "shape domain /x/ rate 1/s",
	  "1:14: expected a domain or '.suffix', got '/x/'\n" },
	{ "route a to any reject",
	  "1:22: expected a text in quotes after 'reject'\n" },
	{ "route a to any reject no",
	  "1:23: expected a text in quotes, got 'no'\n" },
	{ "route a to any reject \"\"",
	  "1:23: expected a text in quotes, got '\"\"'\n" },
	{ "route a to any reject \"no\" via ses",
	  "1:28: expected the end of the line, got 'via'\n" },
	{ "route a to any hold via ses",
	  "1:21: expected the end of the line, got 'via'\n" },
	{ "route a to any hold fallback ses",
	  "1:21: 'fallback' goes with 'via' only\n" },
	{ "route a to any discard raw",
	  "1:24: 'raw' goes with 'via' only\n" },
	{ "route a to any via mta user bob",
	  "1:24: conditions come before 'via'\n" },
	{ "route a to any via mta not to x.jp",
	  "1:24: conditions come before 'via'\n" },
	{ "route a to any via mta and local-part irregular",
	  "1:24: conditions come before 'via'\n" },
	{ "route a to any holdd",
	  "1:16: expected a condition such as 'to', or 'via', got "
	  "'holdd', did you mean 'hold'?\n" },
	{ "route a to any rejct \"no\"",
	  "1:16: expected a condition such as 'to', or 'via', got "
	  "'rejct', did you mean 'reject'?\n" },
	{ "route a to any via mta via ses",
	  "1:24: expected 'pool', 'configuration-set', a share such "
	  "as '95%', 'fallback', 'quote', 'raw' or the end of the "
	  "line, got 'via'\n" },
	{ "route a to any via mta fallback",
	  "1:32: expected a path, 'hold' or 'none' after 'fallback'\n" },
	{ "route a to any via mta fallback ses fallback hold",
	  "1:37: 'fallback' is given twice\n" },
	{ "route a to any via mta fallback ses pool p",
	  "1:37: expected the end of the line, got 'pool'\n" },
	{ "route a to any via mta fallback ses 5%",
	  "1:37: expected the end of the line, got '5%'\n" },
	{ "route a to any via mta fallbak ses",
	  "1:24: expected 'pool', 'configuration-set', a share such "
	  "as '95%', 'fallback', 'quote', 'raw' or the end of the "
	  "line, got 'fallbak', did you mean 'fallback'?\n" },
	{ "route a to any via mta quote raw",
	  "1:30: 'quote' or 'raw' is given already\n" },
	{ "route a to any via mta raw raw",
	  "1:28: 'quote' or 'raw' is given already\n" },
	{ "expect a@x.jp user via ses",
	  "1:20: expected the name of a user, got 'via'\n" },
	{ "expect a@x.jp user bob",
	  "1:23: expected 'rule', 'via', 'carrier', 'pool', 'reject',"
	  " 'hold' or 'discard' after 'bob'\n" },
	{ "expect a@x.jp user bob user eve via ses",
	  "1:24: 'user' is given twice\n" },
	{ "expect a@x.jp listener via ses",
	  "1:24: expected the name of a listener, got 'via'\n" },
	{ "expect a@x.jp tag kind via ses",
	  "1:19: expected a tag such as 'campaign=spring', got 'kind'\n" },
	{ "expect a@x.jp size big via ses",
	  "1:20: expected a size such as '500KB' or '1MB', got 'big'\n" },
	{ "expect a@x.jp size > 1MB via ses",
	  "1:20: expected a size such as '500KB' or '1MB', got '>'\n" },
	{ "expect a@x.jp header-from b@y.jp via ses",
	  "1:27: 'b@y.jp' is an address, expected a domain\n" },
	{ "expect a@x.jp reject",
	  "1:1: expected reject, got rule 'z' (r:2) via 'ses' carrier"
	  " 'none'\n" },
	{ "expect a@x.jp hold",
	  "1:1: expected hold, got rule 'z' (r:2) via 'ses' carrier "
	  "'none'\n" },
	{ "expect a@x.jp discard",
	  "1:1: expected discard, got rule 'z' (r:2) via 'ses' "
	  "carrier 'none'\n" },
	{ "expect a@x.jp pool keitai",
	  "1:1: expected pool 'keitai', got rule 'z' (r:2) via 'ses' "
	  "without a pool carrier 'none'\n" },
	{ "expect a@x.jp hold discard",
	  "1:20: 'discard' comes after another way out\n" },
	{ "expect a@x.jp reject via ses",
	  "1:22: 'via' comes after another way out\n" },
	{ "route a user bob via mta\n"
	  "expect a@x.jp user eve rule a",
	  "2:1: expected rule 'a', got rule 'z' (r:3) via 'ses' "
	  "carrier 'none'\n" },
	{ "route a tag k=v size > 1KB hold\n"
	  "expect a@x.jp tag k=v size 2KB via ses",
	  "2:1: expected via 'ses', got rule 'a' (r:1) hold carrier "
	  "'none'\n" },
	{ "route a listener in reject \"no\"\n"
	  "expect a@x.jp listener in via ses",
	  "2:1: expected via 'ses', got rule 'a' (r:1) reject carrier"
	  " 'none'\n" },
	{ "route a header-from x.jp via discard\n"
	  "expect a@x.jp header-from x.jp via ses",
	  "2:1: expected via 'ses', got rule 'a' (r:1) discard "
	  "carrier 'none'\n" },
	{ "route a to /^q/ via mta pool p\n"
	  "expect q@x.jp pool r",
	  "2:1: expected pool 'r', got rule 'a' (r:1) via 'mta' pool "
	  "'p' carrier 'none'\n" },
	{ "route a local-part irregular via mta\n"
	  "expect a..b@x.jp via ses",
	  "2:1: expected via 'ses', got rule 'a' (r:1) via 'mta' "
	  "carrier 'none'\n" },
	{ "shape default warm-up",
	  "1:22: expected the name of a warm-up plan after 'warm-up'\n" },
	{ "shape default warm-up slow warm-up fast",
	  "1:28: 'warm-up' is set already for the same, at r:1\n" },
	{ "shape default warm-up \"slow\"",
	  "1:23: expected the name of a warm-up plan, got '\"slow\"'\n" },
	{ "route a to /(/ via ses\n"
	  "route b size > x via ses\n"
	  "route c to any fallback ses",
	  "1:14: bad pattern: missing closing parenthesis\n"
	  "2:16: expected a size such as '500KB' or '1MB', got 'x'\n"
	  "3:16: expected a condition such as 'to', or 'via', got "
	  "'fallback'\n" },
	{ "route a domain x.jp via ses",
	  "1:9: 'domain' needs 'to', 'from' or 'header-from' before "
	  "it\n" },
	{ "route a carrier docomo via ses",
	  "1:9: 'carrier' needs 'to', 'from' or 'header-from' before "
	  "it\n" },
	{ "route a size > 1.5MB via ses",
	  "1:16: expected a size such as '500KB' or '1MB', got "
	  "'1.5MB'\n" },
	{ "route a tag k=v, j=w via ses",
	  "1:13: expected a tag such as 'campaign=spring', got 'k=v,'\n" },
	{ "route a to /a b/i x.jp any via ses",
	  "1:24: 'any' stands alone, not beside other conditions\n" },
	{ "route a to /[[:foo:]]/ via ses",
	  "1:16: bad pattern: unknown POSIX class name\n" },
	{ "route a to /x{2,1}/ via ses",
	  "1:18: bad pattern: numbers out of order in {} quantifier\n" },
	{ "route a to /(?z)/ via ses",
	  "1:15: bad pattern: unrecognized character after (? or (?-\n" },
	{ "include \"*.rules\" x",
	  "1:19: expected the end of the line, got 'x'\n" },
	{ "shape default warm-up to",
	  "1:23: expected the name of a warm-up plan, got 'to'\n" },
	{ "route a to any via mta fallback hold hold",
	  "1:38: expected the end of the line, got 'hold'\n" },
	{ "route a to any via mta raw fallback",
	  "1:36: expected a path, 'hold' or 'none' after 'fallback'\n" },
	{ "route a to any via mta pool p raw 5% ses",
	  "1:35: expected the end of the line, got '5%'\n" },
	{ "route a to any discard discard",
	  "1:24: expected the end of the line, got 'discard'\n" },
	{ "expect a@x.jp carrier none via mta",
	  "1:1: expected via 'mta' carrier 'none', got rule 'z' (r:2)"
	  " via 'ses' carrier 'none'\n" },
	{ "route a listener in out! via ses",
	  "1:21: expected the name of a listener, got 'out!'\n" },
	{ "expect a@x.jp listener in listener out via ses",
	  "1:27: 'listener' is given twice\n" },
	{ "expect a@x.jp tag k=v tag j=w via ses",
	  "1:23: 'tag' is given twice\n" },
	{ "expect a@x.jp size 1KB size 2KB via ses",
	  "1:24: 'size' is given twice\n" },
	{ "expect a@x.jp header-from x.jp header-from y.jp via ses",
	  "1:32: 'header-from' is given twice\n" },
	{ "expect a@x.jp header-from via ses",
	  "1:27: expected a domain, got 'via'\n" },
	{ "expect a@x.jp tag via ses",
	  "1:19: expected a tag such as 'campaign=spring', got 'via'\n" },
	{ "expect a@x.jp size via ses",
	  "1:20: expected a size such as '1MB', got 'via'\n" },
	{ "route a not to x.jp and not from y.jp",
	  "1:38: expected a condition such as 'to', or 'via' after "
	  "'y.jp'\n" },
	{ "route a to any via mta hold",
	  "1:24: expected 'pool', 'configuration-set', a share such "
	  "as '95%', 'fallback', 'quote', 'raw' or the end of the "
	  "line, got 'hold'\n" },
};
/* clang-format on */
