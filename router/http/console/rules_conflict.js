/*
 * rules_conflict.js - somebody else has changed the rules: what they did, and the ways on. Nothing is lost by any
 * of them.
 */
import { t } from "./i18n.js";
import { diffView } from "./rules_preview.js";
import { h } from "./ui.js";

const LABELS = { stale: "rules.conflict-theirs", disk: "rules.conflict-disk-diff" };

/*
 * Of the answer 409 to an apply. `ways`: [[text key, function]]. The heading is node.heading.
 */
export function conflictPanel(body, ways) {
	const heading = h("h2", { tabindex: "-1" }, t(`rules.conflict-${body.conflict}`));
	const node = h("section", { class: "panel conflict", role: "alert" }, heading,
		h("p", null, t("rules.conflict-text")),
		body.diff && [h("h3", null, t(LABELS[body.conflict])), diffView(body.diff, t(LABELS[body.conflict]))],
		body.detail && h("pre", { tabindex: "0" }, body.detail),
		h("div", { class: "buttons" }, ways.map(([key, go], i) =>
			h("button", { type: "button", class: i === 0 && "primary", onclick: go }, t(key)))));

	node.heading = heading;
	return node;
}

/* A line with what may be done about it. */
export function notice(text, ways, kind = "warn") {
	return h("div", { class: `notice ${kind} with-buttons`, role: "status" }, h("span", null, text),
		h("span", { class: "row-buttons" }, ways.map(([key, go]) =>
			h("button", { type: "button", class: "small", onclick: go }, t(key)))));
}
