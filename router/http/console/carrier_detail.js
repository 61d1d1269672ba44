/*
 * carrier_detail.js - one carrier: its trend by each path, how the paths compare, why mail did not arrive, what
 * its servers said lately, and how long delivery takes.
 */
import { url } from "./api.js";
import { chart } from "./chart.js";
import { said, t, texts, word } from "./i18n.js";
import { badge, choice, duration, emptyState, h, load, number, percent, table, time } from "./ui.js";
import { isPath, stepOf } from "./window.js";

texts({
	ja: {
		"detail.title": "{carrier} の詳細",
		"detail.path": "経路",
		"detail.all": "すべての経路",
		"detail.trend": "配信率の推移",
		"detail.volume": "送信件数の推移",
		"detail.compare": "経路の比較",
		"detail.compare-note": "同じルールで振り分けた宛先どうしを比べています。",
		"detail.compare-none": "比較できる振り分け（split）のルールがありません。",
		"detail.verdict.better": "差あり",
		"detail.verdict.worse": "差あり",
		"detail.verdict.same": "差なし",
		"detail.verdict.open": "判定待ち",
		"detail.rule": "ルール {rule}",
		"detail.difference": "差 {difference}（95 % 信頼区間 {low}〜{high}、p {p}）",
		"detail.needed": "判定には、あと {n} 件の送信が必要です。",
		"detail.rate": "配信率",
		"detail.interval": "95 % 信頼区間",
		"detail.sent": "件数",
		"detail.unconfirmed": "未確認",
		"detail.p50": "中央値",
		"detail.p95": "95 % 以内",
		"detail.p99": "99 % 以内",
		"detail.times": "配信までの時間",
		"detail.reasons": "配信できなかった理由",
		"detail.reasons-none": "この期間に、不達・保留になったものはありません。",
		"detail.result": "結果",
		"detail.reason": "理由",
		"detail.n": "件数",
		"detail.replies": "最近の応答",
		"detail.replies-caption": "直近のイベントにある相手サーバーの応答（多い順）",
		"detail.replies-none": "最近のイベントに応答の記録はありません。",
		"detail.reply": "応答",
		"detail.last": "最終",
		"detail.points": "{n} ポイント",
	},
	en: {
		"detail.title": "Details: {carrier}",
		"detail.path": "Path",
		"detail.all": "all paths",
		"detail.trend": "Delivery rate over time",
		"detail.volume": "Sent over time",
		"detail.compare": "How the paths compare",
		"detail.compare-note": "Compared are recipients that one rule split between the paths.",
		"detail.compare-none": "No rule splits this carrier\u2019s mail, so there is nothing to compare.",
		"detail.verdict.better": "differs",
		"detail.verdict.worse": "differs",
		"detail.verdict.same": "no difference",
		"detail.verdict.open": "undecided",
		"detail.rule": "rule {rule}",
		"detail.difference": "difference {difference} (95 % interval {low} to {high}, p {p})",
		"detail.needed.one": "{n} more message would settle it.",
		"detail.needed": "{n} more messages would settle it.",
		"detail.rate": "Delivery rate",
		"detail.interval": "95 % interval",
		"detail.sent": "Volume",
		"detail.unconfirmed": "Unconfirmed",
		"detail.p50": "Median",
		"detail.p95": "95 % within",
		"detail.p99": "99 % within",
		"detail.times": "Time to delivery",
		"detail.reasons": "Why mail was not delivered",
		"detail.reasons-none": "Nothing bounced or was deferred in this window.",
		"detail.result": "Outcome",
		"detail.reason": "Reason",
		"detail.n": "Number",
		"detail.replies": "Latest replies",
		"detail.replies-caption": "What their servers said in the latest events, the most frequent first",
		"detail.replies-none": "No reply is in the latest events.",
		"detail.reply": "Reply",
		"detail.last": "Last",
		"detail.points": "{n} points",
	},
});

const COLOURS = ["--path-1", "--path-2", "--path-3", "--path-4"];
const EVENTS = 1000; /* that are looked through for replies */
const REPLIES_SHOWN = 20;

/* -- curves ------------------------------------------------------------------------------------- */

/* Of what came to an end in the period; null where nothing did. */
function rates(row) {
	return row.delivered.map((n, i) => {
		const ended = n + row.bounced[i] + row.filtered[i];
		return ended > 0 ? n / ended : null;
	});
}

