/*
 * suppression.js - who is not written to: why, since when, by whose word; with what adds and removes.
 *
 * "#/suppression?address=..." shows one address, or a domain as "@example.jp". What is to be exported whole is
 * for `oiwake suppress export`.
 */
import { url } from "./api.js";
import { t, texts, word } from "./i18n.js";
import { ask, field, h, load, pager, table, time, toast } from "./ui.js";
import "./words.js";

texts({
	ja: {
		"suppression.address": "アドレスまたは @ドメイン",
		"suppression.cause": "理由",
		"suppression.any": "すべて",
		"suppression.show": "表示",
		"suppression.caption": "配信停止リスト",
		"suppression.none": "該当する登録はありません。",
		"suppression.whom": "アドレス",
		"suppression.scope": "範囲",
		"suppression.all-paths": "すべての経路",
		"suppression.evidence": "根拠",
		"suppression.source": "情報源",
		"suppression.who": "登録者",
		"suppression.at": "登録日時",
		"suppression.expires": "期限",
		"suppression.for-ever": "無期限",
		"suppression.message": "元のメールを見る",
		"suppression.remove": "解除…",
		"suppression.remove-what": "{address} を解除…",
		"suppression.remove-title": "配信停止を解除しますか",
		"suppression.remove-text": "{address} への配信を再開します（範囲：{scope}）。",
		"suppression.remove-submit": "解除する",
		"suppression.removed": "{n} 件を解除しました。",
		"suppression.why": "理由",
		"suppression.why-hint": "記録に残り、ほかの担当者にも表示されます。",
		"suppression.add": "アドレスを追加…",
		"suppression.add-title": "配信停止リストへの追加",
		"suppression.add-text": "追加した宛先へのメールは、受け付けたあと送信せずに「配信停止」として終了します。",
		"suppression.addresses": "アドレス（1 行に 1 件）",
		"suppression.for": "期間",
		"suppression.days": "{n} 日間",
		"suppression.add-submit": "追加する",
		"suppression.added": "{n} 件を追加しました。",
		"suppression.export": "一覧全体の書き出しは、コマンド oiwake suppress export をお使いください。",
		"suppression.state": "SES との同期",
		"sync.local": "SES に未反映",
		"sync.gone": "SES から削除待ち",
		"cause.complaint": "苦情",
		"cause.manual": "担当者が登録",
		"cause.BOUNCE": "SES：不達",
		"cause.COMPLAINT": "SES：苦情",
		"source.smtp": "送信時の応答",
		"source.dsn": "不達通知",
		"source.arf": "苦情通知（ARF）",
		"source.ses": "SES の通知",
		"source.cli": "担当者",
		"source.import": "取り込み",
	},
	en: {
		"suppression.address": "Address or @domain",
		"suppression.cause": "Cause",
		"suppression.any": "any",
		"suppression.show": "Show",
		"suppression.caption": "Suppression list",
		"suppression.none": "There is no such entry.",
		"suppression.whom": "Address",
		"suppression.scope": "Scope",
		"suppression.all-paths": "all paths",
		"suppression.evidence": "Evidence",
		"suppression.source": "Told by",
		"suppression.who": "Who",
		"suppression.at": "Since",
		"suppression.expires": "Expires",
		"suppression.for-ever": "never",
		"suppression.message": "The mail that brought it",
		"suppression.remove": "Remove…",
		"suppression.remove-what": "Remove {address}…",
		"suppression.remove-title": "Take it off the list?",
		"suppression.remove-text": "{address} will be written to again (scope: {scope}).",
		"suppression.remove-submit": "Remove",
		"suppression.removed.one": "{n} entry was removed.",
		"suppression.removed": "{n} entries were removed.",
		"suppression.why": "Why",
		"suppression.why-hint": "Is kept in the log and shown to others.",
		"suppression.add": "Add addresses…",
		"suppression.add-title": "Add to the suppression list",
		"suppression.add-text": "Mail to an address on the list is taken, and ends as suppressed without being sent.",
		"suppression.addresses": "Addresses, one a line",
		"suppression.for": "For",
		"suppression.days": "{n} days",
		"suppression.add-submit": "Add",
		"suppression.added.one": "{n} address was added.",
		"suppression.added": "{n} addresses were added.",
		"suppression.export": "To export all of it, use the command oiwake suppress export.",
		"suppression.state": "Sync with SES",
		"sync.local": "not yet at SES",
		"sync.gone": "to be removed at SES",
		"cause.complaint": "complaint",
		"cause.manual": "by hand",
		"cause.BOUNCE": "SES: bounce",
		"cause.COMPLAINT": "SES: complaint",
		"source.smtp": "reply while sending",
		"source.dsn": "bounce message",
		"source.arf": "complaint (ARF)",
		"source.ses": "SES",
		"source.cli": "an operator",
		"source.import": "import",
	},
});

const PAGE = 50;
const DAYS = [0, 30, 90, 365];
const CAUSES = ["userunknown", "hostunknown", "hasmoved", "complaint", "manual", "mailboxfull", "suspend", "BOUNCE", "COMPLAINT"];

function causeText(cause) {
	return word("cause", cause) === cause ? word("reason", cause) : word("cause", cause);
}

function scopeText(scope) {
	return scope === "all" ? t("suppression.all-paths") : scope;
}

