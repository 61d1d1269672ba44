/*
 * rules_preview.js - what a change of the rules would do: the lines that differ, and who of the latest mail would
 * go another way.
 */
import { t } from "./i18n.js";
import { h, table, timeText } from "./ui.js";

const KINDS = [["+++", "head"], ["---", "head"], ["@@", "place"], ["+", "in"], ["-", "out"]];

/* A unified diff as the daemon made it. Its signs say the same as the colours. */
export function diffView(text, label) {
	return h("pre", { class: "diff", tabindex: "0", role: "region", "aria-label": label },
		text.split("\n").filter((line, i, all) => line !== "" || i < all.length - 1).map((line) =>
			h("span", { class: KINDS.find(([sign]) => line.startsWith(sign))?.[1] }, `${line}\n`)));
}

function way(d, other) {
	const rest = ["pool", "configuration_set", "fallback"].filter((k) => d[k] !== other[k] && d.path === other.path)
		.map((k) => `${k.replace("_", "-")} ${d[k] ?? "\u2013"}`);

	return [h("strong", null, d.path), " ", h("small", null, d.rule), rest.length > 0 && h("small", null, ` ${rest.join(", ")}`)];
}

function movesTable(answer) {
	return table({
		caption: t("rules.moves"), sort: { key: "n", descending: true }, rows: answer.moves,
		columns: [
			{ key: "from", label: t("rules.from"), value: (m) => m.from.path + m.from.rule, cell: (m) => way(m.from, m.to) },
			{ key: "to", label: t("rules.to"), value: (m) => m.to.path + m.to.rule, cell: (m) => way(m.to, m.from) },
			{ key: "n", label: t("rules.recipients"), numeric: true },
			{ key: "carrier", label: t("rules.carrier") },
			{ key: "domain", label: t("rules.domain"), cell: (m) => m.domain ?? t("rules.others") },
			{ key: "examples", label: t("rules.examples"), sort: false,
				cell: (m) => h("span", { class: "examples" }, m.examples.join(" ")) },
		],
	});
}

function total(answer) {
	const since = timeText(answer.since);

	if (answer.recipients === 0)
		return t("rules.no-mail");
	if (answer.changed === 0)
		return t("rules.no-effect", { n: answer.recipients, since });
	return t("rules.effect-of", { n: answer.recipients, since, changed: answer.changed, other: answer.other_path });
}

function effect(answer) {
	return h("section", { class: "effect" }, h("h3", null, t("rules.effect")),
		h("p", { class: "effect-total" }, total(answer)),
		answer.paths.length > 0 && h("ul", { class: "plain paths" }, answer.paths.map(({ from, to, n }) =>
			h("li", null, from === to ? t("rules.path-same", { from, n }) : t("rules.path-move", { from, to, n })))),
		!answer.complete && h("p", { class: "notice warn" }, t("rules.incomplete")),
		answer.limited > 0 && h("p", { class: "notice warn" },
			t("rules.limited", { n: answer.limited, rule: answer.limited_rule })),
		answer.moves.length > 0 && movesTable(answer),
		answer.in_no_row > 0 && h("p", null, t("rules.in-no-row", { n: answer.in_no_row })));
}

/* Of an answer of /v1/rules/diff. */
export function preview(answer) {
	return [effect(answer), h("section", null, h("h3", null, t("rules.difference")),
		answer.text === "" ? h("p", null, t("rules.unchanged")) : diffView(answer.text, t("rules.difference")))];
}

/* "2 mistakes, 1 warning" of an answer of /v1/rules/check. */
export function summary(report, leftOut = 0) {
	const errors = report.filter((p) => p.severity === "error").length;
	const told = [["rules.errors", errors], ["rules.warnings", report.length - errors]]
		.filter(([, n]) => n > 0).map(([key, n]) => t(key, { n }));

	if (report.length === 0)
		return t("rules.good");
	return [told.length === 2 ? t("rules.and", { a: told[0], b: told[1] }) : told[0],
		leftOut > 0 ? t("rules.left-out", { n: leftOut }) : ""].join(" ").trim();
}
