/*
 * carriers.js - which path delivers better to whom: delivery rates of path x carrier, and of one carrier the
 * trend, the comparison, the reasons and what its servers said.
 */
import { url } from "./api.js";
import { carrierDetail } from "./carrier_detail.js";
import { SMALL } from "./gauge.js";
import { t, texts, word } from "./i18n.js";
import { every, h, load, number, percent } from "./ui.js";
import { isPath, windowChoice, windowOf } from "./window.js";

texts({
	ja: {
		"carriers.heat": "配信率（経路 × キャリア）",
		"carriers.hint": "マスを選ぶと、そのキャリアの推移・理由・応答を表示します。{n} 件未満は参考値として淡く表示します。",
		"carriers.carrier": "キャリア",
		"carriers.volume": "{n} 件",
		"carriers.interval": "{low}〜{high}",
		"carriers.none": "この期間の送信はありません。",
		"carriers.unsent": "送信なし",
		"carriers.unknown": "結果待ち",
		"carriers.cell": "{carrier}、{path}：",
		"carriers.scale": "色の目安",
	},
	en: {
		"carriers.heat": "Delivery rates, path by carrier",
		"carriers.hint": "Choose a cell to see that carrier\u2019s trend, reasons and replies. Below {n} messages a rate is only a hint, and shown pale.",
		"carriers.carrier": "Carrier",
		"carriers.volume.one": "{n} message",
		"carriers.volume": "{n} messages",
		"carriers.interval": "{low} to {high}",
		"carriers.none": "Nothing was sent in this window.",
		"carriers.unsent": "nothing sent",
		"carriers.unknown": "not known yet",
		"carriers.cell": "{carrier} by {path}: ",
		"carriers.scale": "Colours",
	},
});

const REFRESH_MS = 60000;

/* From below this share to above; a class for each, "heat-0" is the worst. */
const STEPS = [0.8, 0.9, 0.95, 0.98];

export function carrierName(name) {
	return name === "" ? word("carrier", "") : name;
}

function heat(row) {
	if (row.delivery_rate === null)
		return "heat-none";
	return row.accepted < SMALL ? "heat-small" : `heat-${STEPS.filter((s) => row.delivery_rate >= s).length}`;
}

function cell(row, carrier, path, chosen) {
	if (row === undefined)
		return h("td", { class: "heat" }, h("span", { class: "soft" }, t("carriers.unsent")));
	const rate = row.delivery_rate === null ? t("carriers.unknown") : percent(row.delivery_rate);

	return h("td", { class: `heat ${heat(row)}` }, h("button", {
		type: "button", "data-key": `${path} ${carrier}`, "aria-pressed": String(chosen.carrier === carrier && chosen.path === path),
		onclick: () => chosen.choose(carrier, path),
	}, h("span", { class: "unseen" }, t("carriers.cell", { carrier: carrierName(carrier), path })), h("strong", null, rate),
	row.low !== null && h("small", null, t("carriers.interval", { low: percent(row.low), high: percent(row.high) })),
	h("small", null, t("carriers.volume", { n: row.accepted }))));
}

/* The most mail first; what is no carrier's last. */
function inOrder(rows) {
	const volume = new Map();

	for (const row of rows)
		volume.set(row.carrier, (volume.get(row.carrier) ?? 0) + row.accepted);
	return [...volume.keys()].sort((a, b) => (a === "") - (b === "") || volume.get(b) - volume.get(a));
}

function scale() {
	const names = [`< ${percent(STEPS[0], 0)}`, ...STEPS.map((s) => `\u2265 ${percent(s, 0)}`)];

	return h("ul", { class: "heat-scale", "aria-label": t("carriers.scale") }, names.map((name, i) =>
		h("li", { class: `heat heat-${i}` }, name)));
}

function heatTable(rows, chosen) {
	if (rows.length === 0)
		return h("p", { class: "state" }, t("carriers.none"));
	const paths = [...new Set(rows.map((row) => row.path))].sort();

	return [h("div", { class: "table", role: "region", tabindex: "0", "aria-label": t("carriers.heat") },
		h("table", { class: "heat-table" }, h("caption", null, t("carriers.hint", { n: number(SMALL) })),
			h("thead", null, h("tr", null, h("th", { scope: "col" }, t("carriers.carrier")),
				paths.map((path) => h("th", { scope: "col" }, path)))),
			h("tbody", null, inOrder(rows).map((carrier) => h("tr", null,
				h("th", { scope: "row" }, carrierName(carrier)), paths.map((path) =>
					cell(rows.find((row) => row.path === path && row.carrier === carrier), carrier, path, chosen))))))),
	scale()];
}

function render(root, ctx) {
	let window = windowOf(ctx.params, "7d");
	const heatRoot = h("div"), detailRoot = h("div");
	const detail = carrierDetail(detailRoot, ctx);
	const chosen = { carrier: ctx.params.get("carrier"), path: ctx.params.get("path"), choose };

	function keep() {
		ctx.keep({ window, ...chosen.carrier === null ? {} : { carrier: chosen.carrier || "-", path: chosen.path } });
	}

	function showHeat() {
		return load(heatRoot, () => ctx.api.get(url("/v1/stats", { by: "path,carrier", window })),
			(stats) => heatTable(stats.rows.filter((row) => isPath(row.path)), chosen));
	}

	function choose(carrier, path) {
		chosen.carrier = carrier;
		chosen.path = path;
		keep();
		for (const button of heatRoot.querySelectorAll("td.heat button"))
			button.setAttribute("aria-pressed", String(button.dataset.key === `${path} ${carrier}`));
		detail.show(carrier, path, window, true);
	}

	if (chosen.carrier === "-")
		chosen.carrier = "";
	root.append(h("div", { class: "toolbar" }, windowChoice(window, (name) => {
		window = name;
		keep();
		showHeat();
		detail.again(window);
	})), h("section", { class: "panel" }, h("h2", null, t("carriers.heat")), heatRoot), detailRoot);
	showHeat();
	if (chosen.carrier !== null)
		detail.show(chosen.carrier, chosen.path, window, false);
	const stop = every(REFRESH_MS, () => {
		showHeat();
		detail.again(window);
	});
	return () => {
		stop();
		detail.end();
	};
}

export const page = { path: "carriers", title: "page.carriers", role: "view", render };
