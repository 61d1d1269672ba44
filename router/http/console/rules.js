/*
 * rules.js - the rules in force: read, edited with a check as one types, previewed, applied, and put back.
 *
 * Who may look sees them; role "operate" may edit, check and preview, "admin" applies. What is typed is kept in
 * this tab (rules_draft.js) until it is applied or discarded.
 */
import { t } from "./i18n.js";
import { conflictPanel, notice } from "./rules_conflict.js";
import { draft } from "./rules_draft.js";
import { characterAt, editor } from "./rules_editor.js";
import { historyPanel, reloadDisk, shortName } from "./rules_history.js";
import { preview, summary } from "./rules_preview.js";
import "./rules_texts.js";
import { confirm, errorState, errorText, field, h, loading, newId, toast } from "./ui.js";

const TYPING_MS = 400, BUSY_MS = 2000;
const EDIT_MAX = 2 << 20; /* characters of a file that a textarea is asked to hold */
const RECIPIENTS = 20000;

class RulesPage {
	constructor(root, ctx) {
		this.ctx = ctx;
		this.root = root;
		this.mayEdit = ctx.may("operate");
		this.draft = draft(ctx.session.user);
		this.name = null;
		this.report = [];
		this.checks = 0; /* that were begun: an answer to an older one is too late */
		this.busy = false;
		this.closed = false;
	}

	/* -- the page ------------------------------------------------------------------------------ */

	build() {
		const statusId = newId("rules-status");

		this.notices = h("div", { class: "rules-notices" });
		this.conflict = h("div");
		this.status = h("p", { class: "rules-status", id: statusId, role: "status", "aria-live": "polite" });
		this.version = h("code");
		this.badge = h("span", { class: "badge warn", hidden: true }, t("rules.edited"));
		this.pick = h("div", { class: "rules-files" });
		this.editor = editor({ label: "", readOnly: !this.mayEdit, describedBy: statusId, oninput: () => this.typed() });
		this.tooLarge = h("p", { class: "notice", hidden: true });
		this.problems = h("ul", { class: "plain problems", "aria-label": t("rules.problems") });
		this.preview = h("div");
		this.history = historyPanel(this.ctx, () => this.refresh());
		this.previewButton = h("button", { type: "button", class: "primary", onclick: () => this.showPreview() },
			t("rules.preview"));
		this.discardButton = h("button", { type: "button", onclick: () => this.discard() }, t("rules.discard"));
		this.root.replaceChildren(this.notices, this.conflict, h("section", { class: "panel rules-panel" },
			h("div", { class: "panel-head" }, h("h2", null, this.mayEdit ? t("rules.edit") : t("rules.text")),
				h("span", null, t("rules.version"), " ", this.version, " ", this.badge)),
			!this.mayEdit && h("p", { class: "notice" }, t("rules.read-only")),
			this.pick, this.tooLarge, this.editor, this.mayEdit && [this.status, this.problems,
				h("div", { class: "buttons" }, this.discardButton, this.previewButton)]),
		this.preview, this.history);
	}

	async open() {
		this.root.replaceChildren(loading());
		try {
			this.draft.setRunning(await this.ctx.api.get("/v1/rules/running"));
		} catch (e) {
			if (e.name !== "AbortError")
				this.root.replaceChildren(errorState(e, () => this.open()));
			return;
		}
		this.build();
		this.name = this.draft.files[0].name;
		this.showFile();
		this.showState();
		if (this.draft.resumed && this.draft.isEdited())
			toast(t("rules.draft"));
		this.history.update();
		if (this.mayEdit)
			this.check();
	}

	/* What is in force has changed, by whomever. */
	async refresh() {
		try {
			this.draft.setRunning(await this.ctx.api.get("/v1/rules/running"));
		} catch (e) {
			if (e.name !== "AbortError")
				toast(errorText(e), "error");
			return;
		}
		if (!this.draft.files.some((f) => f.name === this.name))
			this.name = this.draft.files[0].name;
		this.showFile();
		this.showState();
		this.history.update();
		if (this.mayEdit)
			this.check();
	}

	short(name) {
		return shortName(name, this.draft.files[0].name);
	}

	/* -- files --------------------------------------------------------------------------------- */

	showPick() {
		const options = this.draft.files.map((f) => [f.name,
			this.draft.isEdited(f.name) ? t("rules.edited-file", { file: this.short(f.name) }) : this.short(f.name)]);

		this.pick.hidden = options.length === 1;
		if (this.pick.contains(document.activeElement)) {
			for (const option of this.pick.querySelectorAll("option"))
				option.textContent = options.find(([name]) => name === option.value)?.[1] ?? option.textContent;
			return;
		}
		this.pick.replaceChildren(field({ name: "file", label: t("rules.file"), type: "select", value: this.name, options,
			attrs: { onchange: (event) => this.choose(event.target.value) } }));
	}

