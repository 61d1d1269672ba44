/*
 * ui.js - what pages are made of: nodes, tables, dialogs, toasts, states, numbers and times.
 *
 * Everything from outside becomes text: nothing here, and no page, sets innerHTML.
 */
import { isSigningIn } from "./api.js";
import { language, t } from "./i18n.js";

/* -- nodes -------------------------------------------------------------------------------------- */

const PROPERTIES = new Set(["value", "checked", "indeterminate", "open"]);

function put(node, name, value) {
	if (name.startsWith("on"))
		node.addEventListener(name.slice(2), value);
	else if (name === "css") /* custom properties and the like; a style attribute is not allowed here */
		for (const [property, text] of Object.entries(value))
			node.style.setProperty(property, text);
	else if (PROPERTIES.has(name))
		node[name] = value;
	else if (value === true)
		node.setAttribute(name, "");
	else if (value !== false && value !== null && value !== undefined)
		node.setAttribute(name, value);
}

function fill(node, attrs, children) {
	for (const child of children.flat(Infinity))
		if (child !== null && child !== undefined && child !== false)
			node.append(child);
	for (const [name, value] of Object.entries(attrs ?? {}))
		put(node, name, value);
	return node;
}

/* h("a", {href: "#/queue", onclick: fn, css: {"--share": "5%"}}, "text", node, [more]) */
export function h(tag, attrs, ...children) {
	return fill(document.createElement(tag), attrs, children);
}

export function svg(tag, attrs, ...children) {
	return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attrs, children);
}

let ids = 0;

/* An id that nothing else on the page has, for labels. */
export function newId(stem = "x") {
	return `${stem}-${++ids}`;
}

/* -- numbers and times -------------------------------------------------------------------------- */

const formats = new Map();

/* Intl's objects are costly to make. */
function format(kind, options) {
	const key = language() + kind + JSON.stringify(options);

	if (!formats.has(key))
		formats.set(key, new Intl[kind](language(), options));
	return formats.get(key);
}

export function number(n) {
	return n === null || n === undefined ? "\u2013" : format("NumberFormat", {}).format(n);
}

/* Of 0..1. As many digits as a small rate needs to be told from none. */
export function percent(x, digits) {
	if (x === null || x === undefined)
		return "\u2013";
	digits ??= x !== 0 && x < 0.01 ? 2 : 1;
	return format("NumberFormat", {
		style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits,
	}).format(x);
}

const UNITS = [[86400000, "day"], [3600000, "hour"], [60000, "minute"], [1000, "second"], [1, "millisecond"]];

/* "1.4 s", "3 min" of milliseconds. */
export function duration(ms) {
	if (ms === null || ms === undefined)
		return "\u2013";
	const [size, unit] = UNITS.find(([size]) => Math.abs(ms) >= size) ?? UNITS.at(-1);

	return format("NumberFormat", { style: "unit", unit, unitDisplay: "short",
		maximumFractionDigits: ms / size < 10 && size > 1 ? 1 : 0 }).format(ms / size);
}

const TIME = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
	second: "2-digit", hourCycle: "h23" };

export function timeText(iso) {
	return iso ? format("DateTimeFormat", TIME).format(new Date(iso)) : "\u2013";
}

