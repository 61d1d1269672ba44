/*
 * rules_history.js - the rule sets that were in force, when and by whom; one of them shown, compared, put back.
 */
import { t } from "./i18n.js";
import { preview } from "./rules_preview.js";
import { ask, dialog, errorText, field, h, load, table, time, toast } from "./ui.js";

const SHOWN = 50;

export function shortName(name, main) {
	const folder = main.slice(0, main.lastIndexOf("/") + 1);

	return name.startsWith(folder) ? name.slice(folder.length) : name;
}

/* The texts of a set, file by file. */
async function showSet(ctx, row) {
	const { files } = await ctx.api.get(`/v1/rules/${row.number}`);
	const text = h("pre", { class: "set", tabindex: "0", role: "region", "aria-label": t("rules.set", { n: row.number }) },
		files[0].text);
	const pick = field({ name: "file", label: t("rules.file"), type: "select",
		options: files.map((f, i) => [String(i), shortName(f.name, files[0].name)]),
		attrs: { onchange: (event) => { text.textContent = files[Number(event.target.value)].text; } } });

	await dialog({ title: t("rules.set", { n: row.number }), wide: true, body: [pick, text],
		buttons: [{ label: t("rules.close"), value: null }] });
}

async function rollBack(ctx, row, base, why) {
	const answer = await ctx.api.post("/v1/rules/rollback", { base, number: row.number, why });

	toast(t("rules.rolled-back", { n: row.number, version: answer.version }));
}

/* What going back would do, and the way back for those who may. */
async function compareSet(ctx, row, onchange) {
	const answer = await ctx.api.post("/v1/rules/diff", { number: row.number });
	const may = ctx.may("admin") && answer.text !== "";
	const inputs = new Map();
	const problem = h("p", { class: "problem", role: "alert" });
	const done = await dialog({
		title: t("rules.set-running", { n: row.number }), wide: true,
		body: [preview(answer), may && field({ name: "why", label: t("rules.why-optional"), hint: t("rules.why-hint"),
			attrs: { maxlength: 120 } }, inputs), problem],
		buttons: [{ label: t("rules.close"), value: null },
			...may ? [{ label: t("rules.rollback", { n: row.number }), value: true, submit: true, kind: "danger" }] : []],
		check: async () => {
			problem.textContent = "";
			try {
				await rollBack(ctx, row, answer.running, inputs.get("why").value);
				return true;
			} catch (e) {
				problem.textContent = e.body?.conflict ? t(`rules.conflict-${e.body.conflict}`) : errorText(e);
				return false;
			}
		},
	});
	if (done)
		onchange();
}

async function orToast(promise) {
	try {
		await promise;
	} catch (e) {
		if (e.name !== "AbortError")
			toast(errorText(e), "error");
	}
}

function actions(ctx, row, onchange) {
	return h("span", { class: "row-buttons" },
		h("button", { type: "button", class: "small", "aria-label": t("rules.show-what", { n: row.number }),
			"data-key": `show-${row.number}`, onclick: () => orToast(showSet(ctx, row)) }, t("rules.show")),
		ctx.may("operate") && !row.running && h("button", { type: "button", class: "small",
			"aria-label": t("rules.compare-what", { n: row.number }), "data-key": `compare-${row.number}`,
			onclick: () => orToast(compareSet(ctx, row, onchange)) }, t("rules.compare")));
}

/* A panel with update(). `onchange` is called when another set was put in force. */
export function historyPanel(ctx, onchange) {
	const room = h("div");
	const panel = h("section", { class: "panel history" },
		h("div", { class: "panel-head" }, h("h2", null, t("rules.history"))), room);

	panel.update = () => load(room, () => ctx.api.get(`/v1/rules?limit=${SHOWN}`), ({ rows }) => table({
		caption: t("rules.history"), hideCaption: true, rows,
		columns: [
			{ key: "number", label: t("rules.number"), numeric: true },
			{ key: "at", label: t("rules.time"), cell: (r) => time(r.at) },
			{ key: "version", label: t("rules.set-version"), sort: false, cell: (r) => [h("code", null, r.version),
				r.running && h("span", { class: "badge good" }, t("rules.running"))] },
			{ key: "who", label: t("rules.who") },
			{ key: "what", label: t("rules.what"), sort: false, cell: (r) => actions(ctx, r, onchange) },
		],
	}));
	return panel;
}

/* Puts in force what somebody has edited on disk. True: it was done. */
export async function reloadDisk() {
	return await ask({ title: t("rules.reload-disk"), text: t("rules.reload-sure"), submit: t("rules.reload-disk"),
		fields: [{ name: "why", label: t("rules.why"), required: true, hint: t("rules.why-hint"), attrs: { maxlength: 120 } }] });
}
