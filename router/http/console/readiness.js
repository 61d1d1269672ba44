/*
 * readiness.js - what the daemon's own checks found of each source and sending domain: what is in order, what to
 * mend, with the records to copy.
 */
import { t, texts, word } from "./i18n.js";
import { badge, copyButton, emptyState, errorText, every, h, load, time, toast } from "./ui.js";
import "./words.js";

texts({
	ja: {
		"readiness.check": "今すぐ確認",
		"readiness.checking": "確認しています。結果は届きしだい表示します。",
		"readiness.checked": "最終確認",
		"readiness.none": "確認の対象となる送信元・ドメインはありません。",
		"readiness.good": "問題はありません。",
		"readiness.to-mend": "{n} 件の対応が必要です。",
		"readiness.in-order": "問題のない項目（{n} 件）",
		"readiness.closes": "送信停止中",
		"readiness.closes-text": "この問題があるあいだ、該当するメールは送信されません。",
		"readiness.all": "すべての受信先",
		"readiness.matters": "影響する先：{whom}",
		"readiness.mend": "対応方法",
		"readiness.copy": "「{subject}」の {check} の対応方法をコピー",
		"readiness.summary": "対応が必要なもの {bad} 件、確認できなかったもの {unknown} 件",
		"check.public-address": "グローバルアドレス",
		"check.ptr": "逆引き（PTR）",
		"check.ptr-several": "逆引き（PTR）の重複",
		"check.ehlo-name": "EHLO 名",
		"check.ehlo-address": "EHLO 名のアドレス",
		"check.spf-ehlo": "EHLO 名の SPF",
		"check.port-25": "25 番ポート",
		"check.port-25-blocked": "25 番ポートの拒否",
		"check.from-dns": "差出人ドメインの DNS",
		"check.envelope-dns": "エンベロープ From ドメインの DNS",
		"check.spf-header-from": "SPF（ヘッダー From）",
		"check.spf-envelope": "SPF（エンベロープ From）",
		"check.dkim": "DKIM",
		"check.dmarc": "DMARC",
		"check.dmarc-alignment": "DMARC のアラインメント",
		"check.dmarc-ses": "DMARC（SES 経由）",
		"check.bounce-mx": "バウンス用ドメインの MX",
		"check.spf-records": "SPF レコードの数",
		"check.spf-syntax": "SPF の構文",
		"check.spf-lookups": "SPF の DNS 参照回数",
		"check.spf-plus-all": "SPF の +all",
		"check.spf-ses": "SPF の SES",
	},
	en: {
		"readiness.check": "Check now",
		"readiness.checking": "Being checked; what is found shows as it comes.",
		"readiness.checked": "Last checked",
		"readiness.none": "There is no source or domain to check.",
		"readiness.good": "All is in order.",
		"readiness.to-mend.one": "{n} thing to mend.",
		"readiness.to-mend": "{n} things to mend.",
		"readiness.in-order": "In order ({n})",
		"readiness.closes": "not sending",
		"readiness.closes-text": "As long as this is so, such mail is not sent.",
		"readiness.all": "every receiver",
		"readiness.matters": "Matters to {whom}",
		"readiness.mend": "What to do",
		"readiness.copy": "Copy what mends {check} of {subject}",
		"readiness.summary": "{bad} to mend, {unknown} not known",
		"check.public-address": "Public address",
		"check.ptr": "Reverse name (PTR)",
		"check.ptr-several": "Several reverse names",
		"check.ehlo-name": "EHLO name",
		"check.ehlo-address": "Address of the EHLO name",
		"check.spf-ehlo": "SPF of the EHLO name",
		"check.port-25": "Port 25",
		"check.port-25-blocked": "Port 25 refused",
		"check.from-dns": "DNS of the From domain",
		"check.envelope-dns": "DNS of the envelope’s domain",
		"check.spf-header-from": "SPF (header From)",
		"check.spf-envelope": "SPF (envelope)",
		"check.dkim": "DKIM",
		"check.dmarc": "DMARC",
		"check.dmarc-alignment": "DMARC alignment",
		"check.dmarc-ses": "DMARC by SES",
		"check.bounce-mx": "MX of the bounce domain",
		"check.spf-records": "Number of SPF records",
		"check.spf-syntax": "SPF syntax",
		"check.spf-lookups": "SPF look-ups",
		"check.spf-plus-all": "SPF +all",
		"check.spf-ses": "SES in SPF",
	},
});

