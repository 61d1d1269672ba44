/*
 * app.js - the console's frame: sign-in, navigation, and which page is shown.
 *
 * "#/queue?to=x" shows the page of queue.js with ctx.params of "to=x". A page's module is loaded when it is first
 * gone to; one that is missing or broken says so in its own place and leaves the rest working.
 *
 *     export const page = { path: "queue", title: "queue.title", role: "view", styles: ["/queue.css"],
 *         render(root, ctx) { ...; return () => { what ends with the page } } };
 */
import { api, currentSession, endSession, findSession, onSession, onSessionEnd, startSession } from "./api.js";
import { chooseLanguage, language, onLanguage, said, setLanguage, t, word } from "./i18n.js";
import { live } from "./live.js";
import * as ui from "./ui.js";
import { h } from "./ui.js";
import "./words.js";

const PAGES = ["overview", "carriers", "messages", "queue", "rules", "suppression", "readiness"];
const ROLES = ["view", "operate", "admin"];
const THEMES = ["auto", "light", "dark"];
const THEME_KEY = "oiwake-theme";

const app = document.getElementById("app");
const frame = {};
let leave = () => {}; /* the page that is shown */
let shown = 0;        /* counts pages, so that a late module does not show over a newer one */

/* -- colours ------------------------------------------------------------------------------------ */

function theme() {
	try {
		const kept = localStorage.getItem(THEME_KEY);
		return THEMES.includes(kept) ? kept : "auto";
	} catch {
		return "auto";
	}
}

function setTheme(name) {
	document.documentElement.dataset.theme = name;
	try {
		localStorage.setItem(THEME_KEY, name);
	} catch {
		/* it holds for this page only */
	}
	window.dispatchEvent(new Event("oiwake-theme"));
}

/* -- where one is ------------------------------------------------------------------------------- */

function place() {
	const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);

	return { path: path || PAGES[0], params: new URLSearchParams(query) };
}

/* "#/queue?to=x" */
export function href(path, params = {}) {
	const query = new URLSearchParams(Object.entries(params).filter(([, v]) => v !== null && v !== undefined && v !== ""));

	return `#/${path}${query.size > 0 ? `?${query}` : ""}`;
}

function go(path, params) {
	location.hash = href(path, params);
}

/* Keeps what is chosen on a page in its address, without going anywhere. */
function keep(path, params) {
	history.replaceState(null, "", href(path, params));
}

function may(role) {
	return ROLES.indexOf(currentSession()?.role) >= ROLES.indexOf(role);
}

/* What a page is given, until it is left. */
function context(path, params, signal) {
	return {
		api: { get: (url) => api.get(url, signal), post: (url, body) => api.post(url, body) },
		t, said, word, language, live, params, href, go, may,
		session: currentSession(),
		keep: (more) => keep(path, more),
		time: ui.time, number: ui.number, percent: ui.percent, toast: ui.toast, confirm: ui.confirm,
	};
}

/* -- pages -------------------------------------------------------------------------------------- */

function addStyles(styles = []) {
	for (const url of styles)
		if (!document.querySelector(`link[href="${CSS.escape(url)}"]`))
			document.head.append(h("link", { rel: "stylesheet", href: url }));
}

async function importPage(path) {
	const { page } = await import(`./${path}.js`);

	addStyles(page.styles);
	return page;
}

function showTitle(title) {
	frame.title.textContent = title;
	document.title = t("app.title", { page: title });
	for (const link of frame.nav.querySelectorAll("a"))
		if (link.dataset.path === place().path)
			link.setAttribute("aria-current", "page");
		else
			link.removeAttribute("aria-current");
}

function showBroken(e) {
	console.error(e);
	frame.page.replaceChildren(h("div", { class: "state error", role: "alert" },
		h("p", null, t("page.broken")), h("p", null, h("code", null, String(e.message ?? e))),
		h("button", { type: "button", onclick: () => location.reload() }, t("ui.retry"))));
}

async function show({ focus = true } = {}) {
	const turn = ++shown;
	const { path, params } = place();
	const aborter = new AbortController();

	leave();
	leave = () => aborter.abort();
	frame.page.replaceChildren();
	if (!PAGES.includes(path)) {
		showTitle(t("page.none"));
		frame.page.append(ui.emptyState(t("page.none-text", { path })));
		return;
	}
	showTitle(t(`page.${path}`));
	closeMenu();
	if (focus) {
		frame.title.focus({ preventScroll: true });
		window.scrollTo(0, 0);
	}
	frame.page.append(ui.loading());
	try {
		const page = await importPage(path);
		if (turn !== shown)
			return;
		frame.page.replaceChildren();
		if (!may(page.role ?? "view")) {
			frame.page.append(ui.emptyState(t("app.role-needed", { role: t(`role.${page.role}`) })));
			return;
		}
		const root = h("div", { class: `page page-${path}` });
		frame.page.append(root);
		const cleanup = await page.render(root, context(path, params, aborter.signal));
		const end = () => {
			aborter.abort();
			cleanup?.();
		};
		if (turn !== shown)
			end();
		else
			leave = end;
	} catch (e) {
		if (turn === shown && e.name !== "AbortError")
			showBroken(e);
	}
}

/* -- the frame ---------------------------------------------------------------------------------- */

