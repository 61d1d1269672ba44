/*
 * queue.js - what waits, why, and an operator's hand on it; and the lanes it waits in.
 *
 * "#/queue?to=...&domain=...&sender=...&path=...&carrier=..." filters. Retry, hold and delete are for all that the
 * filter matches, or for one.
 */
import { url } from "./api.js";
import { t, texts } from "./i18n.js";
import { actions, stateBadge, waits } from "./story.js";
import { field, h, load, number, pager, table, time } from "./ui.js";

texts({
	ja: {
		"queue.filter": "絞り込み",
		"queue.to": "宛先アドレス",
		"queue.domain": "宛先ドメイン",
		"queue.sender": "差出人（ドメインまたはアドレス）",
		"queue.path": "経路",
		"queue.carrier": "キャリア",
		"queue.show": "表示",
		"queue.clear": "条件をクリア",
		"queue.found": "条件に合うメールは {n} 件です。",
		"queue.none": "条件に合うメールはキューにありません。",
		"queue.empty": "キューは空です。",
		"queue.caption": "キューのメール",
		"queue.all-of-them": "条件に合うすべてのメールへの操作",
		"queue.narrow": "まとめて操作するには、条件を指定してください。",
		"queue.state": "状態",
		"queue.why": "待っている理由",
		"queue.received": "受付",
		"queue.expires": "期限",
		"queue.from": "差出人",
		"queue.details": "経過を見る",
		"queue.lanes": "レーン（経路・送信元・受信システムごとの待ち行列）",
		"queue.lane-source": "送信元",
		"queue.lane-group": "受信システム",
		"queue.lane-waiting": "待ち",
		"queue.lane-sending": "送信中",
		"queue.lane-open": "接続",
		"queue.lane-state": "状態",
		"queue.no-lanes": "使用中のレーンはありません。",
		"queue.page": "{from}〜{to} 件目",
	},
	en: {
		"queue.filter": "Filter",
		"queue.to": "Recipient",
		"queue.domain": "Recipient’s domain",
		"queue.sender": "Sender (domain or address)",
		"queue.path": "Path",
		"queue.carrier": "Carrier",
		"queue.show": "Show",
		"queue.clear": "Clear",
		"queue.found.one": "{n} recipient matches.",
		"queue.found": "{n} recipients match.",
		"queue.none": "Nothing in the queue matches.",
		"queue.empty": "The queue is empty.",
		"queue.caption": "Recipients in the queue",
		"queue.all-of-them": "All that match",
		"queue.narrow": "Set a filter to act on all that it matches.",
		"queue.state": "State",
		"queue.why": "Why it waits",
		"queue.received": "Received",
		"queue.expires": "Expires",
		"queue.from": "From",
		"queue.details": "What happened",
		"queue.lanes": "Lanes: what waits by path, source and receiving system",
		"queue.lane-source": "Source",
		"queue.lane-group": "Receiving system",
		"queue.lane-waiting": "Waiting",
		"queue.lane-sending": "Sending",
		"queue.lane-open": "Connections",
		"queue.lane-state": "State",
		"queue.no-lanes": "No lane is in use.",
		"queue.page": "{from} to {to}",
	},
});

const FILTERS = ["to", "domain", "sender", "path", "carrier"];
const PAGE = 50;

function filterOf(params) {
	return Object.fromEntries(FILTERS.map((name) => [name, params.get(name)?.trim() ?? ""]).filter(([, v]) => v !== ""));
}

function filterForm(filter, onsubmit) {
	const inputs = new Map();
	const form = h("form", { class: "filters", role: "search", "aria-label": t("queue.filter"), onsubmit: (event) => {
		event.preventDefault();
		onsubmit(filterOf(new Map([...inputs].map(([name, input]) => [name, input.value]))));
	} }, FILTERS.map((name) => field({ name, label: t(`queue.${name}`), value: filter[name],
		attrs: { size: 18, maxlength: 320, autocapitalize: "none", spellcheck: "false" } }, inputs)),
	h("button", { type: "submit", class: "primary" }, t("queue.show")),
	h("button", { type: "button", onclick: () => {
		for (const input of inputs.values())
			input.value = "";
		onsubmit({});
	} }, t("queue.clear")));

	return form;
}

