/*
 * i18n.js - every visible text, in Japanese and English.
 *
 * A page registers its own with texts({ja: {...}, en: {...}}), keys as "queue.title", when it is loaded.
 * t("queue.found", {n: 3}) puts vars in for {n}; a text under "queue.found.one" is used where the language
 * has a singular and n is one. The texts of the frame are below.
 */
const LANGUAGES = ["ja", "en"];
const KEY = "oiwake-language";
const dictionaries = { ja: new Map(), en: new Map() };

let current = "en";
let changed = () => {};

export function texts(more) {
	for (const language of LANGUAGES)
		for (const [key, text] of Object.entries(more[language] ?? {}))
			dictionaries[language].set(key, text);
}

function find(key, n) {
	const one = typeof n === "number" && new Intl.PluralRules(current).select(n) === "one";

	for (const d of [dictionaries[current], dictionaries.en]) {
		if (one && d.has(`${key}.one`))
			return d.get(`${key}.one`);
		if (d.has(key))
			return d.get(key);
	}
	return key;
}

export function t(key, vars = {}) {
	return find(key, vars.n).replace(/\{(\w+)\}/g, (all, name) => {
		const value = vars[name];

		if (value === undefined)
			return all;
		return typeof value === "number" ? value.toLocaleString(current) : String(value);
	});
}

/* Whether there is such a text: for words that come from the daemon, such as reasons. */
export function has(key) {
	return dictionaries[current].has(key);
}

/* A word of the daemon's in the user's language, or as it is. */
export function word(kind, text) {
	return has(`${kind}.${text}`) ? t(`${kind}.${text}`) : text;
}

/* Of an object with "text" and "text_ja" (or another name), as some answers have. */
export function said(o, name = "text") {
	return (current === "ja" && o[`${name}_ja`]) || o[name] || "";
}

export function language() {
	return current;
}

function stored() {
	try {
		return localStorage.getItem(KEY);
	} catch {
		return null; /* storage is switched off */
	}
}

function set(language) {
	current = language;
	document.documentElement.lang = language;
}

/* The user's own choice in this browser, what the session says, what the browser asks for. */
export function chooseLanguage(session) {
	const wanted = [stored(), session?.language, ...navigator.languages.map((l) => l.slice(0, 2))];

	set(wanted.find((l) => LANGUAGES.includes(l)) ?? "en");
}

export function onLanguage(fn) {
	changed = fn;
}

export function setLanguage(language) {
	try {
		localStorage.setItem(KEY, language);
	} catch {
		/* it holds for this page only */
	}
	set(language);
	changed();
}

