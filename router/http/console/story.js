/*
 * story.js - what messages and queue show alike: the state of a recipient, why it waits, and an operator's hand
 * on what waits.
 */
import { api } from "./api.js";
import { has, t, texts, word } from "./i18n.js";
import { ask, badge, h, timeText, toast } from "./ui.js";
import "./words.js";

texts({
	ja: {
		"state.waiting": "送信待ち",
		"state.in memory": "送信待ち（メモリ内）",
		"state.sending": "送信中",
		"state.held": "保留中",
		"state.sent": "SES へ引き渡し済み",
		"state.delivered": "配信済み",
		"state.bounced": "不達",
		"state.filtered": "フィルター拒否",
		"state.expired": "期限切れ",
		"state.suppressed": "配信停止により未送信",
		"state.removed": "削除済み",
		"state.rejected": "SES が拒否",
		"state.unknown": "記録なし",
		"event.Deferred": "再送待ち",
		"event.Expired": "期限切れ",
		"event.Suppressed": "配信停止により未送信",
		"event.Removed": "担当者が削除",
		"event.Unread": "応答未読（二重送信の可能性あり）",
		"event.Rendering Failure": "テンプレートの失敗",
		"event.Subscription": "購読の変更",
		"event.Note": "参考情報",
		"wait.held": "{who} が {since} から保留しています：{why}",
		"wait.rule": "ルール「{rule}」により、または経路の確認のために保留されています：{last}",
		"wait.sending": "いま送信しています。",
		"wait.first": "これから最初の送信を試みます。",
		"wait.due": "次の送信は {due} の予定です（これまで {n} 回試行）。",
		"wait.now": "順番が来しだい送信します（これまで {n} 回試行）。",
		"wait.lane": "経路の状態：{state}",
		"wait.last": "直前の応答：{last}",
		"wait.unread": "一度、本文の送信後に応答を受け取れませんでした。すでに届いている可能性があります。",
		"act.retry": "すぐに再送",
		"act.hold": "保留…",
		"act.delete": "削除…",
		"act.retry-title": "すぐに再送しますか",
		"act.hold-title": "保留しますか",
		"act.delete-title": "キューから削除しますか",
		"act.count": "対象は {n} 件です。",
		"act.retry-text": "保留中のものも解除して、すぐに送信を試みます。",
		"act.hold-text": "再送を指示するまで送信されず、期限切れにもなりません。",
		"act.delete-text": "削除したメールは元に戻せません。差出人への通知も送りません。",
		"act.why": "理由",
		"act.why-hint": "記録に残り、ほかの担当者にも表示されます。",
		"act.retry-submit": "再送する",
		"act.hold-submit": "保留する",
		"act.delete-submit": "{n} 件を削除する",
		"act.retry-done": "{n} 件を送信待ちの先頭に移しました。",
		"act.hold-done": "{n} 件を保留しました。",
		"act.delete-done": "{n} 件を削除しました。",
		"act.none": "対象のメールはありません。",
	},
	en: {
		"state.waiting": "waiting",
		"state.in memory": "waiting (in memory)",
		"state.sending": "being sent",
		"state.held": "held",
		"state.sent": "taken by SES",
		"state.delivered": "delivered",
		"state.bounced": "bounced",
		"state.filtered": "filtered",
		"state.expired": "expired",
		"state.suppressed": "suppressed, not sent",
		"state.removed": "deleted",
		"state.rejected": "rejected by SES",
		"state.unknown": "not known",
		"event.Deferred": "Deferred",
		"event.Removed": "Deleted by an operator",
		"event.Unread": "Reply unread (may be sent twice)",
		"event.Suppressed": "Suppressed, not sent",
		"wait.held": "Held by {who} since {since}: {why}",
		"wait.rule": "Held by its rule “{rule}”, or until its path is in order: {last}",
		"wait.sending": "Being sent now.",
		"wait.first": "Waits for its first attempt.",
		"wait.due": "Next attempt at {due}, after {n} so far.",
		"wait.now": "Goes when its turn comes, after {n} attempts so far.",
		"wait.lane": "Its lane: {state}",
		"wait.last": "Last reply: {last}",
		"wait.unread": "Once its reply was not read after the final dot: it may have arrived already.",
		"act.retry": "Send now",
		"act.hold": "Hold…",
		"act.delete": "Delete…",
		"act.retry-title": "Send now?",
		"act.hold-title": "Hold?",
		"act.delete-title": "Delete from the queue?",
		"act.count.one": "This is about {n} recipient.",
		"act.count": "This is about {n} recipients.",
		"act.retry-text": "What is held is let go, and all is tried at once.",
		"act.hold-text": "Nothing is sent, and nothing expires, until you send it.",
		"act.delete-text": "What is deleted cannot be brought back. No sender is told.",
		"act.why": "Why",
		"act.why-hint": "Is kept in the log and shown to others.",
		"act.retry-submit": "Send now",
		"act.hold-submit": "Hold",
		"act.delete-submit": "Delete {n}",
		"act.retry-done.one": "{n} recipient is due now.",
		"act.retry-done": "{n} recipients are due now.",
		"act.hold-done.one": "{n} recipient is held.",
		"act.hold-done": "{n} recipients are held.",
		"act.delete-done.one": "{n} recipient was deleted.",
		"act.delete-done": "{n} recipients were deleted.",
		"act.none": "There is nothing of that kind.",
	},
});