function select(label, value, options, onchange) {
	const id = ui.newId("select");

	return h("div", { class: "pick" }, h("label", { for: id, class: "unseen" }, label),
		h("select", { id, value, onchange: (event) => onchange(event.target.value) },
			options.map(([v, text]) => h("option", { value: v }, text))));
}

/* Each language in itself, so that whoever strayed finds back. */
function languagePick() {
	return select(t("app.language"), language(), [["ja", "日本語"], ["en", "English"]], setLanguage);
}

function themePick() {
	return select(t("app.theme"), theme(), THEMES.map((name) => [name, t(`theme.${name}`)]), setTheme);
}

function liveState() {
	const node = h("span", { class: "live", role: "status" });

	frame.unwatch?.();
	frame.unwatch = live.watch((state, heard) => {
		node.dataset.state = state;
		node.textContent = t(`live.${state}`);
		node.title = state !== "on" && heard ? t("live.off-since", { time: ui.timeText(heard) }) : "";
	});
	return node;
}

function closeMenu() {
	frame.menu.setAttribute("aria-expanded", "false");
	frame.nav.classList.remove("open");
}

function toggleMenu() {
	const open = frame.menu.getAttribute("aria-expanded") !== "true";

	frame.menu.setAttribute("aria-expanded", String(open));
	frame.nav.classList.toggle("open", open);
}

function who() {
	const s = currentSession();

	return h("span", { class: "who" }, t("app.signed-in", { user: s.user, role: t(`role.${s.role}`) }));
}

function buildFrame() {
	frame.title = h("h1", { tabindex: "-1", id: "title" });
	frame.page = h("div", { class: "content" });
	frame.nav = h("nav", { id: "nav", "aria-label": t("app.pages") }, h("ul", null, PAGES.map((path) =>
		h("li", null, h("a", { href: href(path), "data-path": path }, t(`page.${path}`))))));
	frame.menu = h("button", { type: "button", class: "menu", "aria-expanded": "false", "aria-controls": "nav",
		onclick: toggleMenu }, t("app.menu"));
	frame.who = who();
	app.replaceChildren(
		h("a", { class: "skip", href: "#main", onclick: (event) => {
			event.preventDefault();
			frame.title.focus();
		} }, t("app.skip")),
		h("header", null, frame.menu, h("span", { class: "brand" }, "追分", h("small", null, "Oiwake")), liveState(),
			h("div", { class: "tools" }, languagePick(), themePick(), frame.who,
				h("button", { type: "button", class: "quiet", onclick: signOut }, t("app.sign-out")))),
		h("div", { class: "body" }, frame.nav, h("main", { id: "main" }, frame.title, frame.page)));
}

/* -- sign-in ------------------------------------------------------------------------------------ */

function signInProblem(e) {
	if (e.status === 401 || e.status === 403)
		return t("sign-in.bad");
	return e.status === 429 ? t("sign-in.slow") : ui.errorText(e);
}

/* Over whatever is shown, which stays as it is. */
async function signIn(again) {
	const inputs = new Map();
	const problem = h("p", { class: "problem", role: "alert" });
	const fields = [
		{ name: "user", label: t("sign-in.user"), required: true,
			attrs: { autocomplete: "username", autocapitalize: "none", spellcheck: "false", maxlength: 255 } },
		{ name: "password", label: t("sign-in.password"), type: "password", required: true,
			attrs: { autocomplete: "current-password", maxlength: 1024 } },
	];

	live.stop();
	await ui.dialog({
		title: t("sign-in.title"), closable: false,
		body: [again && h("p", null, t("sign-in.again")), fields.map((f) => ui.field(f, inputs)), problem,
			again ? null : languagePick()],
		buttons: [{ label: t("sign-in.submit"), value: true, submit: true, kind: "primary" }],
		check: async () => {
			problem.textContent = "";
			try {
				await startSession(inputs.get("user").value, inputs.get("password").value);
				return true;
			} catch (e) {
				problem.textContent = signInProblem(e);
				inputs.get("password").value = "";
				inputs.get("password").focus();
				return false;
			}
		},
	});
	live.start();
}

async function signOut() {
	try {
		await endSession();
	} catch (e) {
		if (e.status !== 401) {
			ui.toast(ui.errorText(e), "error");
			return;
		}
	}
	location.reload();
}

/* -- the beginning ------------------------------------------------------------------------------ */

function rebuild() {
	if (currentSession() === null) {
		document.querySelector("dialog[open]")?.remove();
		begin();
		return;
	}
	buildFrame();
	show({ focus: false });
}

function listen() {
	window.addEventListener("hashchange", () => {
		if (currentSession() !== null)
			show();
	});
	onLanguage(rebuild);
	onSessionEnd(() => signIn(true));
	onSession((session) => {
		if (session !== null && frame.who)
			frame.who.replaceWith(frame.who = who());
	});
}

async function begin() {
	app.replaceChildren(ui.loading());
	try {
		if (await findSession() === null) {
			document.title = t("app.title", { page: t("sign-in.title") });
			app.replaceChildren();
			await signIn(false);
		}
		chooseLanguage(currentSession());
	} catch (e) {
		app.replaceChildren(ui.errorState(e, begin));
		return;
	}
	buildFrame();
	live.start();
	show({ focus: false });
}

setTheme(theme());
chooseLanguage(null);
listen();
begin();
