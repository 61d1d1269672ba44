/*
 * messages.js - what happened to mail to an address, from a sender, of an id: every attempt, its reply, and what
 * was told later, with the rule that chose the path.
 *
 * "#/messages?to=taro@docomo.ne.jp", "?from=", "?id=" show it at once. A page of the answer may be empty and
 * yet have a next one, for the daemon looks at a bounded part of its log at a time: it is read on then.
 */
import { url } from "./api.js";
import { t, texts, word } from "./i18n.js";
import { actions, stateBadge, waits } from "./story.js";
import { badge, choice, emptyState, errorState, field, h, loading, time } from "./ui.js";

texts({
	ja: {
		"messages.by": "検索の対象",
		"messages.to": "宛先",
		"messages.from": "差出人",
		"messages.id": "ID",
		"messages.what": "メールアドレスまたは ID",
		"messages.hint": "宛先のアドレス、差出人のアドレスかドメイン、または ID（追分の ID、Message-ID、SES の ID）を入力します。",
		"messages.search": "検索",
		"messages.searching": "記録を検索しています…",
		"messages.none": "「{what}」の記録はありません。保存期間を過ぎた記録は表示されません。",
		"messages.found": "{n} 件を表示しています。",
		"messages.more": "さらに表示",
		"messages.sender": "差出人",
		"messages.subject": "件名",
		"messages.message-id": "Message-ID",
		"messages.received": "受付",
		"messages.path": "経路",
		"messages.rule": "ルール",
		"messages.rule-of": "{rule}（ルールセット {ruleset}）",
		"messages.source": "送信元",
		"messages.carrier": "キャリア",
		"messages.ses-id": "SES の ID",
		"messages.why": "待っている理由",
		"messages.timeline": "経過",
		"messages.no-events": "送信はまだ試みられていません。",
		"messages.latest": "最新の {n} 件だけを表示しています。",
		"messages.complained": "苦情あり",
		"messages.suppressed": "この宛先は配信停止リストにあります：{cause}（{scope}）",
		"messages.suppressed-link": "配信停止リストを開く",
		"messages.all-paths": "すべての経路",
	},
	en: {
		"messages.by": "Search by",
		"messages.to": "Recipient",
		"messages.from": "Sender",
		"messages.id": "ID",
		"messages.what": "Address or id",
		"messages.hint": "A recipient’s address, a sender’s address or domain, or an id: ours, a Message-ID, SES’s.",
		"messages.search": "Search",
		"messages.searching": "Looking through the log…",
		"messages.none": "Nothing is known of “{what}”. What is older than the log is not shown.",
		"messages.found.one": "{n} recipient is shown.",
		"messages.found": "{n} recipients are shown.",
		"messages.more": "Show more",
		"messages.sender": "From",
		"messages.subject": "Subject",
		"messages.message-id": "Message-ID",
		"messages.received": "Received",
		"messages.path": "Path",
		"messages.rule": "Rule",
		"messages.rule-of": "{rule} (rule set {ruleset})",
		"messages.source": "Source",
		"messages.carrier": "Carrier",
		"messages.ses-id": "SES’s id",
		"messages.why": "Why it waits",
		"messages.timeline": "What happened",
		"messages.no-events": "Nothing has been tried yet.",
		"messages.latest": "Only the latest {n} are shown.",
		"messages.complained": "complained of",
		"messages.suppressed": "This address is on the suppression list: {cause} ({scope})",
		"messages.suppressed-link": "Open the suppression list",
		"messages.all-paths": "all paths",
	},
});

const BY = ["to", "from", "id"];
const PAGE = 20;
const EMPTY_PAGES = 200; /* read on through so many at most */

const OUR_ID = /^[0-9A-HJKMNP-TV-Z]{13}(\.\d+)?$/i;
const SES_ID = /^[0-9a-f]{16}-[0-9a-f-]{36}/i;

/* What is no address can only be an id. */
function kindOf(what, by) {
	return OUR_ID.test(what) || SES_ID.test(what) || what.startsWith("<") ? "id" : by;
}

/* -- words of a header --------------------------------------------------------------------------- */

function bytesOf(encoding, text) {
	if (encoding.toUpperCase() === "B")
		return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
	return Uint8Array.from(text.replace(/_/g, " ")
		.replace(/=([0-9A-F]{2})/gi, (all, hex) => String.fromCharCode(parseInt(hex, 16))), (c) => c.charCodeAt(0));
}

/* RFC 2047; what cannot be read stays as it is. */
export function headerText(text) {
	return text.replace(/(\?=)\s+(=\?)/g, "$1$2").replace(/=\?([^?\s]+)\?([BQ])\?([^?\s]*)\?=/gi, (all, charset, encoding, part) => {
		try {
			return new TextDecoder(charset.split("*")[0]).decode(bytesOf(encoding, part));
		} catch {
			return all;
		}
	});
}

/* -- one recipient ------------------------------------------------------------------------------- */

const EVENT_KINDS = { Delivery: "good", Send: "good", Bounce: "bad", Expired: "bad", Complaint: "bad", Reject: "bad",
	"Rendering Failure": "bad", Deferred: "warn", DeliveryDelay: "warn", Suppressed: "warn", Unread: "warn", Removed: "warn" };

/* "550 5.1.1 ...", as the other side said it. */
function replyText(e) {
	return [e.code > 0 ? e.code : "", e.enhanced, e.text].filter(Boolean).join(" ");
}

function eventItem(e) {
	const reply = replyText(e);
	const about = [e.path, e.peer, e.stage === "none" ? "" : e.stage].filter(Boolean).join(" · ");

	return h("li", null, h("div", { class: "event-head" }, time(e.at), badge(word("event", e.event), EVENT_KINDS[e.event]),
		e.reason && e.reason !== "delivered" && h("span", null, word("reason", e.reason))),
	reply && h("code", null, reply), about && h("small", null, about));
}