texts({
	ja: {
		"app.skip": "本文へ移動",
		"app.menu": "メニュー",
		"app.pages": "ページ",
		"app.title": "{page} - 追分",
		"app.language": "表示言語",
		"app.theme": "配色",
		"theme.auto": "自動",
		"theme.light": "ライト",
		"theme.dark": "ダーク",
		"app.signed-in": "{user}（{role}）",
		"app.sign-out": "サインアウト",
		"role.view": "閲覧",
		"role.operate": "運用",
		"role.admin": "管理",
		"app.role-needed": "この操作には「{role}」の権限が必要です。",
		"page.overview": "概況",
		"page.carriers": "キャリア別",
		"page.messages": "メッセージ検索",
		"page.queue": "キュー",
		"page.rules": "ルール",
		"page.suppression": "配信停止リスト",
		"page.readiness": "送信準備",
		"page.none": "ページがありません",
		"page.none-text": "「{path}」というページはありません。",
		"page.broken": "このページを読み込めませんでした。",
		"sign-in.title": "サインイン",
		"sign-in.again": "セッションが終了しました。もう一度サインインすると、元の画面に戻ります。",
		"sign-in.user": "ユーザー名",
		"sign-in.password": "パスワード",
		"sign-in.submit": "サインイン",
		"sign-in.bad": "ユーザー名かパスワードが違います。",
		"sign-in.slow": "試行回数が多すぎます。しばらく待ってからやり直してください。",
		"live.on": "ライブ",
		"live.connecting": "接続中",
		"live.off": "オフライン",
		"live.off-since": "{time} から更新が届いていません",
		"ui.loading": "読み込み中…",
		"ui.empty": "該当するデータはありません。",
		"ui.error": "取得できませんでした：{text}",
		"ui.no-answer": "サーバーから応答がありません",
		"ui.retry": "再試行",
		"ui.close": "閉じる",
		"ui.cancel": "キャンセル",
		"ui.ok": "OK",
		"ui.copy": "コピー",
		"ui.copied": "コピーしました",
		"ui.copy-failed": "コピーできませんでした",
		"ui.previous": "前へ",
		"ui.next": "次へ",
		"ui.pages": "ページ送り",
		"ui.required": "必須",
		"ui.details": "詳細",
		"ui.refresh": "更新",
		"ui.none": "なし",
		"ui.actions": "操作",
		"ui.window": "期間",
		"window.1h": "1 時間",
		"window.24h": "24 時間",
		"window.7d": "7 日間",
		"window.90d": "90 日間",
		"chart.table": "表で見る",
		"chart.time": "時刻",
		"chart.summary": "{title}：{from} から {to} まで。{series}",
		"chart.series": "{label} 合計 {sum}、最大 {most}",
		"chart.failed": "グラフを表示できませんでした。表でご覧ください。",
	},
	en: {
		"app.skip": "Skip to the content",
		"app.menu": "Menu",
		"app.pages": "Pages",
		"app.title": "{page} - Oiwake",
		"app.language": "Language",
		"app.theme": "Colours",
		"theme.auto": "Automatic",
		"theme.light": "Light",
		"theme.dark": "Dark",
		"app.signed-in": "{user} ({role})",
		"app.sign-out": "Sign out",
		"role.view": "view",
		"role.operate": "operate",
		"role.admin": "admin",
		"app.role-needed": "This needs the role \u201c{role}\u201d.",
		"page.overview": "Overview",
		"page.carriers": "Carriers",
		"page.messages": "Message search",
		"page.queue": "Queue",
		"page.rules": "Rules",
		"page.suppression": "Suppression list",
		"page.readiness": "Readiness",
		"page.none": "No such page",
		"page.none-text": "There is no page \u201c{path}\u201d.",
		"page.broken": "This page could not be loaded.",
		"sign-in.title": "Sign in",
		"sign-in.again": "Your session has ended. Sign in to go on where you were.",
		"sign-in.user": "User name",
		"sign-in.password": "Password",
		"sign-in.submit": "Sign in",
		"sign-in.bad": "User name or password is wrong.",
		"sign-in.slow": "Too many attempts. Wait a while, then try again.",
		"live.on": "Live",
		"live.connecting": "Connecting",
		"live.off": "Offline",
		"live.off-since": "nothing has arrived since {time}",
		"ui.loading": "Loading\u2026",
		"ui.empty": "Nothing to show.",
		"ui.error": "This could not be read: {text}",
		"ui.no-answer": "the server does not answer",
		"ui.retry": "Try again",
		"ui.close": "Close",
		"ui.cancel": "Cancel",
		"ui.ok": "OK",
		"ui.copy": "Copy",
		"ui.copied": "Copied",
		"ui.copy-failed": "Could not be copied",
		"ui.previous": "Previous",
		"ui.next": "Next",
		"ui.pages": "Pages of the list",
		"ui.required": "required",
		"ui.details": "Details",
		"ui.refresh": "Refresh",
		"ui.none": "none",
		"ui.actions": "Actions",
		"ui.window": "Window",
		"window.1h": "1 hour",
		"window.24h": "24 hours",
		"window.7d": "7 days",
		"window.90d": "90 days",
		"chart.table": "Show as a table",
		"chart.time": "Time",
		"chart.summary": "{title}: from {from} to {to}. {series}",
		"chart.series": "{label}: {sum} in all, {most} at most",
		"chart.failed": "The chart cannot be shown; its table can.",
	},
});