const KINDS = { delivered: "good", sent: "good", bounced: "bad", filtered: "bad", expired: "bad", rejected: "bad",
	suppressed: "warn", held: "warn", removed: "warn" };

export function stateBadge(row) {
	return badge(word("state", row.state), KINDS[row.state] ?? "quiet");
}

/* States of lanes are the daemon's sentences; the first word is one that is known. */
function laneText(state) {
	const [, first, rest = ""] = /^([^:]*)(:.*)?$/s.exec(state);

	return has(`lane.${first}`) ? t(`lane.${first}`) + rest : state;
}

function dueText(row, now) {
	if (row.attempts === 0)
		return t("wait.first");
	return new Date(row.due) > now ? t("wait.due", { due: timeText(row.due), n: row.attempts })
		: t("wait.now", { n: row.attempts });
}

/* Why a recipient waits: its sentences, the one that says most first. */
export function waits(row, now = Date.now()) {
	const all = [];

	if (row.state === "sending")
		all.push(t("wait.sending"));
	else if (row.held)
		all.push(t("wait.held", { who: row.held.who ?? "", since: timeText(row.held.since), why: row.held.why ?? "" }));
	else if (row.path === "hold")
		return [t("wait.rule", { rule: row.rule, last: row.last })];
	else
		all.push(dueText(row, now));
	if (row.lane && row.lane.state !== "open" && !row.held)
		all.push(t("wait.lane", { state: laneText(row.lane.state) }));
	if (row.last)
		all.push(t("wait.last", { last: row.last }));
	if (row.unread)
		all.push(t("wait.unread"));
	return all;
}

/* -- retry, hold, delete ------------------------------------------------------------------------ */

async function count(act, which) {
	return (await api.post(`/v1/queue/${act}`, { ...which, dry_run: true })).would_change;
}

/* Asks first, with how many it would be. Promises whether anything was done. */
export async function act(name, which) {
	const n = await count(name, which);

	if (n === 0) {
		toast(t("act.none"));
		return false;
	}
	const answer = await ask({
		title: t(`act.${name}-title`), text: `${t("act.count", { n })} ${t(`act.${name}-text`)}`,
		submit: t(`act.${name}-submit`, { n }), danger: name === "delete",
		fields: name === "hold" ? [{ name: "why", label: t("act.why"), required: true, hint: t("act.why-hint"),
			attrs: { maxlength: 150 } }] : [],
		send: async (values) => {
			const body = name === "hold" ? { ...which, why: values.why } : which;
			toast(t(`act.${name}-done`, { n: (await api.post(`/v1/queue/${name}`, body)).changed }));
		},
	});
	return answer !== null;
}

/* Buttons for those who may; `done` follows what was done. `what` names it for those who hear the page. */
export function actions(ctx, which, done, what = "") {
	if (!ctx.may("operate"))
		return null;
	return h("div", { class: "toolbar acts" }, ["retry", "hold", "delete"].map((name) => h("button", {
		type: "button", class: "small", "aria-label": what ? `${t(`act.${name}`)} ${what}` : null,
		onclick: async () => {
			try {
				if (await act(name, which))
					done();
			} catch (e) {
				toast(e.message, "error");
			}
		},
	}, t(`act.${name}`))));
}
