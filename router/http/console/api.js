/*
 * api.js - asks the daemon, in the name of whoever is signed in.
 *
 * An answer 401 means that the session has ended: app.js is asked to let the user sign in, and the
 * request is then made again, so that a page knows nothing of it. What was to change something is only
 * repeated for the same user.
 */
export class ApiError extends Error {
	constructor(status, text, body) {
		super(text);
		this.name = "ApiError";
		this.status = status; /* 0: no answer came */
		this.body = body;     /* {"error": ...} and what else was said */
	}
}

let session = null; /* {user, role, csrf, language} */
let signIn = null;  /* () -> promise of the session */
let ended = () => {};
let signingIn = null;

/* What is done when a session has ended: `again` shows the sign-in and promises the new session. */
export function onSessionEnd(again) {
	signIn = again;
}

export function onSession(fn) {
	ended = fn;
}

export function currentSession() {
	return session;
}

function setSession(next) {
	session = next;
	ended(session);
	return session;
}

async function body(response) {
	const text = await response.text();

	try {
		return text === "" ? {} : JSON.parse(text);
	} catch {
		return { error: text.slice(0, 500) };
	}
}

/* One request and its answer, whatever it is. */
async function ask(method, url, data, signal) {
	const headers = { Accept: "application/json" };
	const init = { method, headers, signal, credentials: "same-origin", cache: "no-store", redirect: "error" };

	if (data !== undefined) {
		headers["Content-Type"] = "application/json";
		init.body = JSON.stringify(data);
	}
	if (method !== "GET" && session !== null)
		headers["X-Oiwake-CSRF"] = session.csrf;
	let response;
	try {
		response = await fetch(url, init);
	} catch (e) {
		if (e.name === "AbortError")
			throw e;
		throw new ApiError(0, "no answer", {});
	}
	const said = await body(response);
	if (!response.ok)
		throw new ApiError(response.status, said.error ?? `${response.status} ${response.statusText}`, said);
	return said;
}

/* Several requests may find the session ended at once: one sign-in is for all. */
function signInAgain() {
	if (signingIn === null) {
		setSession(null);
		signingIn = signIn().finally(() => { signingIn = null; });
	}
	return signingIn;
}

/* The session has ended, and nobody has signed in yet: what may wait should not ask meanwhile. */
export function isSigningIn() {
	return signingIn !== null;
}

/* The same user may have signed in anew in another tab: then the cookie is newer than what we know. */
async function hasNewSession(old) {
	const now = await findSession();

	return now !== null && now.user === old?.user && now.csrf !== old.csrf;
}

async function request(method, url, data, signal) {
	for (;;) {
		const before = session;

		try {
			return await ask(method, url, data, signal);
		} catch (e) {
			if (e.status === 403 && method !== "GET" && await hasNewSession(before))
				continue;
			if (e.status !== 401 || signIn === null)
				throw e;
			await signInAgain();
			signal?.throwIfAborted();
			if (method !== "GET" && session?.user !== before?.user)
				throw e;
		}
	}
}

export const api = {
	get: (url, signal) => request("GET", url, undefined, signal),
	post: (url, data = {}, signal) => request("POST", url, data, signal),
};

/* -- the session itself ------------------------------------------------------------------------- */

/* Null: nobody is signed in. */
export async function findSession() {
	try {
		return setSession(await ask("GET", "/v1/session"));
	} catch (e) {
		if (e.status !== 401)
			throw e;
		return null;
	}
}

export async function startSession(user, password) {
	return setSession(await ask("POST", "/v1/session", { user, password }));
}

export async function endSession() {
	await ask("POST", "/v1/session/end", {});
	setSession(null);
}

/* "/v1/x?a=1&b=2"; what is empty is left out. */
export function url(path, args = {}) {
	const query = new URLSearchParams();

	for (const [name, value] of Object.entries(args))
		if (value !== undefined && value !== null && value !== "")
			query.set(name, value);
	return query.size > 0 ? `${path}?${query}` : path;
}
