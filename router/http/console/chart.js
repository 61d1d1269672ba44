/*
 * chart.js - curves over time: uPlot in our colours, and the same figures as a table.
 *
 * uPlot (/uplot.js, /uplot.css) is fetched when the first chart is shown. A canvas says nothing to
 * a screen reader, so a chart has a summary as its label and its table beside it; where uPlot cannot be had, the
 * table alone is shown. Curves differ by their dashes as well as by colour; thresholds are lines with
 * their names.
 */
import { language, t, texts } from "./i18n.js";
import { h, number, table, time, timeText } from "./ui.js";

texts({
	ja: { "chart.value": "{label}：{value}" },
	en: { "chart.value": "{label}: {value}" },
});

const HEIGHT = 200;
const DASHES = [[], [6, 4], [2, 3], [10, 3, 2, 3], [1, 4]];

let library = null;

function script(src) {
	return new Promise((resolve, reject) => {
		document.head.append(h("script", { src, onload: resolve, onerror: () => reject(new Error(src)) }));
	});
}

function loadLibrary() {
	if (library === null) {
		document.head.append(h("link", { rel: "stylesheet", href: "/uplot.css" }));
		library = script("/uplot.js").then(() => window.uPlot);
		library.catch(() => { library = null; });
	}
	return library;
}

/* A canvas wants a colour, not the name of one. */
function colour(node, name) {
	node.style.color = `var(${name})`;
	const text = getComputedStyle(node).color;

	node.style.color = "";
	return text;
}

/* -- axes and lines ----------------------------------------------------------------------------- */

const DAY = 86400;