	choose(name) {
		this.name = name;
		this.showFile();
	}

	showFile() {
		const text = this.draft.text(this.name), large = text.length > EDIT_MAX;

		this.editor.setLabel(t("rules.editor", { file: this.short(this.name) }));
		this.tooLarge.hidden = !large;
		this.tooLarge.textContent = t("rules.too-large", { file: this.short(this.name), size: (text.length >> 20) || 1 });
		this.editor.hidden = large;
		this.shownText = large ? null : text;
		if (!large && this.editor.text() !== text)
			this.editor.set(text);
		this.mark();
		this.showPick();
	}

	showState() {
		const d = this.draft;

		this.version.textContent = d.running;
		this.badge.hidden = !d.isEdited();
		this.discardButton.disabled = this.previewButton.disabled = !d.isEdited();
		this.notices.replaceChildren(...[
			d.isStale() && !this.conflict.hasChildNodes() && notice(t("rules.changed", { version: d.running }),
				[["rules.keep-mine", () => this.keepMine()], ["rules.take-theirs", () => this.takeTheirs()]]),
			this.mayEdit && d.hasAside() && notice(t("rules.aside"), [["rules.aside-back", () => this.takeBack()],
				["rules.aside-drop", () => {
					d.dropAside();
					this.showState();
				}]], ""),
		].filter(Boolean));
		this.showPick();
	}

	/* -- check as one types -------------------------------------------------------------------- */