function pair(name, value) {
	return value ? [h("dt", null, t(name)), h("dd", null, value)] : [];
}

function ruleLink(ctx, row) {
	if (!row.rule)
		return null;
	return h("a", { href: ctx.href("rules", { rule: row.rule, ruleset: row.ruleset }) },
		row.ruleset ? t("messages.rule-of", { rule: row.rule, ruleset: row.ruleset }) : row.rule);
}

function suppressionNotice(ctx, entries, address) {
	return entries.map((s) => h("div", { class: "notice warn" }, h("p", null,
		t("messages.suppressed", { cause: word("cause", s.cause) === s.cause ? word("reason", s.cause) : word("cause", s.cause),
			scope: s.scope === "all" ? t("messages.all-paths") : s.scope }), " ",
		s.evidence && h("code", null, s.evidence), " ",
		h("a", { href: ctx.href("suppression", { address }) }, t("messages.suppressed-link")))));
}

function timeline(row) {
	if (row.events.length === 0)
		return h("p", { class: "soft" }, t("messages.no-events"));
	return [row.more_events && h("p", { class: "soft" }, t("messages.latest", { n: row.events.length })),
		h("ol", { class: "timeline" }, row.events.map(eventItem))];
}

function recipient(ctx, row, again) {
	const id = `${row.id}.${row.index}`;

	return h("article", { class: "panel", "aria-label": `${row.to} ${id}`, "data-id": id },
		h("div", { class: "panel-head" }, h("h2", null, row.to),
			h("span", null, stateBadge(row), " ", row.complained && badge(t("messages.complained"), "bad"))),
		h("dl", null,
			pair("messages.sender", row.from || "<>"),
			pair("messages.subject", headerText(row.subject ?? "")),
			pair("messages.received", time(row.received)),
			pair("messages.path", row.path),
			pair("messages.rule", ruleLink(ctx, row)),
			pair("messages.carrier", row.carrier),
			pair("messages.source", row.source),
			pair("messages.message-id", row.message_id),
			pair("messages.ses-id", row.remote_id),
			pair("messages.id", id)),
		suppressionNotice(ctx, row.suppression, row.to),
		row.queued && [h("h3", null, t("messages.why")), h("ul", null, waits(row).map((s) => h("li", null, s))),
			actions(ctx, { id }, again, row.to)],
		h("h3", null, t("messages.timeline")), timeline(row));
}

/* -- the search ----------------------------------------------------------------------------------- */

function nothing(ctx, what, suppression) {
	return [emptyState(t("messages.none", { what })), suppressionNotice(ctx, suppression ?? [], what)];
}

/* Reads on until there is something to show. */
async function nextPage(ctx, query, after) {
	let reply = null;

	for (let i = 0; i < EMPTY_PAGES; i++) {
		reply = await ctx.api.get(url("/v1/messages", { ...query, limit: PAGE, after }));
		if (reply.rows.length > 0 || reply.next === null)
			break;
		after = reply.next;
	}
	return reply;
}

function results(ctx, root) {
	const list = h("div"), foot = h("div", { class: "toolbar" }), status = h("p", { role: "status", class: "soft" });
	let turn = 0, shown = 0;

	async function more(query, what, after, mine) {
		foot.replaceChildren(loading());
		status.textContent = t("messages.searching");
		try {
			const reply = await nextPage(ctx, query, after);
			if (mine !== turn)
				return;
			shown += reply.rows.length;
			list.append(...reply.rows.map((row) => recipient(ctx, row, () => show(query, what))));
			foot.replaceChildren();
			if (shown === 0)
				list.replaceChildren(...nothing(ctx, what, reply.suppression).flat());
			status.textContent = shown === 0 ? "" : t("messages.found", { n: shown });
			if (reply.next !== null)
				foot.append(h("button", { type: "button", onclick: () => more(query, what, reply.next, mine) },
					t("messages.more")));
		} catch (e) {
			if (e.name === "AbortError" || mine !== turn)
				return;
			status.textContent = "";
			foot.replaceChildren(errorState(e, () => more(query, what, after, mine)));
		}
	}

	function show(query, what) {
		list.replaceChildren();
		shown = 0;
		return more(query, what, null, ++turn);
	}

	root.append(status, list, foot);
	return show;
}

function render(root, ctx) {
	let by = BY.find((name) => ctx.params.has(name)) ?? "to";
	const inputs = new Map();
	const what = field({ name: "what", label: t("messages.what"), type: "search", required: true, hint: t("messages.hint"),
		value: ctx.params.get(by) ?? "", attrs: { maxlength: 900, autocapitalize: "none", spellcheck: "false" } }, inputs);
	const form = h("form", { class: "panel search", role: "search", onsubmit: (event) => {
		event.preventDefault();
		search();
	} }, choice({ label: t("messages.by"), value: by, options: BY.map((name) => [name, t(`messages.${name}`)]),
		onchange: (value) => { by = value; } }), what,
	h("button", { type: "submit", class: "primary" }, t("messages.search")));

	root.append(form);
	const show = results(ctx, root);

	function search() {
		const text = inputs.get("what").value.trim();
		const kind = kindOf(text, by);

		if (text === "")
			return;
		ctx.keep({ [kind]: text });
		show({ [kind]: text }, text);
	}
	if (inputs.get("what").value !== "")
		search();
	else
		inputs.get("what").focus();
}

export const page = { path: "messages", title: "page.messages", role: "view", styles: ["/story.css"], render };