/* -- the rows ------------------------------------------------------------------------------------- */

function columns(ctx, again) {
	return [
		{ key: "to", label: t("queue.to"), header: true, sort: false, cell: (r) => [
			h("a", { href: ctx.href("messages", { id: r.id }), "aria-label": `${t("queue.details")} ${r.to}` }, r.to),
			h("br"), h("small", null, `${t("queue.from")} ${r.from || "<>"}`)] },
		{ key: "state", label: t("queue.state"), sort: false, cell: stateBadge },
		{ key: "why", label: t("queue.why"), sort: false, cell: (r) => [
			h("ul", { class: "why" }, waits(r).map((s) => h("li", null, s))), actions(ctx, { id: r.id }, again, r.to)] },
		{ key: "path", label: t("queue.path"), sort: false, cell: (r) => [r.path, r.carrier && h("small", null, ` ${r.carrier}`)] },
		{ key: "received", label: t("queue.received"), sort: false, cell: (r) => time(r.received) },
		{ key: "expires", label: t("queue.expires"), sort: false, cell: (r) => time(r.expires) },
	];
}

function listing(ctx, root) {
	let filter = {}, places = [null]; /* where each page so far began */

	function again() {
		return load(root, () => ctx.api.get(url("/v1/queue", { ...filter, limit: PAGE, after: places.at(-1), count: 1,
			lanes: 1 })), show);
	}

	function step(place) {
		places = place === null ? places.slice(0, -1) : [...places, place];
		again();
	}

	function show(reply) {
		const from = (places.length - 1) * PAGE, narrow = Object.keys(filter).length > 0;

		return [
			h("div", { class: "panel-head" }, h("p", { role: "status" }, t("queue.found", { n: reply.count })),
				reply.count > 0 && (narrow ? actions(ctx, filter, restart, t("queue.all-of-them")) :
					ctx.may("operate") && h("p", { class: "soft" }, t("queue.narrow")))),
			table({ caption: t("queue.caption"), hideCaption: true, columns: columns(ctx, again), rows: reply.rows,
				empty: t(narrow ? "queue.none" : "queue.empty") }),
			(places.length > 1 || reply.next) && pager({
				onprevious: places.length > 1 ? () => step(null) : null,
				onnext: reply.next ? () => step(reply.next) : null,
				text: t("queue.page", { from: from + 1, to: from + reply.rows.length }) }),
		];
	}

	function restart(next = filter) {
		filter = next;
		places = [null];
		return again();
	}
	return restart;
}

/* -- the lanes ------------------------------------------------------------------------------------ */

function lanes(ctx, root) {
	const view = table({ caption: t("queue.lanes"), empty: t("queue.no-lanes"), sort: { key: "waiting", descending: true },
		columns: [
			{ key: "path", label: t("queue.path"), header: true },
			{ key: "source", label: t("queue.lane-source") },
			{ key: "group", label: t("queue.lane-group") },
			{ key: "waiting", label: t("queue.lane-waiting"), numeric: true, cell: (r) => number(r.waiting) },
			{ key: "sending", label: t("queue.lane-sending"), numeric: true, cell: (r) => number(r.sending) },
			{ key: "connections", label: t("queue.lane-open"), numeric: true, cell: (r) => number(r.connections) },
			{ key: "state", label: t("queue.lane-state"), cell: (r) => ctx.word("lane", r.state) },
		] });
	let said = "";

	root.append(view);
	return ctx.live.on((data) => {
		const next = JSON.stringify(data.lanes);

		if (next !== said)
			view.update(data.lanes);
		said = next;
	});
}

function render(root, ctx) {
	const list = h("section", { class: "panel" }), below = h("section", { class: "panel" });
	const show = listing(ctx, list);
	const filter = filterOf(ctx.params);

	root.append(filterForm(filter, (next) => {
		ctx.keep(next);
		show(next);
	}), list, below);
	show(filter);
	return lanes(ctx, below);
}

export const page = { path: "queue", title: "page.queue", role: "view", styles: ["/story.css"], render };