/* Hours within a day, days beyond. */
function timeTicks(u, splits) {
	const step = splits.length > 1 ? splits[1] - splits[0] : 3600;
	const hour = new Intl.DateTimeFormat(language(), { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
	const day = new Intl.DateTimeFormat(language(), { month: "numeric", day: "numeric" });

	return splits.map((s) => {
		const date = new Date(s * 1000);
		const midnight = date.getHours() === 0 && date.getMinutes() === 0;
		return (step >= DAY || midnight ? day : hour).format(date);
	});
}

function drawThresholds(u, thresholds, node, format) {
	const { ctx, bbox } = u;
	const ratio = devicePixelRatio;

	ctx.save();
	ctx.font = `${11 * ratio}px sans-serif`;
	ctx.textAlign = "right";
	for (const limit of thresholds) {
		const y = u.valToPos(limit.value, "y", true);
		if (y < bbox.top || y > bbox.top + bbox.height)
			continue;
		ctx.strokeStyle = ctx.fillStyle = colour(node, limit.colour ?? "--bad");
		ctx.setLineDash([5 * ratio, 4 * ratio]);
		ctx.lineWidth = ratio;
		ctx.beginPath();
		ctx.moveTo(bbox.left, y);
		ctx.lineTo(bbox.left + bbox.width, y);
		ctx.stroke();
		ctx.fillText(`${limit.label} ${format(limit.value)}`, bbox.left + bbox.width - 4 * ratio, y - 4 * ratio);
	}
	ctx.restore();
}

function axis(node, more) {
	return { stroke: colour(node, "--soft"), grid: { stroke: colour(node, "--grid"), width: 1 },
		ticks: { stroke: colour(node, "--grid"), width: 1 }, font: "11px sans-serif", ...more };
}

/* Those with nothing on either side, of which no line tells. */
function lonePoints(values) {
	return values.flatMap((v, i) => v !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null ?
		[i] : []);
}

/* Counts stand on zero; rates near one would be one flat line on it. */
function range(o, low, high) {
	if (o.rates)
		return [Math.max(0, (low ?? 0) - 0.5 * (1 - (low ?? 0)) - 0.01), 1];
	return [0, Math.max(high * 1.08, o.least ?? 1)];
}

function options(node, o, width, onCursor) {
	return {
		width, height: o.height ?? HEIGHT, legend: { show: false },
		cursor: { drag: { x: false, y: false }, points: { size: 7 } },
		scales: { x: { time: true }, y: { range: (u, low, high) => range(o, low, high) } },
		axes: [axis(node, { values: timeTicks }),
			axis(node, { size: 56, values: (u, splits) => splits.map((v) => (o.format ?? number)(v)) })],
		series: [{}, ...o.series.map((s, i) => ({
			label: s.label, stroke: colour(node, s.colour), width: 2, dash: DASHES[i % DASHES.length],
			points: { show: false, filter: (u, k) => lonePoints(u.data[k]), size: 7, fill: colour(node, s.colour) },
		}))],
		hooks: {
			draw: [(u) => drawThresholds(u, o.thresholds ?? [], node, o.format ?? number)],
			setCursor: [(u) => onCursor(u.cursor.idx)],
		},
	};
}

/* -- words -------------------------------------------------------------------------------------- */

function summary(o) {
	const format = o.format ?? number;
	const known = (s) => s.values.filter((v) => v !== null);

	return t("chart.summary", {
		title: o.title, from: timeText(o.times[0]), to: timeText(o.times.at(-1)),
		series: o.series.map((s) => t(o.rates ? "chart.most" : "chart.series", {
			label: s.label, most: format(Math.max(0, ...known(s))), sum: format(known(s).reduce((a, b) => a + b, 0)),
		})).join(language() === "ja" ? "、" : "; "),
	});
}

texts({
	ja: { "chart.most": "{label} 最大 {most}" },
	en: { "chart.most": "{label}: {most} at most" },
});

function dataTable(o) {
	const format = o.format ?? number;

	return table({
		caption: o.title, hideCaption: true,
		columns: [{ key: "at", label: t("chart.time"), cell: (row) => time(row.at), header: true },
			...o.series.map((s, i) => ({ key: `s${i}`, label: s.label, numeric: true,
				value: (row) => s.values[row.i], cell: (row) => format(s.values[row.i]) }))],
		rows: o.times.map((at, i) => ({ at, i })), sort: { key: "at", descending: true },
	});
}

function swatch(s, i) {
	return h("span", { class: `swatch dash-${i % DASHES.length}`, css: { "--swatch": `var(${s.colour})` },
		"aria-hidden": "true" });
}

/* -- the chart ---------------------------------------------------------------------------------- */

/*
 * chart({title, times, series, thresholds, format, rates, height, least}) is a node with update({times, series,
 * thresholds}) and end(). times: ISO 8601; series: [{label, values, colour: "--path-1"}], as long as times, null
 * where nothing is known; thresholds: [{value, label, colour}]. `rates`: shares of one, whose sum means nothing;
 * `least`: what the axis of counts shows at least.
 */
export function chart(given) {
	let o = { ...given }, plot = null, ended = false;
	const room = h("div", { class: "plot", role: "img" });
	const legend = h("ul", { class: "legend" });
	const details = h("details", { class: "chart-table", ontoggle: () => fillTable() },
		h("summary", null, t("chart.table")));
	const node = h("figure", { class: "chart" }, h("figcaption", null, o.title), legend, room, details);

	function fillTable() {
		for (const old of details.querySelectorAll(":scope > .table"))
			old.remove();
		if (details.open)
			details.append(dataTable(o));
	}

	/* What the pointer is at, or nothing. */
	function showValues(i) {
		const at = i === null || i === undefined ? null : o.times[i];

		legend.replaceChildren(...o.series.map((s, k) => h("li", null, swatch(s, k),
			at === null ? s.label : t("chart.value", { label: s.label, value: (o.format ?? number)(s.values[i]) }))),
		h("li", { class: "at" }, at === null ? "" : timeText(at)));
	}

	function data() {
		return [o.times.map((at) => Date.parse(at) / 1000), ...o.series.map((s) => s.values)];
	}

	async function draw() {
		room.setAttribute("aria-label", o.times.length > 0 ? summary(o) : `${o.title}. ${t("ui.empty")}`);
		showValues(null);
		fillTable();
		let uPlot;
		try {
			uPlot = await loadLibrary();
		} catch {
			room.textContent = t("chart.failed");
			details.open = true;
			return;
		}
		if (ended || room.clientWidth === 0)
			return;
		plot?.destroy();
		plot = new uPlot(options(room, o, room.clientWidth, showValues), data(), room);
	}

	const sizes = new ResizeObserver(() => {
		if (plot === null)
			draw();
		else if (room.clientWidth > 0 && Math.abs(plot.width - room.clientWidth) > 1)
			plot.setSize({ width: room.clientWidth, height: plot.height });
	});
	const dark = matchMedia("(prefers-color-scheme: dark)");

	sizes.observe(room);
	dark.addEventListener("change", draw);
	window.addEventListener("oiwake-theme", draw);
	node.update = (next) => {
		o = { ...o, ...next };
		draw();
	};
	node.end = () => {
		ended = true;
		sizes.disconnect();
		dark.removeEventListener("change", draw);
		window.removeEventListener("oiwake-theme", draw);
		plot?.destroy();
	};
	return node;
}
