/*
 * pauses.js - what is stopped, by whom and why, with the buttons that end it and stop more.
 */
import { t, texts, word } from "./i18n.js";
import { ask, confirm, emptyState, errorText, h, table, time, toast } from "./ui.js";

texts({
	ja: {
		"pauses.caption": "停止中の経路・送信元・メール",
		"pauses.none": "停止しているものはありません。",
		"pauses.what": "対象",
		"pauses.why": "理由",
		"pauses.who": "設定者",
		"pauses.since": "開始",
		"pauses.until": "解除予定",
		"pauses.for-ever": "手動で再開するまで",
		"pauses.resume": "再開",
		"pauses.resume-what": "{what} を再開",
		"pauses.resume-sure": "{what} の送信を再開します。よろしいですか。",
		"pauses.resumed": "{what} を再開しました。",
		"pauses.pause": "一時停止…",
		"pauses.pause-title": "送信の一時停止",
		"pauses.pause-text": "受け付けは続き、対象のメールはキューで待ちます。",
		"pauses.kind": "対象の種類",
		"pauses.name": "対象の名前",
		"pauses.name-hint": "経路名、送信元名、受信システム名。メールの範囲は「path=mta carrier=docomo sender=news.example.jp」の形で指定します。",
		"pauses.for": "期間",
		"pauses.hours": "{n} 時間",
		"pauses.days": "{n} 日間",
		"pauses.submit": "一時停止する",
		"pauses.paused": "{what} を一時停止しました。",
		"pauses.why-hint": "記録に残り、ほかの担当者にも表示されます。",
	},
	en: {
		"pauses.caption": "Paths, sources and mail that are paused",
		"pauses.none": "Nothing is paused.",
		"pauses.what": "What",
		"pauses.why": "Why",
		"pauses.who": "By",
		"pauses.since": "Since",
		"pauses.until": "Until",
		"pauses.for-ever": "until resumed",
		"pauses.resume": "Resume",
		"pauses.resume-what": "Resume {what}",
		"pauses.resume-sure": "Resume sending: {what}?",
		"pauses.resumed": "Resumed: {what}",
		"pauses.pause": "Pause\u2026",
		"pauses.pause-title": "Pause sending",
		"pauses.pause-text": "Mail is still accepted; what is meant waits in the queue.",
		"pauses.kind": "Kind",
		"pauses.name": "Name",
		"pauses.name-hint": "Of a path, a source or a receiving system. A scope of mail is written as \u201cpath=mta carrier=docomo sender=news.example.jp\u201d.",
		"pauses.for": "For",
		"pauses.hours.one": "{n} hour",
		"pauses.hours": "{n} hours",
		"pauses.days": "{n} days",
		"pauses.submit": "Pause",
		"pauses.paused": "Paused: {what}",
		"pauses.why-hint": "It is kept in the log, and shown to the others.",
	},
});

const KINDS = ["path", "source", "group", "mail"];
const HOUR = 3600;
const TERMS = [[HOUR, "hours", 1], [4 * HOUR, "hours", 4], [24 * HOUR, "hours", 24], [7 * 24 * HOUR, "days", 7]];

/* A drained source is resumed by its name as a source. */
function target(p) {
	return { [p.kind === "drain" ? "source" : p.kind]: p.name };
}

function what(p) {
	return `${word("kind", p.kind)} ${p.name}`;
}

async function resume(p, ctx, changed) {
	if (!await confirm(t("pauses.resume-sure", { what: what(p) }), { submit: t("pauses.resume") }))
		return;
	try {
		await ctx.api.post("/v1/resume", target(p));
		toast(t("pauses.resumed", { what: what(p) }));
	} catch (e) {
		toast(errorText(e), "error");
	}
	changed();
}

/* rows of GET /v1/pauses. `changed` is called when one was ended. */
export function pausesTable(rows, ctx, changed) {
	if (rows.length === 0)
		return emptyState(t("pauses.none"));
	return table({
		caption: t("pauses.caption"), hideCaption: true, rows,
		columns: [
			{ key: "name", label: t("pauses.what"), header: true, cell: (p) => [h("small", null, word("kind", p.kind)), h("br"), p.name] },
			{ key: "why", label: t("pauses.why"), cell: (p) => p.why || "\u2013" },
			{ key: "who", label: t("pauses.who") },
			{ key: "at", label: t("pauses.since"), cell: (p) => time(p.at) },
			{ key: "until", label: t("pauses.until"), cell: (p) => p.until ? time(p.until) : t("pauses.for-ever") },
			...ctx.may("operate") ? [{ key: "do", label: t("ui.actions"), sort: false, cell: (p) => h("button", {
				type: "button", class: "small", "data-key": `resume ${p.kind} ${p.name}`,
				"aria-label": t("pauses.resume-what", { what: what(p) }), onclick: () => resume(p, ctx, changed),
			}, t("pauses.resume")) }] : [],
		],
	});
}

/* Asks what to pause, why and for how long. */
export async function askPause(ctx, changed, given = {}) {
	const done = await ask({
		title: t("pauses.pause-title"), text: t("pauses.pause-text"), submit: t("pauses.submit"), danger: true,
		fields: [
			{ name: "kind", label: t("pauses.kind"), type: "select", value: given.kind, options: KINDS.map((k) => [k, word("kind", k)]) },
			{ name: "name", label: t("pauses.name"), value: given.name, required: true, hint: t("pauses.name-hint"),
				attrs: { maxlength: 255, autocapitalize: "none", spellcheck: "false" } },
			{ name: "why", label: t("pauses.why"), required: true, hint: t("pauses.why-hint"), attrs: { maxlength: 300 } },
			{ name: "seconds", label: t("pauses.for"), type: "select",
				options: [...TERMS.map(([s, unit, n]) => [s, t(`pauses.${unit}`, { n })]), ["", t("pauses.for-ever")]] },
		],
		send: (v) => ctx.api.post("/v1/pause", { [v.kind]: v.name.trim(), why: v.why,
			...v.seconds ? { seconds: Number(v.seconds) } : {} }),
	});
	if (done)
		toast(t("pauses.paused", { what: what(done) }));
	changed();
}

export function pauseButton(ctx, changed, given) {
	return ctx.may("operate") && h("button", { type: "button", class: "small", "data-key": "pause",
		onclick: () => askPause(ctx, changed, given) }, t("pauses.pause"));
}
