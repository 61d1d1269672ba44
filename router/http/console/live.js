/*
 * live.js - what the daemon tells every two seconds over /v1/live, handed to whoever asked.
 *
 * A tab that cannot be seen closes its stream: a browser opens six connections to one server, and a
 * console in each of seven tabs would wait for ever. EventSource reconnects by itself unless it was refused, as it
 * is when the session has ended; then the session is asked for, which lets the user sign in.
 */
import { api } from "./api.js";

const AGAIN_MS = 5000;
const SILENT_MS = 15000;
const listeners = new Set(), watchers = new Set();
let source = null, timer = null, watchdog = null, last = null;
let state = "off"; /* on, connecting, off */
let heard = null;  /* when something arrived, ISO */

function become(next) {
	if (state === next)
		return;
	state = next;
	for (const fn of watchers)
		fn(state, heard);
}

function hear(event) {
	try {
		last = JSON.parse(event.data);
	} catch {
		return;
	}
	heard = new Date().toISOString();
	become("on");
	expectMore();
	for (const fn of listeners)
		fn(last);
}

/* A connection may be dead without a word. */
function expectMore() {
	clearTimeout(watchdog);
	watchdog = setTimeout(() => {
		close();
		become("off");
		open();
	}, SILENT_MS);
}

function close() {
	clearTimeout(timer);
	clearTimeout(watchdog);
	source?.close();
	source = null;
}

async function openAgain() {
	try {
		await api.get("/v1/session");
		open();
	} catch {
		retry();
	}
}

function retry() {
	clearTimeout(timer);
	timer = setTimeout(openAgain, AGAIN_MS);
}

function open() {
	if (source !== null || document.hidden)
		return;
	if (state !== "off" || heard === null)
		become("connecting");
	source = new EventSource("/v1/live");
	source.addEventListener("live", hear);
	source.onerror = () => {
		become("off");
		if (source?.readyState === EventSource.CLOSED) {
			close();
			retry();
		}
	};
	expectMore();
}

document.addEventListener("visibilitychange", () => {
	if (!wanted)
		return;
	close();
	open();
});

let wanted = false;

export const live = {
	start() {
		wanted = true;
		open();
	},
	stop() {
		wanted = false;
		close();
		last = null;
		become("off");
	},
	/* fn(data) for what arrives, and at once for what arrived last. Returns what ends it. */
	on(fn) {
		listeners.add(fn);
		if (last !== null)
			fn(last);
		return () => listeners.delete(fn);
	},
	/* fn(state, heard) of the stream itself. */
	watch(fn) {
		watchers.add(fn);
		fn(state, heard);
		return () => watchers.delete(fn);
	},
};
