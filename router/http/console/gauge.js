/*
 * gauge.js - a rate as a bar, with its interval and the thresholds that it is judged by.
 *
 * The guard's own thresholds are thin ticks, the world's (where SES looks at an account, and where it stops it)
 * thick ones; both are named and numbered below the bar, so that nothing depends on a colour.
 */
import { t, texts, word } from "./i18n.js";
import { badge, h, percent } from "./ui.js";

texts({
	ja: {
		"gauge.of": "{volume} 件中 {hits} 件",
		"gauge.interval": "95 % 信頼区間 {low}〜{high}",
		"gauge.none": "対象なし",
		"gauge.small": "（件数が少ないため参考値）",
		"gauge.warn": "警告 {value}",
		"gauge.slow": "減速 {value}",
		"gauge.pause": "停止 {value}",
		"gauge.review": "SES 審査 {value}",
		"gauge.stop": "SES 停止 {value}",
	},
	en: {
		"gauge.of": "{hits} of {volume}",
		"gauge.interval": "95 % interval {low} to {high}",
		"gauge.none": "nothing to judge",
		"gauge.small": " (too few to tell)",
		"gauge.warn": "warns at {value}",
		"gauge.slow": "slows at {value}",
		"gauge.pause": "pauses at {value}",
		"gauge.review": "SES reviews at {value}",
		"gauge.stop": "SES stops at {value}",
	},
});

export const SMALL = 100; /* of fewer, a rate is greyed */
const LIMITS = ["warn", "slow", "pause", "review", "stop"];

function limitsOf(guard, budget) {
	const of = { ...guard, review: budget?.review, stop: budget?.stop };

	return LIMITS.filter((name) => of[name] > 0).map((name) => ({ name, value: of[name] }))
		.sort((a, b) => a.value - b.value);
}

/* The worst threshold that is reached, as a word with a colour. */
function judged(rate, limits) {
	const reached = limits.filter((l) => rate >= l.value).at(-1);

	if (reached === undefined)
		return limits.length > 0 ? badge(word("level", "ok"), "good") : null;
	return badge(t(`gauge.${reached.name}`, { value: percent(reached.value) }), reached.name === "warn" ? "warn" : "bad");
}

function bar(label, rate, limits, least) {
	const most = Math.max(...limits.map((l) => l.value), rate.rate ?? 0, least) * 1.08;
	const share = (x) => `${Math.min(100, 100 * x / most).toFixed(2)}%`;

	return h("div", {
		class: "bar", role: "meter", "aria-label": label, "aria-valuemin": "0", "aria-valuemax": most.toFixed(5),
		"aria-valuenow": (rate.rate ?? 0).toFixed(5),
		"aria-valuetext": rate.rate === null ? t("gauge.none") : percent(rate.rate),
	},
	rate.rate !== null && [
		h("span", { class: "interval", css: { "--from": share(rate.low), "--to": share(rate.high) } }),
		h("span", { class: "filled", css: { "--to": share(rate.rate) } })],
	limits.map((l) => h("span", { class: `tick ${l.name}`, css: { "--at": share(l.value) } })));
}

/*
 * rate: {rate, low, high, hits, volume}; guard: {warn, slow, pause}; budget: {review, stop}; each of the two may
 * be missing. The bar reaches to `least` at least.
 */
export function gauge(label, rate, guard, budget, least) {
	const limits = limitsOf(guard, budget);
	const small = rate.volume < SMALL;

	return h("div", { class: `gauge ${small ? "small" : ""}` },
		h("div", { class: "gauge-head" }, h("span", null, label), h("strong", null, percent(rate.rate)),
			h("small", null, t("gauge.of", { hits: rate.hits, volume: rate.volume })),
			rate.rate !== null && !small && judged(rate.rate, limits)),
		bar(label, rate, limits, least),
		h("ul", { class: "limits" }, limits.map((l) => h("li", { class: l.name }, t(`gauge.${l.name}`, { value: percent(l.value) })))),
		rate.rate !== null && h("small", null, t("gauge.interval", { low: percent(rate.low), high: percent(rate.high) }),
			small && t("gauge.small")));
}

