/*
 * readiness.mjs - what the daemon's checks found, with the records to copy, and the button that checks now.
 */
import { walk } from "./frame.mjs";

const FOUND = { rows: [
	{ level: "good", check: "ptr", subject: "tokyo1 (203.0.113.5)", what: "has the name mx1.example.jp", why: "", mend: "",
		carriers: ["docomo", "au", "softbank"], closes: false, at: "2026-11-23T01:00:00.000Z" },
	{ level: "bad", check: "spf-header-from", subject: "news.example.jp", what: "SPF does not name 203.0.113.5",
		why: "docomo refuses mail for it", mend: 'news.example.jp. IN TXT "v=spf1 ip4:203.0.113.5 ~all"\n',
		carriers: ["docomo"], closes: true, at: "2026-11-23T01:00:00.000Z" },
] };

walk("what is wrong comes first, with the record that mends it", async (c) => {
	for (const [language, copied] of [["en", "Copied"], ["ja", "コピーしました"]]) {
		const page = await c.signIn("operate", { language });

		await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
		await page.route("**/v1/doctor", (route) => route.fulfill({ json: FOUND }));
		await c.go(page, "readiness");
		const first = page.locator("section.panel").first();
		await first.getByRole("heading", { name: "news.example.jp" }).waitFor();
		await first.locator("pre", { hasText: "v=spf1 ip4:203.0.113.5" }).waitFor();
		await first.getByRole("button", { name: /SPF/ }).click();
		await page.getByText(copied, { exact: true }).waitFor();
		await page.locator("[data-subject^=tokyo1] summary").click();
		await page.getByText("has the name mx1.example.jp").waitFor();
		await c.audit(page, `readiness ${language}`);
		await c.shot(page, `readiness-${language}`);
	}
});

walk("checks are asked for, by those who may", async (c) => {
	const page = await c.signIn("operate", { path: "readiness" });
	await page.getByRole("button", { name: "Check now" }).click();
	await page.getByText("Being checked").waitFor();
	const looking = await c.signIn("view", { path: "readiness", phone: true, language: "ja" });
	await c.shown(looking);
	if (await looking.getByRole("button", { name: "今すぐ確認" }).count() > 0)
		throw new Error("who only looks is offered a check");
	await c.audit(looking, "readiness on a phone");
});