	typed() {
		this.draft.setText(this.name, this.editor.text());
		this.showState();
		this.outdate();
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.check(), TYPING_MS);
	}

	async check() {
		const turn = ++this.checks;
		const files = this.draft.changed();

		if (files.length === 0) {
			this.tell([], t("rules.as-running"));
			return;
		}
		this.status.textContent = t("rules.checking");
		try {
			const answer = await this.ctx.api.post("/v1/rules/check", { files });
			if (turn === this.checks && !this.closed)
				this.tell(answer.report, summary(answer.report, answer.left_out));
		} catch (e) {
			if (turn !== this.checks || this.closed || e.name === "AbortError")
				return;
			this.tell([], t("rules.unchecked", { text: errorText(e) }));
			if (e.status === 503) /* others are being answered */
				this.timer = setTimeout(() => this.check(), BUSY_MS);
		}
	}

	tell(report, text) {
		this.report = report;
		this.status.textContent = text;
		this.status.classList.toggle("bad", report.some((p) => p.severity === "error"));
		this.mark();
		this.problems.replaceChildren(...report.map((p) => h("li", { class: p.severity },
			h("span", { class: `badge ${p.severity === "error" ? "bad" : "warn"}` }, t(`rules.${p.severity}`)), " ",
			this.place(p), " ", p.text)));
	}

	place(p) {
		const known = this.draft.files.some((f) => f.name === p.file);
		const text = known && p.line > 0 ? this.draft.text(p.file).split("\n")[p.line - 1] ?? "" : "";

		if (!known || p.line === 0)
			return h("span", { class: "mono" }, this.short(p.file));
		return h("button", { type: "button", class: "link", onclick: () => this.go(p) }, t("rules.place", {
			file: this.short(p.file), line: p.line, column: characterAt(text, p.column) + 1 }));
	}

	go(p) {
		if (p.file !== this.name) {
			this.name = p.file;
			this.showFile();
		}
		this.editor.show(p.line, p.column);
	}

	mark() {
		this.editor.mark(this.report.filter((p) => p.file === this.name && p.line > 0));
	}

	/* -- preview and apply --------------------------------------------------------------------- */

	async showPreview() {
		const files = this.draft.changed();

		if (this.busy)
			return;
		this.busy = true;
		this.preview.setAttribute("aria-busy", "true");
		this.preview.replaceChildren(loading());
		try {
			const answer = await this.ctx.api.post("/v1/rules/diff", { files, limit: RECIPIENTS });
			this.fillPreview(answer);
		} catch (e) {
			this.preview.replaceChildren();
			this.refused(e);
		} finally {
			this.busy = false;
			this.preview.removeAttribute("aria-busy");
		}
	}

	fillPreview(answer) {
		const inputs = new Map();
		const heading = h("h2", { tabindex: "-1" }, t("rules.preview-title"));
		const old = h("p", { class: "notice warn", role: "status", hidden: true }, t("rules.preview-old"), " ",
			h("button", { type: "button", class: "small", onclick: () => this.showPreview() }, t("rules.preview-again")));
		const problem = h("p", { class: "problem", role: "alert" });
		const apply = h("button", { type: "submit", class: "primary" }, t("rules.apply"));
		const form = h("form", { onsubmit: (event) => {
			event.preventDefault();
			this.apply(inputs.get("why").value.trim(), problem, apply);
		} }, field({ name: "why", label: t("rules.why"), hint: t("rules.why-hint"), value: this.draft.why, required: true,
			attrs: { maxlength: 120, autocomplete: "off", oninput: (event) => this.draft.setWhy(event.target.value) } },
		inputs), problem, h("div", { class: "buttons" }, apply));

		this.outdated = () => {
			old.hidden = false;
			apply.disabled = true;
		};
		this.preview.replaceChildren(h("section", { class: "panel rules-preview" }, heading, old, preview(answer),
			this.ctx.may("admin") ? form : h("p", { class: "notice" }, t("rules.apply-role"))));
		heading.focus({ preventScroll: true });
		heading.scrollIntoView({ block: "nearest" });
	}

	outdate() {
		this.outdated?.();
	}

	closePreview() {
		this.outdated = undefined;
		this.preview.replaceChildren();
	}

	async apply(why, problem, button) {
		problem.textContent = why === "" ? t("rules.why-needed") : "";
		if (why === "" || this.busy)
			return;
		this.busy = button.disabled = true;
		button.textContent = t("rules.applying");
		try {
			const answer = await this.ctx.api.post("/v1/rules/apply", {
				base: this.draft.base, files: this.draft.changed(), why });
			toast(answer.changed ? t("rules.applied", { version: answer.version }) : t("rules.unchanged"));
			this.draft.drop();
			this.closePreview();
			this.conflict.replaceChildren();
			await this.refresh();
		} catch (e) {
			button.disabled = false;
			button.textContent = t("rules.apply");
			this.refused(e, problem);
		} finally {
			this.busy = false;
		}
	}

	/* -- when it was refused ------------------------------------------------------------------- */

	refused(e, problem) {
		if (e.name === "AbortError")
			return;
		if (e.body?.report) {
			this.tell(e.body.report, summary(e.body.report));
			this.closePreview();
			this.status.scrollIntoView({ block: "nearest" });
		} else if (e.body?.conflict === "stale" || e.body?.conflict === "disk")
			this.showConflict(e.body);
		else if (problem)
			problem.textContent = e.body?.conflict ? t(`rules.conflict-${e.body.conflict}`) : errorText(e);
		else
			toast(errorText(e), "error");
	}

	async showConflict(body) {
		const ways = body.conflict === "disk" ? [["rules.reload-disk", () => this.reloadDisk()]] :
			[["rules.keep-mine", () => this.keepMine()], ["rules.take-theirs", () => this.takeTheirs()]];
		const panel = conflictPanel(body, ways);

		this.closePreview();
		this.conflict.replaceChildren(panel);
		panel.heading.focus();
		await this.refresh();
	}

	async reloadDisk() {
		const values = await reloadDisk();

		if (values === null)
			return;
		try {
			await this.ctx.api.post("/v1/reload", { why: values.why });
		} catch (e) {
			toast(errorText(e), "error");
			return;
		}
		toast(t("rules.reloaded"));
		this.conflict.replaceChildren();
		await this.refresh();
	}

	async settle(how, said) {
		this.conflict.replaceChildren();
		this.closePreview();
		how();
		this.showFile();
		this.showState();
		toast(said);
		await this.check();
	}

	keepMine() {
		return this.settle(() => this.draft.rebase(), t("rules.kept-mine"));
	}

	takeTheirs() {
		return this.settle(() => this.draft.putAside(), t("rules.took-theirs"));
	}

	takeBack() {
		return this.settle(() => this.draft.takeBack(), t("rules.kept-mine"));
	}

	async discard() {
		if (!await confirm(t("rules.discard-sure"), { submit: t("rules.discard"), danger: true }))
			return;
		this.draft.drop();
		this.conflict.replaceChildren();
		this.closePreview();
		await this.refresh();
	}

	/* -- the end ------------------------------------------------------------------------------- */

	/* Somebody has put other rules in force while this page is open. */
	heard(said) {
		if (this.editor && !this.busy && said.rules && said.rules !== this.draft.running && !this.refreshing) {
			this.refreshing = true;
			this.refresh().finally(() => { this.refreshing = false; });
		}
	}

	close() {
		this.closed = true;
		clearTimeout(this.timer);
		this.editor?.close();
	}
}

export const page = {
	path: "rules", title: "page.rules", role: "view", styles: ["/rules.css"],
	async render(root, ctx) {
		const rules = new RulesPage(root, ctx);
		const off = ctx.live.on((said) => rules.heard(said));

		await rules.open();
		return () => {
			off();
			rules.close();
		};
	},
};
