/*
 * overview.js - both paths side by side, what is near a threshold, what is paused, and what waits.
 *
 * Figures are read anew every half minute and soon after the stream says that something was settled; lanes,
 * the queue and what the guard holds come by the stream itself.
 */
import { url } from "./api.js";
import { said, t, texts, word } from "./i18n.js";
import { pathCard } from "./path_card.js";
import { pauseButton, pausesTable } from "./pauses.js";
import { badge, emptyState, every, h, load, number, percent, table, time } from "./ui.js";
import { isPath, stepOf, windowChoice, windowOf } from "./window.js";

texts({
	ja: {
		"overview.now": "現在の状況",
		"overview.queued": "キュー",
		"overview.in-memory": "処理中",
		"overview.sending": "送信中",
		"overview.connections": "接続数",
		"overview.paused": "停止",
		"overview.rules": "ルールの版",
		"overview.stopping": "デーモンは停止処理中です。",
		"overview.store-failed": "保存先に障害があり、新しいメールを受け付けていません。",
		"overview.guard": "ガードの判定",
		"overview.guard-none": "しきい値に達しているものはありません。",
		"overview.guard-off": "ガードは監視のみで、自動では停止しません。",
		"overview.guard-line": "{rate}（{volume} 件中 {hits} 件、{window}）",
		"overview.evidence": "根拠",
		"overview.budget": "残り予算",
		"overview.budget-none": "SES の経路がないか、まだ送信がありません。",
		"overview.pauses": "停止中",
		"overview.lanes": "レーン",
		"overview.lanes-caption": "配信レーン（経路・送信元・受信システムごと）",
		"overview.lanes-none": "送信待ちのレーンはありません。",
		"overview.lanes-more": "このほかに {n} レーンあります。",
		"overview.waiting": "待機",
		"overview.state": "状態",
		"overview.group": "受信システム",
		"overview.source": "送信元",
		"overview.path": "経路",
		"overview.readiness": "送信元の準備",
		"overview.findings": "要対応 {bad} 件、注意 {note} 件",
		"overview.findings-good": "検査に問題はありません。",
		"overview.findings-link": "送信準備を見る",
		"overview.sources-none": "送信元は設定されていません。",
		"overview.warm-up": "ウォームアップ {day} 日目：{group} へ本日 {sent} / {allowed} 件",
		"overview.warm": "ウォームアップ完了",
		"overview.ses": "SES アカウント",
		"overview.ses-none": "SES の経路は設定されていません。",
		"overview.ses-unknown": "アカウントの状態はまだ取得していません。",
		"overview.ses-quota": "24 時間の送信枠",
		"overview.ses-used": "{used} / {quota}（{share}）",
		"overview.ses-rate": "送信レート",
		"overview.ses-per-second": "{n} 通/秒",
		"overview.ses-status": "状態",
		"overview.ses-sandbox": "サンドボックス（本番利用の申請前）",
		"overview.ses-disabled": "送信が無効",
		"overview.ses-closed": "この経路は閉じています：{why}",
		"overview.ses-trouble": "取得の失敗：{why}",
		"overview.no-paths": "まだ 1 通も送信していません。送信が始まると、ここに経路ごとの成績を表示します。",
		"ses.HEALTHY": "正常",
		"ses.PROBATION": "審査中",
		"ses.SHUTDOWN": "停止",
	},
	en: {
		"overview.now": "Right now",
		"overview.queued": "Queued",
		"overview.in-memory": "In memory",
		"overview.sending": "Sending",
		"overview.connections": "Connections",
		"overview.paused": "Paused",
		"overview.rules": "Rule set",
		"overview.stopping": "The daemon is shutting down.",
		"overview.store-failed": "The store has failed: no new mail is accepted.",
		"overview.guard": "What the guard sees",
		"overview.guard-none": "Nothing has reached a threshold.",
		"overview.guard-off": "The guard only watches; it stops nothing by itself.",
		"overview.guard-line": "{rate} ({hits} of {volume}, {window})",
		"overview.evidence": "Evidence",
		"overview.budget": "Budget left",
		"overview.budget-none": "There is no SES path, or nothing was sent yet.",
		"overview.pauses": "Paused",
		"overview.lanes": "Lanes",
		"overview.lanes-caption": "Lanes: what waits, by path, source and receiving system",
		"overview.lanes-none": "No lane has anything to send.",
		"overview.lanes-more.one": "There is {n} more lane.",
		"overview.lanes-more": "There are {n} more lanes.",
		"overview.waiting": "Waiting",
		"overview.state": "State",
		"overview.group": "Receiving system",
		"overview.source": "Source",
		"overview.path": "Path",
		"overview.readiness": "Readiness of the sources",
		"overview.findings": "{bad} to mend, {note} to note",
		"overview.findings-good": "The checks found nothing wrong.",
		"overview.findings-link": "See readiness",
		"overview.sources-none": "No source is configured.",
		"overview.warm-up": "Warm-up, day {day}: {sent} of {allowed} today to {group}",
		"overview.warm": "warmed up",
		"overview.ses": "SES account",
		"overview.ses-none": "There is no SES path.",
		"overview.ses-unknown": "Nothing is known of the account yet.",
		"overview.ses-quota": "Quota, 24 hours",
		"overview.ses-used": "{used} of {quota} ({share})",
		"overview.ses-rate": "Sending rate",
		"overview.ses-per-second": "{n}/s",
		"overview.ses-status": "Standing",
		"overview.ses-sandbox": "sandbox (no production access yet)",
		"overview.ses-disabled": "sending is disabled",
		"overview.ses-closed": "The path is closed: {why}",
		"overview.ses-trouble": "It could not be asked: {why}",
		"overview.no-paths": "Nothing was sent yet. Once mail flows, each path shows here how it fares.",
		"ses.HEALTHY": "healthy",
		"ses.PROBATION": "under review",
		"ses.SHUTDOWN": "shut down",
	},
});