export function utcText(iso) {
	return `${new Date(iso).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/* In the browser's zone, UTC in its title. */
export function time(iso, text = timeText(iso)) {
	return iso ? h("time", { datetime: iso, title: utcText(iso) }, text) : h("span", null, "\u2013");
}

/* "3 minutes ago", "in 2 hours". */
export function ago(iso, now = Date.now()) {
	const ms = new Date(iso) - now;
	const [size, unit] = UNITS.find(([size]) => Math.abs(ms) >= size && size >= 1000) ?? UNITS[3];

	return format("RelativeTimeFormat", { numeric: "auto" }).format(Math.round(ms / size), unit);
}

/* -- tables ------------------------------------------------------------------------------------- */

function compare(a, b) {
	if (a === b)
		return 0;
	if (a === null || a === undefined)
		return 1;
	if (b === null || b === undefined)
		return -1;
	return typeof a === "number" && typeof b === "number" ? a - b :
		String(a).localeCompare(String(b), language(), { numeric: true });
}

function valueOf(column, row) {
	return column.value ? column.value(row) : row[column.key];
}

/*
 * table({caption, columns, rows, sort, empty, rowAttrs}) is a node with update(rows).
 * A column: {key, label, value: (row) -> what is sorted by, cell: (row) -> node or text, numeric: true,
 * sort: false, header: true (the cell names its row)}. sort: {key, descending}; without it as given.
 */
export function table({ caption, columns, rows = [], sort = null, empty = t("ui.empty"), rowAttrs, hideCaption }) {
	const body = h("tbody");
	const heads = new Map();
	let order = sort && { ...sort };

	function show() {
		const column = order && columns.find((c) => c.key === order.key);
		const sorted = column ? [...rows].sort((a, b) => {
			const by = compare(valueOf(column, a), valueOf(column, b));
			return order.descending ? -by : by;
		}) : rows;

		body.replaceChildren(...sorted.map((row) => h("tr", rowAttrs?.(row), columns.map((c) => {
			const value = c.cell ? c.cell(row) : valueOf(c, row);
			const text = value ?? "\u2013";

			return h(c.header ? "th" : "td", { class: c.numeric ? "number" : c.class, scope: c.header && "row" },
				c.numeric && typeof text === "number" ? number(text) : text);
		}))));
		if (rows.length === 0)
			body.append(h("tr", null, h("td", { colspan: columns.length, class: "empty" }, empty)));
		for (const [key, head] of heads)
			head.setAttribute("aria-sort", order?.key !== key ? "none" :
				order.descending ? "descending" : "ascending");
	}

	function head(c) {
		if (c.sort === false)
			return h("th", { scope: "col", class: c.numeric && "number" }, c.label);
		const th = h("th", { scope: "col", class: c.numeric && "number", "aria-sort": "none" },
			h("button", { type: "button", class: "sort", onclick: () => {
				order = { key: c.key, descending: order?.key === c.key ? !order.descending : Boolean(c.numeric) };
				show();
			} }, c.label));
		heads.set(c.key, th);
		return th;
	}

	const node = h("div", { class: "table", role: "region", tabindex: "0", "aria-label": caption },
		h("table", null, h("caption", { class: hideCaption && "unseen" }, caption),
			h("thead", null, h("tr", null, columns.map(head))), body));
	node.update = (next) => {
		rows = next;
		show();
	};
	show();
	return node;
}

/*
 * pager({onprevious, onnext}) is a node; what is null cannot be pressed. For lists that are read on from
 * where the last page ended.
 */
export function pager({ onprevious, onnext, text = "" }) {
	return h("nav", { class: "pager", "aria-label": t("ui.pages") },
		h("button", { type: "button", disabled: !onprevious, onclick: onprevious ?? (() => {}) }, t("ui.previous")),
		h("span", null, text),
		h("button", { type: "button", disabled: !onnext, onclick: onnext ?? (() => {}) }, t("ui.next")));
}

/* -- states ------------------------------------------------------------------------------------- */

/* "The problem", as people read it. */
export function errorText(e) {
	return t("ui.error", { text: e.status === 0 ? t("ui.no-answer") : e.message });
}

export function loading() {
	return h("p", { class: "state", role: "status" }, t("ui.loading"));
}

export function emptyState(text = t("ui.empty")) {
	return h("p", { class: "state" }, text);
}

export function errorState(e, retry) {
	return h("div", { class: "state error", role: "alert" }, h("p", null, errorText(e)),
		retry && h("button", { type: "button", onclick: retry }, t("ui.retry")));
}

/*
 * load(root, get, show) puts into root: that it is loading (only where nothing was shown yet), then what
 * show(await get()) returns, or the error with a button to try again. Returns a promise that never fails.
 * Of calls for the same root that overlap, the last one is shown. What is focused and has a data-key keeps
 * the focus when it is shown anew.
 */
const turns = new WeakMap();

function replace(root, nodes) {
	const focused = root.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;

	root.replaceChildren(...nodes);
	if (focused !== undefined)
		root.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

export async function load(root, get, show) {
	const turn = (turns.get(root) ?? 0) + 1;

	turns.set(root, turn);
	if (!root.hasChildNodes())
		root.replaceChildren(loading());
	root.setAttribute("aria-busy", "true");
	try {
		const node = show(await get());
		if (turns.get(root) === turn)
			replace(root, [node].flat(Infinity).filter(Boolean));
	} catch (e) {
		if (e.name === "AbortError")
			return;
		if (!("status" in e))
			console.error(e);
		if (turns.get(root) === turn)
			root.replaceChildren(errorState(e, () => load(root, get, show)));
	} finally {
		if (turns.get(root) === turn)
			root.removeAttribute("aria-busy");
	}
}

/* -- toasts ------------------------------------------------------------------------------------- */

const TOAST_MS = 6000;
let toasts = null;

/* An error stays until it is closed. */
export function toast(text, kind = "info") {
	toasts ??= {
		info: h("div", { class: "toasts", role: "status", "aria-live": "polite" }),
		error: h("div", { class: "toasts errors", role: "alert" }),
	};
	/* A modal dialog makes what is outside inert. */
	const room = document.querySelector("dialog[open]") ?? document.body;
	for (const node of Object.values(toasts))
		if (node.parentNode !== room)
			room.append(node);
	const one = h("div", { class: `toast ${kind}` }, h("span", null, text),
		h("button", { type: "button", class: "quiet", "aria-label": t("ui.close"), onclick: () => one.remove() },
			"\u00d7"));
	(toasts[kind] ?? toasts.info).append(one);
	if (kind !== "error")
		setTimeout(() => one.remove(), TOAST_MS);
}

/* -- dialogs ------------------------------------------------------------------------------------ */

/*
 * dialog({title, body, buttons: [{label, value, kind, submit}]}) promises the value of what was pressed, null
 * when it was closed. `check(value, node)`: may return false or a promise of it to stay open.
 */
export function dialog({ title, body, buttons, check, wide, closable = true }) {
	const id = newId("dialog");
	const before = document.activeElement;

	return new Promise((resolve) => {
		let result = null, busy = false;

		async function choose(value) {
			if (busy)
				return;
			busy = true;
			try {
				if (value !== null && check && await check(value, node) === false)
					return;
				result = value;
				node.close();
			} finally {
				busy = false;
			}
		}

		const submit = buttons.find((b) => b.submit);
		const form = h("form", { method: "dialog", onsubmit: (event) => {
			event.preventDefault();
			choose(submit ? submit.value : null);
		} }, h("h2", { id }, title), h("div", { class: "dialog-body" }, body),
		h("div", { class: "buttons" }, buttons.map((b) => h("button", {
			type: b.submit ? "submit" : "button", class: b.kind,
			onclick: b.submit ? () => {} : () => choose(b.value),
		}, b.label))));
		const node = h("dialog", { "aria-labelledby": id, class: wide && "wide",
			closedby: closable ? null : "none",
			oncancel: (event) => {
				if (!closable)
					event.preventDefault();
			},
			onclose: () => {
				if (!closable && result === null) {
					node.showModal(); /* some browsers close at a second Escape all the same */
					return;
				}
				for (const toasts of node.querySelectorAll(":scope > .toasts"))
					document.body.append(toasts);
				node.remove();
				if (before?.isConnected)
					before.focus();
				resolve(result);
			} }, form);
		document.body.append(node);
		node.showModal();
	});
}

/* True when it was confirmed. */
export async function confirm(text, { title = t("ui.ok"), submit = t("ui.ok"), danger = false } = {}) {
	return await dialog({
		title: title === t("ui.ok") ? text : title,
		body: title === t("ui.ok") ? [] : h("p", null, text),
		buttons: [{ label: t("ui.cancel"), value: null },
			{ label: submit, value: true, submit: true, kind: danger ? "danger" : "primary" }],
	}) === true;
}

/*
 * ask({title, text, fields, submit, danger, send}) promises {name: value} or null. A field: {name, label, type
 * (as of input; "select" with options [[value, label]]; "textarea"), value, required, hint, attrs}. `send(values)`
 * may do the work: while it fails the dialog stays open and says why.
 */
export async function ask({ title, text, fields, submit = t("ui.ok"), danger = false, send }) {
	const inputs = new Map();
	const problem = h("p", { class: "problem", role: "alert" });
	const body = [text && h("p", null, text), fields.map((f) => field(f, inputs)), problem];
	let values = null;

	const done = await dialog({
		title, body,
		buttons: [{ label: t("ui.cancel"), value: null },
			{ label: submit, value: true, submit: true, kind: danger ? "danger" : "primary" }],
		check: async () => {
			values = Object.fromEntries([...inputs].map(([name, node]) =>
				[name, node.type === "checkbox" ? node.checked : node.value]));
			problem.textContent = "";
			try {
				await send?.(values);
				return true;
			} catch (e) {
				problem.textContent = e.message;
				return false;
			}
		},
	});
	return done ? values : null;
}

/* A labelled input; puts its node into `inputs` under its name. */
export function field(f, inputs = new Map()) {
	const id = newId(f.name);
	const attrs = { id, name: f.name, required: f.required, "aria-describedby": f.hint && `${id}-hint`, ...f.attrs };
	let input;

	if (f.type === "select")
		input = h("select", { ...attrs, value: f.value ?? f.options[0]?.[0] },
			f.options.map(([value, label]) => h("option", { value }, label)));
	else if (f.type === "textarea")
		input = h("textarea", { rows: 3, ...attrs, value: f.value ?? "" });
	else if (f.type === "checkbox")
		input = h("input", { type: "checkbox", ...attrs, checked: Boolean(f.value) });
	else
		input = h("input", { type: f.type ?? "text", ...attrs, value: f.value ?? "" });
	inputs.set(f.name, input);
	return h("div", { class: `field ${f.type === "checkbox" ? "check" : ""}` }, h("label", { for: id }, f.label), input,
		f.hint && h("small", { id: `${id}-hint` }, f.hint));
}

/* -- small things ------------------------------------------------------------------------------- */

/* navigator.clipboard is there on HTTPS and loopback only. */
async function copy(text) {
	if (navigator.clipboard)
		return navigator.clipboard.writeText(text);
	const area = h("textarea", { class: "unseen", value: text, readonly: true });
	document.body.append(area);
	area.select();
	const done = document.execCommand("copy");
	area.remove();
	if (!done)
		throw new Error("not copied");
}

/* `what` names it for those who hear the page: "Copy the SPF record". */
export function copyButton(text, what = t("ui.copy")) {
	const button = h("button", { type: "button", class: "small", "aria-label": what, onclick: async () => {
		try {
			await copy(typeof text === "function" ? text() : text);
			toast(t("ui.copied"));
		} catch {
			toast(t("ui.copy-failed"), "error");
		}
		button.focus();
	} }, t("ui.copy"));

	return button;
}

/* badge("paused", "bad"): kinds are good, warn, bad, quiet; the word says it, the colour repeats it. */
export function badge(text, kind = "quiet") {
	return h("span", { class: `badge ${kind}` }, text);
}

/* One of several, as a row of radio buttons: choice({label, value, options: [[value, label]], onchange}). */
export function choice({ label, value, options, onchange }) {
	const name = newId("choice");

	return h("fieldset", { class: "choice" }, h("legend", null, label), options.map(([v, text]) => {
		const id = newId(name);

		return [h("input", { type: "radio", id, name, value: v, checked: v === value, onchange: () => onchange(v) }),
			h("label", { for: id }, text)];
	}));
}

/*
 * Calls fn every ms while the page can be seen, and when it is seen again. Returns what stops it. Not while
 * somebody has to sign in: a page left open over a weekend would have thousands of questions waiting.
 */
export function every(ms, fn) {
	const tick = () => {
		if (!document.hidden && !isSigningIn())
			fn();
	};
	const timer = setInterval(tick, ms);

	document.addEventListener("visibilitychange", tick);
	return () => {
		clearInterval(timer);
		document.removeEventListener("visibilitychange", tick);
	};
}

/* Calls fn once typing has paused. */
export function later(ms, fn) {
	let timer;

	return (...args) => {
		clearTimeout(timer);
		timer = setTimeout(() => fn(...args), ms);
	};
}
