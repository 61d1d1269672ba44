/*
 * path_card.js - one path of the overview: what went out by it, how it fared, and how near it is to
 * the thresholds.
 */
import { chart } from "./chart.js";
import { gauge } from "./gauge.js";
import { t, texts, word } from "./i18n.js";
import { duration, h, number, percent } from "./ui.js";

texts({
	ja: {
		"card.ses": "Amazon SES 経由",
		"card.mta": "自前 MTA から直接配信",
		"card.discard": "配信せずに破棄（検証用）",
		"card.rate": "配信率",
		"card.rate-note": "配信率は、結果が判明した宛先のうち受信側が受け入れた割合です（受信箱への到達ではありません）。",
		"card.time": "配信までの時間",
		"card.quantiles": "中央値 {p50}、95 % が {p95} 以内",
		"card.chart": "{path} の推移",
		"card.more": "内訳",
		"card.quiet": "この期間の送信はありません。",
	},
	en: {
		"card.ses": "through Amazon SES",
		"card.mta": "direct, by our own MTA",
		"card.discard": "thrown away, for trials",
		"card.rate": "Delivery rate",
		"card.rate-note": "Of the recipients whose outcome is known, those that the receiving side accepted; not \u201cin the inbox\u201d.",
		"card.time": "Time to delivery",
		"card.quantiles": "half within {p50}, 95 % within {p95}",
		"card.chart": "{path} over time",
		"card.more": "All counters",
		"card.quiet": "Nothing was sent in this window.",
	},
});

const MAIN = ["accepted", "sent", "delivered", "unconfirmed", "bounced", "complained"];
const REST = ["attempted", "deferred", "filtered", "expired", "suppressed", "returned", "hard"];
const CURVES = [["sent", "--path-1"], ["delivered", "--good"], ["bounced", "--bad"]];

function figures(row, names) {
	return h("dl", { class: "figures" }, names.filter((name) => row[name] !== undefined && (name !== "unconfirmed" || row[name] > 0)).map((name) =>
		h("div", null, h("dt", null, word("counter", name)), h("dd", null, number(row[name])))));
}

function rateLine(row) {
	return h("p", { class: "rate" }, h("span", null, t("card.rate")), h("strong", null, percent(row.delivery_rate)),
		row.low !== null && h("small", null, t("gauge.interval", { low: percent(row.low), high: percent(row.high) })));
}

function timeLine(row) {
	return row.p50 !== null && row.p50 !== undefined && h("p", null, h("span", { class: "soft" }, `${t("card.time")}: `),
		t("card.quantiles", { p50: duration(row.p50), p95: duration(row.p95) }));
}

/* That of the whole path, not of a part of its mail. */
function limitsOf(guard, path, kind) {
	return guard.rows?.find((g) => g.kind === kind && g.scope.path === path && !g.scope.carrier && !g.scope.sender && !g.scope.user);
}

function budgetOf(guard, path, kind) {
	return guard.budget?.find((b) => b.path === path && b.kind === kind);
}

/* What a bar reaches to where there is no threshold. */
const LEAST = { bounce: 0.1, complaint: 0.005, unknown: 0.05 };

function gauges(row, guard) {
	return Object.keys(LEAST).map((kind) => row[kind]?.volume !== undefined && gauge(word("rate", kind), row[kind],
		limitsOf(guard, row.path, kind), budgetOf(guard, row.path, kind), LEAST[kind]));
}

/* pathCard(path, ses) is a node with update(row, guard, series) and end(). */
export function pathCard(path, ses) {
	const facts = h("div"), judged = h("div", { class: "gauges" });
	const rest = h("details", null, h("summary", null, t("card.more")));
	const curves = chart({ title: t("card.chart", { path }), times: [], series: [], least: 4 });
	const node = h("section", { class: "panel path-card", "aria-label": path, "data-path": path },
		h("div", { class: "panel-head" }, h("h2", null, path), h("small", null, t(ses ? "card.ses" : path === "discard" ? "card.discard" : "card.mta"))),
		facts, judged, curves, rest);

	node.update = (row, guard, series) => {
		facts.replaceChildren(...row.accepted + row.sent + row.deferred === 0 ?
			[h("p", { class: "soft" }, t("card.quiet"))] :
			[rateLine(row), figures(row, MAIN), timeLine(row)].filter(Boolean));
		judged.replaceChildren(...gauges(row, guard).filter(Boolean));
		for (const old of rest.querySelectorAll(":scope > :not(summary)"))
			old.remove();
		rest.append(figures(row, REST), h("p", { class: "soft" }, t("card.rate-note")));
		curves.update({ times: series.periods, series: CURVES.map(([name, colour]) => ({
			label: word("counter", name), colour, values: series.row?.[name] ?? series.periods.map(() => 0),
		})) });
	};
	node.end = () => curves.end();
	return node;
}