const REFRESH_MS = 30000;
const SETTLE_MS = 4000; /* after something was settled; more may follow at once */
const LANES_SHOWN = 50;
const LEVEL_KINDS = { warn: "warn", slow: "warn", pause: "bad", probe: "warn", ok: "good" };

function panel(title, ...children) {
	const id = `panel-${title.replaceAll(".", "-")}`;
	return h("section", { class: "panel", "aria-labelledby": id }, h("h2", { id }, t(title)), children);
}

/* -- what the stream says ----------------------------------------------------------------------- */

const TILES = [["queued", "queued"], ["in_memory", "in-memory"], ["sending", "sending"], ["connections", "connections"],
	["pauses", "paused"], ["rules", "rules"]];

function tiles() {
	const values = new Map(TILES.map(([key]) => [key, h("dd", { "data-tile": key }, "\u2013")]));
	const trouble = h("div", { role: "alert" });
	const node = h("div", null, trouble, h("dl", { class: "figures tiles" }, TILES.map(([key, name]) =>
		h("div", null, h("dt", null, t(`overview.${name}`)), values.get(key)))));

	node.update = (data) => {
		for (const [key, dd] of values)
			dd.textContent = typeof data[key] === "number" ? number(data[key]) : data[key] ?? "\u2013";
		const wrong = [data.stopping && "stopping", data.store_failed && "store-failed"].filter(Boolean);
		if (trouble.childElementCount !== wrong.length)
			trouble.replaceChildren(...wrong.map((w) => h("p", { class: "notice bad" }, t(`overview.${w}`))));
	};
	return node;
}

/* "waiting: ..." begins with a word that is translated where it is known. */
function laneState(lane) {
	return lane.state === "open" ? badge(word("lane", "open"), "good") :
		[badge(lane.state, "warn"), lane.blocked_until && h("small", null, " \u2192 ", time(lane.blocked_until))];
}

function lanes() {
	const list = table({
		caption: t("overview.lanes-caption"), empty: t("overview.lanes-none"), sort: { key: "waiting", descending: true },
		columns: [
			{ key: "group", label: t("overview.group"), header: true },
			{ key: "path", label: t("overview.path") },
			{ key: "source", label: t("overview.source"), cell: (lane) => lane.source || "\u2013" },
			{ key: "waiting", label: t("overview.waiting"), numeric: true },
			{ key: "sending", label: t("overview.sending"), numeric: true },
			{ key: "state", label: t("overview.state"), cell: laneState },
		],
	});
	const more = h("p", { class: "soft" });
	const node = h("div", null, list, more);

	node.update = (data) => {
		const busiest = [...data.lanes].sort((a, b) => b.waiting + b.sending - a.waiting - a.sending);
		list.update(busiest.slice(0, LANES_SHOWN));
		more.textContent = busiest.length > LANES_SHOWN ? t("overview.lanes-more", { n: busiest.length - LANES_SHOWN }) : "";
	};
	return node;
}

/* -- the guard ---------------------------------------------------------------------------------- */

function scopeText(scope) {
	return ["path", "carrier", "sender", "user"].filter((name) => scope[name])
		.map((name) => `${word("scope", name)} ${scope[name]}`).join(" / ");
}

