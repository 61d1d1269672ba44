/*
 * sign_in.mjs - the door: a wrong password, a right one, the end of a session, and what each role is offered.
 */
import { check, equal, walk } from "./frame.mjs";

walk("sign-in refuses a wrong password and takes the right one", async (c) => {
	const page = await c.open({ language: "en" });

	await c.audit(page, "sign-in");
	await c.shot(page, "sign-in");
	await c.fillSignIn(page, "view", "not the password");
	await page.getByText("User name or password is wrong.").waitFor();
	equal(await page.locator("dialog [name=password]").inputValue(), "", "password after a mistake");
	check(await page.locator("dialog [name=password]").evaluate((e) => e === document.activeElement), "focus on the password");
	await page.keyboard.press("Escape");
	await page.keyboard.press("Escape");
	check(await page.locator("dialog[open]").count() === 1, "the sign-in cannot be closed");
	await c.fillSignIn(page, "view");
	await c.shown(page);
	await page.getByText(`${c.given.users.view} (view)`).waitFor();
});

walk("language is chosen at the sign-in and kept", async (c) => {
	const page = await c.open({ language: "en" });

	await page.locator("dialog select").selectOption("ja");
	await page.getByRole("heading", { name: "サインイン" }).waitFor();
	equal(await page.evaluate(() => document.documentElement.lang), "ja", "lang of the page");
	await c.fillSignIn(page, "view");
	await c.shown(page);
	await page.reload();
	await page.getByRole("heading", { name: "概況", level: 1 }).waitFor();
	await page.getByLabel("表示言語").selectOption("en");
	await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
	equal(await page.evaluate(() => document.documentElement.lang), "en", "lang after the switch");
});

walk("a session that ends lets one sign in over the page and go on there", async (c) => {
	const page = await c.signIn("operate", { path: "carriers?window=24h", language: "en" });

	await page.context().clearCookies();
	await page.getByText("7 days").click();
	await page.getByText("Your session has ended.").waitFor();
	await c.shot(page, "session-end");
	check(await page.locator("main .page-carriers").count() === 1, "the page stays below the sign-in");
	await c.fillSignIn(page, "operate");
	await page.locator("dialog").waitFor({ state: "detached" });
	await c.settled(page);
	check(page.url().endsWith("#/carriers?window=7d"), `it went on at ${page.url()}`);
	await page.getByText("docomo").first().waitFor();
	await page.locator(".live[data-state=on]").waitFor();
});

walk("signing out ends the session", async (c) => {
	const page = await c.signIn("view");

	await page.getByRole("button", { name: "Sign out" }).click();
	await page.getByRole("dialog").waitFor();
	const status = await page.evaluate(async () => (await fetch("/v1/stats")).status);
	equal(status, 401, "the API after signing out");
});

walk("another tab may have signed in anew", async (c) => {
	c.allow(/status of 403/);
	const page = await c.signIn("operate");
	const other = await page.context().newPage();

	await other.goto(page.url());
	await other.getByRole("button", { name: "Sign out" }).click();
	await c.fillSignIn(other, "operate");
	await c.shown(other);
	await page.getByRole("button", { name: "Pause…" }).click();
	await page.getByLabel("Name").fill("ses");
	await page.getByLabel("Why").fill("from the older tab");
	await page.locator("dialog button[type=submit]").click();
	await page.getByRole("row").filter({ hasText: "from the older tab" }).waitFor();
	await c.cli("resume", "path", "ses");
});

walk("who may only look is not offered to pause", async (c) => {
	const viewer = await c.signIn("view");
	equal(await viewer.getByRole("button", { name: "Pause" }).count(), 0, "pause buttons of a viewer");
	const operator = await c.signIn("operate");
	check(await operator.getByRole("button", { name: "Pause" }).count() > 0, "an operator can pause");
});