function curves() {
	const trend = chart({ title: t("detail.trend"), times: [], series: [], format: percent, rates: true });
	const volume = chart({ title: t("detail.volume"), times: [], series: [], least: 4 });
	const node = h("div", { class: "columns" }, h("div", { class: "panel" }, trend), h("div", { class: "panel" }, volume));

	node.update = (series) => {
		const each = (values) => series.rows.map((row, i) => ({ label: row.path, colour: COLOURS[i % COLOURS.length],
			values: values(row) }));
		trend.update({ times: series.periods, series: each(rates) });
		volume.update({ times: series.periods, series: each((row) => row.sent) });
		return node;
	};
	node.end = () => {
		trend.end();
		volume.end();
	};
	return node;
}

/* -- the comparison ----------------------------------------------------------------------------- */

function points(x) {
	return x === null || x === undefined ? "\u2013" :
		t("detail.points", { n: (x > 0 ? "+" : "") + number(Math.round(x * 1000) / 10) });
}

function pValue(p) {
	return p === null || p === undefined ? "\u2013" : p < 0.001 ? "< 0.001" : `= ${number(Math.round(p * 1000) / 1000)}`;
}

function sides(row) {
	return table({
		caption: t("detail.rule", { rule: row.rule }), rows: row.sides,
		columns: [
			{ key: "path", label: t("detail.path"), header: true, sort: false },
			{ key: "volume", label: t("detail.sent"), numeric: true, sort: false },
			{ key: "rate", label: t("detail.rate"), numeric: true, sort: false, cell: (s) => percent(s.rate) },
			{ key: "low", label: t("detail.interval"), sort: false, cell: (s) => s.rate === null ? "\u2013" :
				`${percent(s.low)}\u2013${percent(s.high)}` },
			{ key: "unconfirmed", label: t("detail.unconfirmed"), numeric: true, sort: false },
			{ key: "p50", label: t("detail.p50"), numeric: true, sort: false, cell: (s) => duration(s.p50) },
			{ key: "p95", label: t("detail.p95"), numeric: true, sort: false, cell: (s) => duration(s.p95) },
		],
	});
}

const VERDICTS = { better: "good", worse: "good", same: "quiet", open: "warn" };

function comparison(row) {
	return h("div", { class: "comparison" },
		h("p", { class: "verdict" }, badge(t(`detail.verdict.${row.verdict}`), VERDICTS[row.verdict]), " ",
			h("strong", null, said(row))),
		(row.warnings ?? []).map((w) => h("p", { class: "notice warn" }, said(w))),
		sides(row),
		row.difference !== null && h("p", { class: "soft" }, t("detail.difference", { difference: points(row.difference),
			low: points(row.difference_low), high: points(row.difference_high), p: pValue(row.p_value) })),
		row.needed > 0 && h("p", null, t("detail.needed", { n: row.needed })));
}

function comparisons(all) {
	return all.rows.length === 0 ? emptyState(t("detail.compare-none")) :
		[h("p", { class: "soft" }, t("detail.compare-note")), all.rows.map(comparison)];
}

/* -- times, reasons, replies -------------------------------------------------------------------- */

function times(stats) {
	return table({
		caption: t("detail.times"), hideCaption: true, rows: stats.rows,
		columns: [
			{ key: "path", label: t("detail.path"), header: true },
			...["p50", "p95", "p99"].map((key) => ({ key, numeric: true, cell: (row) => duration(row[key]),
				label: t(`detail.${key}`) })),
		],
	});
}

function reasons(all) {
	return table({
		caption: t("detail.reasons"), hideCaption: true, empty: t("detail.reasons-none"), rows: all.rows,
		sort: { key: "n", descending: true },
		columns: [
			{ key: "reason", label: t("detail.reason"), header: true, value: (row) => word("reason", row.reason),
				cell: (row) => [word("reason", row.reason), " ", h("small", null, row.reason)] },
			{ key: "counter", label: t("detail.result"), value: (row) => word("counter", row.counter) },
			{ key: "path", label: t("detail.path") },
			{ key: "n", label: t("detail.n"), numeric: true },
		],
	});
}

function tag(event, name) {
	return event.mail?.tags?.[`oiwake:${name}`]?.[0] ?? "";
}