function guardLine(row) {
	return h("li", { "data-level": row.level }, badge(word("level", row.level), LEVEL_KINDS[row.level]), " ",
		h("strong", null, scopeText(row.scope) || row.name), " ", word("rate", row.kind), " ",
		t("overview.guard-line", { rate: percent(row.rate), hits: row.hits, volume: row.volume, window: word("window", row.window) }),
		row.until && [" \u2192 ", time(row.until)],
		h("div", { class: "soft" }, [said(row, "left_text"), row.evidence].filter(Boolean).join(" \u2014 ")));
}

function guardList(guard) {
	const rows = (guard.rows ?? []).filter((row) => row.level !== "ok");

	return [guard.enforce === false && h("p", { class: "notice" }, t("overview.guard-off")),
		rows.length === 0 ? h("p", null, badge(word("level", "ok"), "good"), " ", t("overview.guard-none")) :
			h("ul", { class: "plain guard" }, rows.map(guardLine))];
}

function budgetKind(b) {
	return b.rate >= b.stop ? "bad" : b.rate >= b.review ? "warn" : "";
}

function budgetList(guard) {
	const rows = guard.budget ?? [];

	return rows.length === 0 ? emptyState(t("overview.budget-none")) :
		h("ul", { class: "plain budget" }, rows.map((b) => h("li", { class: budgetKind(b) },
			h("strong", null, `${b.path} \u00b7 ${word("rate", b.kind)} ${percent(b.rate)}`), h("br"), said(b))));
}

/* -- sources and the account -------------------------------------------------------------------- */

function findings(doctor) {
	const n = (level) => doctor.rows.filter((f) => f.level === level).length;
	const bad = n("bad"), note = n("note");

	return h("p", null, bad + note === 0 ? badge(word("finding", "good"), "good") :
		badge(t("overview.findings", { bad, note }), bad > 0 ? "bad" : "warn"), " ",
	bad + note === 0 && [t("overview.findings-good"), " "],
	h("a", { href: "#/readiness", "data-key": "readiness" }, t("overview.findings-link")));
}

function sourceLine(s) {
	return h("li", null, h("strong", null, s.source), " ",
		badge(word("source", s.state), s.state === "open" ? "good" : "warn"), " ",
		h("span", { class: "soft" }, [s.hostname, s.public].filter(Boolean).join(" \u00b7 ")),
		s.why && h("div", null, s.why),
		s.warm_up.filter((w) => !w.warm).map((w) => h("div", { class: "soft" }, t("overview.warm-up", w))));
}

function readiness([doctor, sources]) {
	return [findings(doctor), sources.rows.length === 0 ? h("p", { class: "soft" }, t("overview.sources-none")) :
		h("ul", { class: "plain" }, sources.rows.map(sourceLine))];
}

const STANDING = { HEALTHY: "good", PROBATION: "warn", SHUTDOWN: "bad" };

function standing(account) {
	return [account.enforcement && badge(word("ses", account.enforcement), STANDING[account.enforcement]), " ",
		account.production === false && badge(t("overview.ses-sandbox"), "warn"), " ",
		account.sending_enabled === false && badge(t("overview.ses-disabled"), "bad")];
}

function sesPath(p) {
	const a = p.account ?? {}, s = p.sending ?? {};
	const quota = s.quota ?? a.quota, used = s.used ?? a.sent_24_hours, rate = s.rate ?? a.rate;

	return h("div", { class: "ses-path" }, h("h3", null, [p.path, p.region].filter(Boolean).join(" \u00b7 ")),
		s.closed && h("p", { class: "notice bad" }, t("overview.ses-closed", { why: s.closed })),
		a.trouble && h("p", { class: "notice warn" }, t("overview.ses-trouble", { why: a.trouble })),
		!a.enforcement && !quota ? h("p", { class: "soft" }, t("overview.ses-unknown")) : h("dl", null,
			a.enforcement && [h("dt", null, t("overview.ses-status")), h("dd", null, standing(a))],
			quota > 0 && [h("dt", null, t("overview.ses-quota")), h("dd", null,
				t("overview.ses-used", { used: used ?? 0, quota, share: percent((used ?? 0) / quota) }),
				h("meter", { min: 0, max: quota, high: quota * 0.9, optimum: 0, value: used ?? 0, "aria-label": t("overview.ses-quota") }))],
			rate > 0 && [h("dt", null, t("overview.ses-rate")), h("dd", null, t("overview.ses-per-second", { n: rate }))]));
}

function sesAccount(ses) {
	return ses.paths.length === 0 ? emptyState(t("overview.ses-none")) : ses.paths.map(sesPath);
}

