/*
 * frame.mjs - what a walk through the console stands on: Debian's Chromium, driven by playwright-core.
 *
 *     import { walk } from "./frame.mjs";
 *
 *     walk("queue: a message is held", async (c) => {
 *         const page = await c.signIn("operate", { path: "queue", language: "en" });
 *         await page.getByRole("button", { name: "Hold" }).click();
 *         await c.audit(page, "queue");
 *     });
 *
 * test_console.py starts the daemon and the sandbox, then `node queue.mjs`; everything it knows is in the
 * environment as JSON (OIWAKE_CONSOLE). A walk fails when it throws, and also when a page has asked another host
 * for anything, written an error to its console, or thrown one. Nothing here waits for a fixed time.
 */
import { execFile } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";
import { promisify } from "node:util";

const given = JSON.parse(process.env.OIWAKE_CONSOLE);
const require = createRequire(path.join(given.modules, "x.js"));
const { chromium } = require("playwright-core");
const axe = require("axe-core").source;
const run = promisify(execFile);

export class Failed extends Error {}

export function check(condition, what) {
	if (!condition)
		throw new Failed(what);
}

export function equal(got, want, what) {
	check(JSON.stringify(got) === JSON.stringify(want),
		`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

/* A line that tests/run shows although the test passes. */
export function note(text) {
	console.log(`# note: ${text}`);
}

/* -- mail and the command line ------------------------------------------------------------------ */

/* One message by SMTP at the relay listener; every reply has to be good. */
function mail(from, to, subject = "test") {
	const recipients = [to].flat();
	const lines = ["EHLO client.test", `MAIL FROM:<${from}>`, ...recipients.map((r) => `RCPT TO:<${r}>`), "DATA",
		`From: ${from}\r\nTo: ${recipients[0]}\r\nSubject: ${subject}\r\nMessage-ID: <${Math.random()}@test>\r\n` +
		"Date: Sun, 22 Nov 2026 10:00:00 +0900\r\n\r\nhello\r\n.", "QUIT"];

	return new Promise((resolve, reject) => {
		const socket = net.connect(given.relay, "127.0.0.1");
		let text = "";

		socket.setEncoding("utf8");
		socket.on("error", reject);
		socket.on("data", (more) => {
			text += more;
			/* The last line of a reply has a space behind its code. */
			for (let end; (end = /^(\d\d\d) [^\n]*\n/m.exec(text)) !== null;) {
				text = text.slice(end.index + end[0].length);
				if (end[1] >= "400")
					reject(new Failed(`${from} to ${recipients}: ${end[0].trim()}`));
				const line = lines.shift();
				if (line === undefined)
					socket.end();
				else
					socket.write(`${line}\r\n`);
			}
		});
		socket.on("close", resolve);
	});
}

/* What `oiwake WORDS...` prints. */
async function cli(...words) {
	return (await run(given.program, [...words.slice(0, 1), "-c", given.config, ...words.slice(1)])).stdout;
}

/* Asks until it is true, and returns what it is. */
async function until(condition, what) {
	const end = Date.now() + given.patience;

	for (;;) {
		const value = await condition();
		if (value)
			return value;
		check(Date.now() < end, `not in time: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}

/* -- the browser -------------------------------------------------------------------------------- */

const PHONE = { width: 360, height: 740 };
const DESK = { width: 1280, height: 900 };

/* What an answer that is meant to be bad makes Chromium write: that of a session there is none. */
const EXPECTED = [/status of 401/];

class Console {
	constructor(browser, name) {
		this.browser = browser;
		this.name = name;
		this.trouble = [];
		this.allowed = [...EXPECTED];
		Object.assign(this, { given, mail, cli, until });
	}

	/* Errors on the browser's console that this walk is about. */
	allow(pattern) {
		this.allowed.push(pattern);
	}

	watch(page) {
		page.on("request", (request) => {
			const url = new URL(request.url());
			if (url.protocol !== "data:" && url.origin !== given.url)
				this.trouble.push(`a request to ${request.url()}`);
		});
		page.on("console", (message) => {
			if (message.type() === "error" && !this.allowed.some((p) => p.test(message.text())))
				this.trouble.push(`on the console: ${message.text()} (${message.location().url})`);
		});
		page.on("pageerror", (e) => this.trouble.push(`thrown: ${e.stack ?? e}`));
	}

	/* A browser of its own, not signed in. {language: "ja" | "en", dark, phone, still} */
	async open({ path = "", language = "en", dark = false, phone = false, still = false } = {}) {
		const context = await this.browser.newContext({
			locale: language === "ja" ? "ja-JP" : "en-GB", timezoneId: "Asia/Tokyo",
			colorScheme: dark ? "dark" : "light", reducedMotion: still ? "reduce" : "no-preference",
			viewport: phone ? PHONE : DESK, hasTouch: phone, isMobile: phone,
		});
		const page = await context.newPage();

		page.setDefaultTimeout(given.patience);
		this.watch(page);
		await page.goto(`${given.url}/${path && `#/${path}`}`);
		await page.getByRole("dialog").waitFor();
		return page;
	}

	/* By the form, as people do. */
	async fillSignIn(page, role, password = given.password) {
		await page.locator("dialog [name=user]").fill(given.users[role]);
		await page.locator("dialog [name=password]").fill(password);
		await page.locator("dialog button[type=submit]").click();
	}

	/* As open(), and signed in with that role ("view", "operate", "admin"). */
	async signIn(role, options) {
		const page = await this.open(options);

		await this.fillSignIn(page, role);
		await this.shown(page);
		return page;
	}

	/* The page is there and nothing of it is being read any more. */
	async shown(page) {
		await page.locator("main .page").waitFor();
		await this.settled(page);
	}

	async settled(page) {
		await page.waitForFunction(() => !document.querySelector("main [aria-busy], main .state[role=status]"));
	}

	async go(page, to) {
		await page.evaluate((hash) => { location.hash = hash; }, `#/${to}`);
		await page.locator(`main .page-${to.split("?")[0]}`).waitFor();
		await this.settled(page);
	}

	/* Kept under the build folder. */
	async shot(page, name) {
		await page.screenshot({ path: path.join(given.shots, `${name}.png`), fullPage: true,
			animations: "disabled" });
	}

	/* No fault that axe calls serious or critical, in light and in dark; nor is anything wider than the page. */
	async audit(page, name) {
		const scheme = await page.evaluate(() => matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

		for (const colorScheme of ["light", "dark"]) {
			await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
			await page.evaluate(axe);
			const found = await page.evaluate(async () => {
				const result = await window.axe.run({ resultTypes: ["violations"] });
				return result.violations.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) =>
					`${v.id}: ${v.help}: ${v.nodes.slice(0, 5).map((n) => `${n.html} ${n.any.map((a) => a.message).join(", ")}`).join("\n    ")}`);
			});
			check(found.length === 0, `${name}, ${colorScheme}: ${found.join("\n")}`);
		}
		await page.emulateMedia({ colorScheme: scheme, reducedMotion: null });
		const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
		check(wider <= 0, `${name} is ${wider} px wider than the window`);
	}
}

async function walkOne(browser, name, steps) {
	const c = new Console(browser, name);

	try {
		await steps(c);
		check(c.trouble.length === 0, c.trouble.join("\n"));
		console.log(`good: ${name}`);
		return true;
	} catch (e) {
		console.log(`failed: ${name}\n${e instanceof Failed ? e.message : e.stack}\n${c.trouble.join("\n")}`);
		for (const [i, page] of browser.contexts().flatMap((x) => x.pages()).entries())
			await c.shot(page, `failed-${name.replace(/\W+/g, "-")}-${i}`).catch(() => {});
		return false;
	} finally {
		for (const context of browser.contexts())
			await context.close();
	}
}

/* -- the walks of a file, one after the other --------------------------------------------------- */

const walks = [];

export function walk(name, steps) {
	if (walks.push([name, steps]) === 1)
		setImmediate(runAll);
}

async function runAll() {
	fs.mkdirSync(given.shots, { recursive: true });
	const browser = await chromium.launch({ executablePath: given.chromium,
		args: ["--no-sandbox", "--disable-dev-shm-usage"] });
	let good = true;

	for (const [name, steps] of walks)
		good = await walkOne(browser, name, steps) && good;
	await browser.close();
	process.exitCode = good ? 0 : 1;
}
