/*
 * guard.mjs - a sender with a bad list is stopped by the guard: seen as it happens, with its evidence, and resumed.
 */
import { check, walk } from "./frame.mjs";

const BAD = "bad@second.test";
const BATCH = 50;

/* One in five does not exist. */
function batch(n) {
	return Array.from({ length: BATCH }, (_, i) => `${i % 5 === 0 ? `unknown-${n}${i}` : `known${n}x${i}`}@ezweb.ne.jp`);
}

walk("a bad list is stopped, and an operator lets it go on", async (c) => {
	const page = await c.signIn("operate", { language: "ja" });

	await page.getByText("停止しているものはありません。").waitFor();
	for (let n = 0; n < 12; n++)
		await c.mail(BAD, batch(n));
	const line = page.locator(".guard li[data-level=pause]").filter({ hasText: "second.test" }).first();
	await line.waitFor();
	check(/宛先不明率/.test(await line.textContent()), "which rate it was");
	const row = page.getByRole("row").filter({ hasText: "sender=second.test" }).first();
	await row.waitFor();
	check((await row.textContent()).includes("guard"), "who stopped it");
	await c.audit(page, "guard");
	await c.shot(page, "guard-ja");
	check((await c.cli("pause")).includes("second.test"), "the command line says the same");
	await row.getByRole("button").click();
	await page.getByRole("dialog").getByRole("button", { name: "再開" }).click();
	await page.getByText("を再開しました").waitFor();
});