/* -- the paths ---------------------------------------------------------------------------------- */

const NOTHING = { accepted: 0, sent: 0, delivered: 0, bounced: 0, complained: 0, deferred: 0, delivery_rate: null, low: null, high: null };

function pathNames(stats, series, ses) {
	const names = new Set([...stats.rows, ...series.rows, ...ses.paths].map((row) => row.path));

	return [...names].filter(isPath).sort();
}

/* Cards stay, so that charts are not drawn from nothing at each look. */
function pathCards() {
	const cards = new Map();
	const node = h("div", { class: "columns paths" });

	node.show = ({ stats, series, guard, ses }) => {
		const names = pathNames(stats, series, ses);
		for (const [name, card] of cards)
			if (!names.includes(name)) {
				card.end();
				cards.delete(name);
			}
		for (const name of names) {
			if (!cards.has(name))
				cards.set(name, pathCard(name, ses.paths.some((p) => p.path === name)));
			cards.get(name).update(stats.rows.find((row) => row.path === name) ?? { ...NOTHING, path: name }, guard,
				{ periods: series.periods, row: series.rows.find((row) => row.path === name) });
		}
		const wanted = names.map((name) => cards.get(name));
		if (wanted.length === 0)
			node.replaceChildren(emptyState(t("overview.no-paths")));
		else if (wanted.some((card, i) => node.children[i] !== card))
			node.replaceChildren(...wanted);
		return node;
	};
	node.end = () => cards.forEach((card) => card.end());
	return node;
}

/* -- the page ----------------------------------------------------------------------------------- */

/* One question for several parts of the page; asked again only when it failed. */
function once(ask) {
	let answer = null;

	return () => answer ??= ask().catch((e) => {
		answer = null;
		throw e;
	});
}

function render(root, ctx) {
	let window = windowOf(ctx.params), seen = null, soon = null, held = null;
	const get = (path, args) => ctx.api.get(url(path, args));
	const now = tiles(), laneList = lanes(), cards = pathCards();
	const paths = h("div"), guard = h("div"), budget = h("div"), pauses = h("div"), ready = h("div"), account = h("div");

	function loadPauses() {
		return load(pauses, () => get("/v1/pauses"), (all) => pausesTable(all.rows, ctx, refresh));
	}

	/* A path is shown without what the guard or SES would add to it; their own panels say what is wrong. */
	async function readPaths(watch, accounts) {
		const [stats, series, guarded, ses] = await Promise.all([
			get("/v1/stats", { by: "path", window }), get("/v1/series", { by: "path", window, step: stepOf(window) }),
			watch().catch(() => ({})), accounts().catch(() => ({ paths: [] }))]);
		return { stats, series, guard: guarded, ses };
	}

	/* Each part shows its own trouble. */
	function refresh() {
		const watch = once(() => get("/v1/guard")), accounts = once(() => get("/v1/ses"));

		clearTimeout(soon);
		soon = null;
		load(paths, () => readPaths(watch, accounts), cards.show);
		load(guard, watch, guardList);
		load(budget, watch, budgetList);
		load(ready, () => Promise.all([get("/v1/doctor"), get("/v1/sources")]), readiness);
		load(account, accounts, sesAccount);
		loadPauses();
	}

	function hear(data) {
		now.update(data);
		laneList.update(data);
		const holds = JSON.stringify([data.pauses, (data.guard ?? []).map((g) => [g.name, g.kind, g.level])]);
		if (held !== null && holds !== held || seen !== null && data.last_event !== seen)
			soon ??= setTimeout(refresh, SETTLE_MS);
		held = holds;
		seen = data.last_event;
	}

	root.append(
		h("div", { class: "toolbar" }, windowChoice(window, (name) => {
			window = name;
			ctx.keep({ window });
			refresh();
		})),
		h("section", { class: "panel", "aria-label": t("overview.now") }, now),
		h("div", { class: "columns" }, panel("overview.guard", guard), panel("overview.budget", budget)),
		paths,
		h("section", { class: "panel", "aria-labelledby": "panel-pauses" }, h("div", { class: "panel-head" },
			h("h2", { id: "panel-pauses" }, t("overview.pauses")), pauseButton(ctx, refresh)), pauses),
		h("div", { class: "columns" }, panel("overview.readiness", ready), panel("overview.ses", account)),
		panel("overview.lanes", laneList));
	refresh();
	const deaf = ctx.live.on(hear), stop = every(REFRESH_MS, refresh);
	return () => {
		clearTimeout(soon);
		deaf();
		stop();
		cards.end();
	};
}

export const page = { path: "overview", title: "page.overview", role: "view", render };
