/*
 * rules_editor.js - a text with line numbers, and what is wrong with it beside its lines.
 *
 * The text is in a plain textarea, so that everything the browser can do with text works: undo, search, screen
 * readers, input methods. Numbers and notes follow its scrolling, and only those of lines in sight are made.
 */
import { h, newId } from "./ui.js";

const encoder = new TextEncoder(), decoder = new TextDecoder();

/* The daemon counts bytes of UTF-8 from 1; people and browsers count characters. */
export function characterAt(line, column) {
	return decoder.decode(encoder.encode(line).slice(0, Math.max(0, column - 1))).length;
}

/*
 * editor({label, readOnly, oninput, describedBy}) is a node with
 *	set(text)           shows another text, from its top
 *	text()              what stands there
 *	mark(problems)      [{line, severity, text}] of this text, told beside their lines
 *	show(line, column)  goes there
 */
export function editor({ label, readOnly, oninput, describedBy }) {
	const id = newId("rules-text");
	const numbers = h("div", { class: "numbers", "aria-hidden": "true" });
	const notes = h("div", { class: "notes", "aria-hidden": "true" });
	const heading = h("label", { for: id });
	const area = h("textarea", {
		id, wrap: "off", spellcheck: "false", autocapitalize: "off", autocomplete: "off", rows: 24,
		readonly: readOnly, "aria-describedby": describedBy,
		oninput: () => {
			count();
			draw();
			oninput();
		},
		onscroll: () => draw(),
	});
	let lines = 1, marks = new Map();

	function count() {
		lines = 1;
		for (let i = area.value.indexOf("\n"); i !== -1; i = area.value.indexOf("\n", i + 1))
			lines++;
	}

	/* Where the line is, from the top of what is in sight. */
	function geometry() {
		const style = getComputedStyle(area);
		const height = parseFloat(style.lineHeight), top = parseFloat(style.paddingTop);
		const first = Math.max(1, Math.floor((area.scrollTop - top) / height) + 1);

		return { first, last: Math.min(lines, first + Math.ceil(area.clientHeight / height) + 1),
			at: (line) => `${top + (line - 1) * height - area.scrollTop}px` };
	}

	function draw() {
		const { first, last, at } = geometry();
		const shown = [], told = [];

		for (let line = first; line <= last; line++) {
			const problem = marks.get(line);
			shown.push(h("span", { class: problem?.severity, css: { "--top": at(line) } }, String(line)));
			if (problem)
				told.push(h("span", { class: problem.severity, title: problem.text, css: { "--top": at(line) } },
					problem.text));
		}
		numbers.replaceChildren(...shown);
		notes.replaceChildren(...told);
		node.classList.toggle("with-notes", marks.size > 0);
	}

	const node = h("div", { class: "rules-editor" }, heading, h("div", { class: "sheet" }, numbers, area, notes));
	const watcher = new ResizeObserver(draw);
	watcher.observe(area);

	node.close = () => watcher.disconnect();
	node.text = () => area.value;
	node.setLabel = (text) => { heading.textContent = text; };
	node.set = (text) => {
		area.value = text;
		area.scrollTop = area.scrollLeft = 0;
		area.setSelectionRange(0, 0);
		marks = new Map();
		count();
		draw();
	};
	/* A mistake before a warning on the same line. */
	node.mark = (problems) => {
		marks = new Map();
		for (const p of problems)
			if (p.severity === "error" || !marks.has(p.line))
				if (marks.get(p.line)?.severity !== "error")
					marks.set(p.line, p);
		area.setAttribute("aria-invalid", String(problems.some((p) => p.severity === "error")));
		draw();
	};
	node.show = (line, column) => {
		const before = area.value.split("\n").slice(0, Math.max(0, line - 1));
		const start = before.reduce((n, text) => n + text.length + 1, 0);
		const text = area.value.slice(start).split("\n", 1)[0];
		const at = start + characterAt(text, column);
		const height = parseFloat(getComputedStyle(area).lineHeight);

		area.focus();
		area.setSelectionRange(at, at);
		area.scrollTop = Math.max(0, (line - 1) * height - area.clientHeight / 3);
		draw();
	};
	node.setLabel(label);
	return node;
}