/* The server's words, without what differs from recipient to recipient. */
function replyOf(event) {
	const r = (event.bounce?.bouncedRecipients ?? event.deliveryDelay?.delayedRecipients)?.[0];

	return (r?.diagnosticCode ?? "").replace(/^smtp; */i, "").replace(/<?[^\s<>'"]+@[^\s<>'",;]+>?/g, "<\u2026>")
		.replace(/\b[0-9a-f-]{16,}\b/gi, "\u2026").trim();
}

/* The most frequent of one carrier's, from events of all. */
function countReplies(rows, carrier, path) {
	const found = new Map();

	for (const { event } of rows) {
		const reply = replyOf(event);
		if (reply === "" || tag(event, "carrier") !== carrier || path && tag(event, "path") !== path)
			continue;
		const key = `${tag(event, "path")} ${reply}`;
		const at = (event.bounce ?? event.deliveryDelay).timestamp;
		const one = found.get(key) ?? { reply, path: tag(event, "path"), reason: tag(event, "reason"), n: 0, at };
		one.n++;
		if (at > one.at)
			one.at = at;
		found.set(key, one);
	}
	return [...found.values()].sort((a, b) => b.n - a.n).slice(0, REPLIES_SHOWN);
}

function replies(rows) {
	return table({
		caption: t("detail.replies-caption"), empty: t("detail.replies-none"), rows, sort: { key: "n", descending: true },
		columns: [
			{ key: "reply", label: t("detail.reply"), header: true, cell: (row) => h("code", null, row.reply) },
			{ key: "reason", label: t("detail.reason"), cell: (row) => word("reason", row.reason) || "\u2013" },
			{ key: "path", label: t("detail.path") },
			{ key: "at", label: t("detail.last"), cell: (row) => time(row.at) },
			{ key: "n", label: t("detail.n"), numeric: true },
		],
	});
}

/* -- all of it ---------------------------------------------------------------------------------- */

function panel(title, ...children) {
	return h("section", { class: "panel" }, h("h3", null, t(title)), children);
}

/* show(carrier, path, window, focus), again(window), end(). path "" is all. */
export function carrierDetail(root, ctx) {
	let carrier = null, path = "", window = "7d", lines = null, parts = null;

	/* What goes out by a path. "carrier=" with nothing behind it is what goes to no carrier. */
	function get(at, args) {
		return ctx.api.get(`${url(at, { window, ...args })}&carrier=${encodeURIComponent(carrier)}`)
			.then((all) => ({ ...all, rows: all.rows.filter((row) => row.path === undefined || isPath(row.path)) }));
	}

	function read() {
		load(parts.series, () => get("/v1/series", { by: "path", step: stepOf(window), path }), lines.update);
		load(parts.reasons, () => get("/v1/reasons", { by: "path", path }), reasons);
		load(parts.times, () => get("/v1/stats", { by: "path", path }), times);
		load(parts.replies, () => ctx.api.get(url("/v1/events", { limit: EVENTS, type: "Bounce,DeliveryDelay", path })),
			(all) => replies(countReplies(all.rows, carrier, path)));
		load(parts.compare, () => get("/v1/compare", {}), comparisons);
	}

	function pathChoice(paths) {
		return choice({ label: t("detail.path"), value: path, options: [["", t("detail.all")], ...paths.map((p) => [p, p])],
			onchange: (p) => {
				path = p;
				ctx.keep({ window, carrier: carrier || "-", path });
				read();
			} });
	}

	function build(focus) {
		const title = h("h2", { tabindex: "-1" }, t("detail.title", { carrier: carrier === "" ? word("carrier", "") : carrier }));
		const pick = h("div", { class: "toolbar" });

		lines?.end();
		lines = curves();
		parts = { series: h("div"), compare: h("div"), reasons: h("div"), times: h("div"), replies: h("div") };
		root.replaceChildren(h("section", { class: "carrier-detail" }, title, pick, parts.series,
			panel("detail.compare", parts.compare),
			h("div", { class: "columns" }, panel("detail.reasons", parts.reasons), panel("detail.times", parts.times)),
			panel("detail.replies", parts.replies)));
		load(pick, () => get("/v1/stats", { by: "path" }),
			(stats) => pathChoice(stats.rows.map((row) => row.path)));
		if (focus)
			title.focus();
	}

	return {
		show(nextCarrier, nextPath, nextWindow, focus) {
			carrier = nextCarrier;
			path = nextPath ?? "";
			window = nextWindow;
			build(focus);
			read();
		},
		again(nextWindow) {
			window = nextWindow;
			if (carrier !== null)
				read();
		},
		end: () => lines?.end(),
	};
}
