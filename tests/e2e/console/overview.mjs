/*
 * overview.mjs - both paths side by side, live, in both languages, dark, on a phone, by the keyboard alone.
 */
import { check, equal, note, walk } from "./frame.mjs";

const MOST_BYTES = 200 * 1024;

async function tile(page, name) {
	const text = await page.locator(`[data-tile=${name}]`).textContent();
	return Number(text.replace(/\D/g, "") || NaN);
}

/* A main figure of a path's card by its label. */
async function figure(page, path, label) {
	const text = await page.locator(`[data-path="${path}"] .figures > div`).filter({ hasText: label }).first()
		.locator("dd").textContent();
	return Number(text.replace(/\D/g, ""));
}

/* What the command line says of the path. */
async function accepted(c, path) {
	const rows = (await c.cli("stats", "--json", "--by", "path")).trim().split("\n").map((line) => JSON.parse(line));
	return rows.find((row) => row.path === path).accepted;
}

walk("overview shows both paths with what went by them", async (c) => {
	for (const [language, label] of [["en", "Accepted"], ["ja", "受付"]]) {
		const page = await c.signIn("operate", { language });
		equal(await figure(page, "mta", label), await accepted(c, "mta"), `accepted by mta (${language})`);
		equal(await figure(page, "ses", label), await accepted(c, "ses"), `accepted by ses (${language})`);
		await page.locator("[data-path=mta] .plot canvas").waitFor();
		await page.locator(".live[data-state=on]").waitFor();
		await c.shot(page, `overview-${language}`);
		check(!/\b[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*\b/.test(await page.locator("main h2, main h3, main dt, main th")
			.allTextContents().then((all) => all.filter((x) => !/\.(test|com|jp|ne)/.test(x)).join(" "))), "a text is missing");
	}
});

walk("overview in dark and on a phone", async (c) => {
	const dark = await c.signIn("view", { dark: true });
	const ground = await dark.evaluate(() => getComputedStyle(document.body).backgroundColor);
	await c.shot(dark, "overview-dark");
	await dark.getByLabel("Colours").selectOption("light");
	check(await dark.evaluate(() => getComputedStyle(document.body).backgroundColor) !== ground, "the switch makes it light");
	await dark.reload();
	await c.shown(dark);
	check(await dark.evaluate(() => getComputedStyle(document.body).backgroundColor) !== ground, "the choice is kept");

	const phone = await c.signIn("view", { phone: true, language: "ja" });
	await c.audit(phone, "overview on a phone");
	await c.shot(phone, "overview-phone");
	await phone.getByRole("button", { name: "メニュー" }).click();
	await phone.getByRole("link", { name: "キャリア別" }).click();
	await phone.getByRole("heading", { name: "キャリア別", level: 1 }).waitFor();
	check(!await phone.locator("nav#nav").isVisible(), "the menu closes when a page is chosen");
});

walk("overview is live: mail that is sent shows without a reload", async (c) => {
	const page = await c.signIn("view");
	const before = await figure(page, "mta", "Accepted");

	await c.mail("info@news.test", ["live1@docomo.ne.jp", "live2@docomo.ne.jp", "live3@ezweb.ne.jp"]);
	await c.until(async () => await figure(page, "mta", "Accepted") === before + 3, "three more by mta");
	check(!Number.isNaN(await tile(page, "queued")), "the queue is told");
});

walk("a chart has its figures as a table, and a summary", async (c) => {
	const page = await c.signIn("view");
	const card = page.locator("[data-path=mta]");

	check((await card.getByRole("img").getAttribute("aria-label")).includes("Sent:"), "summary of the chart");
	await card.getByText("Show as a table").click();
	await card.getByRole("columnheader", { name: "Delivered" }).first().waitFor();
	equal(await card.locator(".chart-table tbody tr").count(), await card.locator(".chart-table time").count(), "rows");
});

walk("pause and resume ask why and for how long", async (c) => {
	const page = await c.signIn("operate");

	await page.getByRole("button", { name: "Pause…" }).click();
	await page.getByLabel("Kind").selectOption("path");
	await page.getByLabel("Name").fill("ses");
	await page.locator("dialog button[type=submit]").click();
	check(await page.locator("dialog[open]").count() === 1, "a reason is required");
	await page.getByLabel("Why").fill("宛先リストの確認中");
	await page.getByLabel("For").selectOption({ label: "4 hours" });
	await c.shot(page, "pause");
	await c.audit(page, "the pause dialog");
	await page.locator("dialog button[type=submit]").click();
	await page.getByRole("row", { name: /ses/ }).filter({ hasText: "宛先リストの確認中" }).waitFor();
	check((await c.cli("pause")).includes("宛先リストの確認中"), "the command line knows of it");
	await page.getByRole("button", { name: "Resume Path ses" }).click();
	await page.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
	await page.getByText("Nothing is paused.").waitFor();
	check(!(await c.cli("pause")).includes("宛先リストの確認中"), "it is over");
});

walk("a pause that cannot be is refused with the daemon's words, and nothing typed is lost", async (c) => {
	c.allow(/status of 400/);
	const page = await c.signIn("operate");

	await page.getByRole("button", { name: "Pause…" }).click();
	await page.getByLabel("Name").fill("nowhere");
	await page.getByLabel("Why").fill("test");
	await page.locator("dialog button[type=submit]").click();
	await page.locator("dialog .problem").getByText("nowhere").waitFor();
	equal(await page.getByLabel("Name").inputValue(), "nowhere", "name after the refusal");
});

walk("everything can be reached by the keyboard", async (c) => {
	const page = await c.signIn("operate");
	const focused = () => page.evaluate(() => {
		const e = document.activeElement;
		return e.getAttribute("aria-label") || e.textContent.trim() || e.value;
	});

	await page.evaluate(() => { document.activeElement.blur(); });
	await page.keyboard.press("Tab");
	equal(await focused(), "Skip to the content", "first stop");
	await page.keyboard.press("Enter");
	equal(await focused(), "Overview", "the skip link leads to the title");
	const seen = new Set();
	for (let i = 0; i < 200; i++) {
		await page.keyboard.press("Tab");
		const outline = await page.evaluate(() => {
			const e = document.activeElement;
			/* A radio button is drawn by its label. */
			const shown = e.type === "radio" ? e.nextElementSibling : e;
			return e === document.body || getComputedStyle(shown).outlineStyle !== "none";
		});
		const name = await focused();
		check(outline, `no focus can be seen on '${name}'`);
		if (await page.evaluate(() => document.activeElement === document.body))
			break;
		seen.add(name);
	}
	for (const want of ["Pause…", "See readiness"])
		check(seen.has(want), `'${want}' was not reached among ${[...seen].join(", ")}`);
	await page.getByRole("link", { name: "Carriers" }).focus();
	await page.keyboard.press("Enter");
	await page.getByRole("heading", { name: "Carriers", level: 1 }).waitFor();
	await c.until(async () => await focused() === "Carriers", "the focus is on the new page's title");
	equal(await page.locator("nav [aria-current=page]").textContent(), "Carriers", "current page");
	await page.goBack();
	await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
});

walk("the first paint is small", async (c) => {
	const page = await c.signIn("view"); /* a browser that has seen nothing yet */

	await page.locator("[data-path=mta] .plot canvas").waitFor();
	const { bytes, first, n } = await page.evaluate(() => {
		const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
		return { bytes: all.reduce((sum, e) => sum + e.transferSize, 0), n: all.length,
			first: performance.getEntriesByName("first-contentful-paint")[0]?.startTime };
	});
	note(`console: ${Math.round(bytes / 1024)} KB in ${n} requests, charts included; first paint after ${Math.round(first)} ms`);
	check(bytes > 0 && bytes < MOST_BYTES, `${bytes} bytes for the first page, want less than ${MOST_BYTES}`);
});