const REFRESH_MS = 10000;
const KINDS = { good: "good", note: "quiet", unknown: "warn", bad: "bad" };
const ORDER = ["bad", "unknown", "note", "good"];

function carriersText(f) {
	return f.carriers.length === 3 ? t("readiness.all") : f.carriers.join(", ");
}

function mend(f) {
	return [h("h4", null, t("readiness.mend")), h("pre", { class: "record" }, f.mend.trimEnd()),
		copyButton(f.mend, t("readiness.copy", { subject: f.subject, check: word("check", f.check) }))];
}

function finding(f) {
	return h("div", { class: "finding", "data-check": f.check, "data-level": f.level },
		h("div", { class: "finding-head" }, badge(word("finding", f.level), KINDS[f.level]),
			h("strong", null, word("check", f.check)), f.closes && badge(t("readiness.closes"), "bad"),
			f.level !== "good" && h("small", null, t("readiness.matters", { whom: carriersText(f) }))),
		h("p", null, f.what), f.why && h("p", { class: "soft" }, f.why),
		f.closes && h("p", null, t("readiness.closes-text")), f.mend && mend(f));
}

function bySubject(rows) {
	const all = new Map();

	for (const f of rows)
		all.set(f.subject, [...(all.get(f.subject) ?? []), f]);
	return all;
}

/* What is in order is folded away; whether it is open is kept while the page is shown. */
function subject(name, rows, open) {
	const wrong = rows.filter((f) => f.level !== "good").sort((a, b) => ORDER.indexOf(a.level) - ORDER.indexOf(b.level));
	const good = rows.filter((f) => f.level === "good");
	const bad = wrong.filter((f) => f.level === "bad").length;
	const latest = rows.map((f) => f.at).filter(Boolean).sort().at(-1);

	return h("section", { class: "panel", "aria-label": name, "data-subject": name },
		h("div", { class: "panel-head" }, h("h2", null, name),
			h("span", null, bad > 0 ? badge(t("readiness.to-mend", { n: bad }), "bad") : badge(t("readiness.good"), "good"))),
		wrong.map(finding),
		good.length > 0 && h("details", { open: open.has(name), ontoggle: (event) =>
			event.target.open ? open.add(name) : open.delete(name) },
		h("summary", { "data-key": name }, t("readiness.in-order", { n: good.length })), good.map(finding)),
		latest && h("p", { class: "soft" }, `${t("readiness.checked")}: `, time(latest)));
}

function worst(rows) {
	return Math.min(...rows.map((f) => ORDER.indexOf(f.level)));
}

function show(reply, open) {
	const subjects = [...bySubject(reply.rows)].sort(([, a], [, b]) => worst(a) - worst(b));
	const count = (level) => reply.rows.filter((f) => f.level === level).length;

	if (subjects.length === 0)
		return emptyState(t("readiness.none"));
	return [h("p", { role: "status" }, t("readiness.summary", { bad: count("bad"), unknown: count("unknown") })),
		subjects.map(([name, rows]) => subject(name, rows, open))];
}

function render(root, ctx) {
	const list = h("div"), open = new Set();
	let said = "";
	const get = () => ctx.api.get("/v1/doctor");
	const first = () => load(list, get, (reply) => {
		said = JSON.stringify(reply);
		return show(reply, open);
	});

	/* What is the same stays as it is, so that nobody loses his place. */
	async function again() {
		try {
			const reply = await get();
			if (JSON.stringify(reply) !== said)
				await first();
		} catch (e) {
			if (e.name !== "AbortError")
				console.warn(e);
		}
	}

	async function check() {
		try {
			await ctx.api.post("/v1/doctor/check");
			toast(t("readiness.checking"));
		} catch (e) {
			toast(errorText(e), "error");
		}
	}

	root.append(h("div", { class: "toolbar" }, ctx.may("operate") && h("button", { type: "button", class: "primary",
		onclick: check }, t("readiness.check"))), list);
	first();
	return every(REFRESH_MS, again);
}

export const page = { path: "readiness", title: "page.readiness", role: "view", styles: ["/story.css"], render };
