/*
 * window.js - what part of the counters a page looks at: how far back, kept in its address, and which
 * paths; and how finely a chart of it is drawn.
 */
import { t } from "./i18n.js";
import { choice } from "./ui.js";

const STEPS = { "1h": "minute", "24h": "hour", "7d": "hour", "90d": "day" };

export function windowOf(params, otherwise = "24h") {
	const name = params.get("window");

	return name in STEPS ? name : otherwise;
}

export function stepOf(name) {
	return STEPS[name];
}

export function windowChoice(value, onchange) {
	return choice({ label: t("ui.window"), value, onchange,
		options: Object.keys(STEPS).map((name) => [name, t(`window.${name}`)]) });
}

/* Mail that is held or was refused is counted under these; nothing goes out by them. */
const NO_PATHS = ["", "hold", "reject"];

export function isPath(name) {
	return !NO_PATHS.includes(name);
}