function whyField() {
	return { name: "why", label: t("suppression.why"), required: true, hint: t("suppression.why-hint"), attrs: { maxlength: 150 } };
}

/* -- what changes ----------------------------------------------------------------------------------- */

async function remove(ctx, entry, again) {
	const done = await ask({
		title: t("suppression.remove-title"),
		text: t("suppression.remove-text", { address: entry.address, scope: scopeText(entry.scope) }),
		submit: t("suppression.remove-submit"), danger: true, fields: [whyField()],
		send: async ({ why }) => {
			const reply = await ctx.api.post("/v1/suppression/remove",
				{ addresses: [entry.address], scope: entry.scope, why });
			toast(t("suppression.removed", { n: reply.removed }));
		},
	});

	if (done)
		again();
}

function addressesOf(text) {
	return text.split(/[\r\n]+/).map((line) => line.trim()).filter(Boolean);
}

async function add(ctx, again) {
	const done = await ask({
		title: t("suppression.add-title"), text: t("suppression.add-text"), submit: t("suppression.add-submit"),
		fields: [
			{ name: "addresses", type: "textarea", label: t("suppression.addresses"), required: true, attrs: { rows: 4 } },
			whyField(),
			{ name: "days", type: "select", label: t("suppression.for"), options: DAYS.map((n) =>
				[String(n), n === 0 ? t("suppression.for-ever") : t("suppression.days", { n })]) },
		],
		send: async ({ addresses, why, days }) => {
			const body = { addresses: addressesOf(addresses), why };
			if (days !== "0")
				body.expires = Number(days) * 86400;
			toast(t("suppression.added", { n: (await ctx.api.post("/v1/suppression/add", body)).added }));
		},
	});

	if (done)
		again();
}

/* -- the list ---------------------------------------------------------------------------------------- */

function evidence(ctx, s) {
	return [h("div", null, causeText(s.cause)),
		s.evidence && h("code", null, s.evidence),
		s.message && h("div", null, h("a", { href: ctx.href("messages", { id: s.message }) }, t("suppression.message"))),
		s.state && h("small", null, `${t("suppression.state")}: ${word("sync", s.state)}`)];
}

function columns(ctx, again) {
	const all = [
		{ key: "address", label: t("suppression.whom"), header: true, sort: false },
		{ key: "scope", label: t("suppression.scope"), sort: false, cell: (s) => scopeText(s.scope) },
		{ key: "cause", label: t("suppression.evidence"), sort: false, cell: (s) => evidence(ctx, s) },
		{ key: "source", label: t("suppression.source"), sort: false,
			cell: (s) => [word("source", s.source ?? ""), s.who && h("small", null, ` ${s.who}`)] },
		{ key: "at", label: t("suppression.at"), sort: false, cell: (s) => time(s.at) },
		{ key: "expires", label: t("suppression.expires"), sort: false,
			cell: (s) => s.expires ? time(s.expires) : t("suppression.for-ever") },
	];

	if (ctx.may("operate"))
		all.push({ key: "act", label: t("ui.actions"), sort: false, cell: (s) => h("button", { type: "button", class: "small",
			"aria-label": t("suppression.remove-what", { address: s.address }), onclick: () => remove(ctx, s, again) },
		t("suppression.remove")) });
	return all;
}

function listing(ctx, root) {
	let filter = {}, places = [null];

	const again = () => load(root, () => ctx.api.get(url("/v1/suppression", { ...filter, limit: PAGE, after: places.at(-1) })),
		(reply) => [
			table({ caption: t("suppression.caption"), hideCaption: true, columns: columns(ctx, again), rows: reply.rows,
				empty: t("suppression.none") }),
			(places.length > 1 || reply.next) && pager({
				onprevious: places.length > 1 ? () => { places.pop(); again(); } : null,
				onnext: reply.next ? () => { places.push(reply.next); again(); } : null }),
		]);
	return (next = filter) => {
		filter = next;
		places = [null];
		return again();
	};
}

function filterForm(filter, onsubmit) {
	const inputs = new Map();

	return h("form", { class: "filters", role: "search", onsubmit: (event) => {
		event.preventDefault();
		onsubmit({ address: inputs.get("address").value.trim(), cause: inputs.get("cause").value });
	} }, field({ name: "address", label: t("suppression.address"), type: "search", value: filter.address,
		attrs: { maxlength: 320, autocapitalize: "none", spellcheck: "false" } }, inputs),
	field({ name: "cause", label: t("suppression.cause"), type: "select", value: filter.cause,
		options: [["", t("suppression.any")], ...CAUSES.map((c) => [c, causeText(c)])] }, inputs),
	h("button", { type: "submit", class: "primary" }, t("suppression.show")));
}

function render(root, ctx) {
	const filter = { address: ctx.params.get("address") ?? "", cause: ctx.params.get("cause") ?? "" };
	const list = h("section", { class: "panel" });
	const show = listing(ctx, list);

	root.append(filterForm(filter, (next) => {
		ctx.keep(next);
		show(next);
	}), h("div", { class: "toolbar" }, ctx.may("operate") && h("button", { type: "button", onclick: () => add(ctx, () => show()) },
		t("suppression.add"))), list, h("p", { class: "soft" }, t("suppression.export")));
	show(filter);
}

export const page = { path: "suppression", title: "page.suppression", role: "view", styles: ["/story.css"], render };
