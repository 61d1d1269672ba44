/*
 * rules.mjs - the rules: an edit with its preview, a mistake, two people at once, the way back, both languages.
 */
import fs from "node:fs/promises";

import { check, equal, walk } from "./frame.mjs";

const LINE = "route partner to domain example.com via mta\n";
const THEIRS = "route theirs to domain theirs.test hold\n";

const disk = (c) => fs.readFile(c.given.rules, "utf8");
const area = (page) => page.locator(".rules-editor textarea");

/* Types a line before the last route, as a person would. */
async function type(page, line) {
	const text = await area(page).inputValue();

	await area(page).fill(text.replace("route default", `${line}route default`));
}

async function version(c) {
	return JSON.parse((await c.cli("rules", "history", "--json", "--limit", "1")).split("\n")[0]);
}

async function openRules(c, role, options = {}) {
	return await c.signIn(role, { path: "rules", ...options });
}

/* The rules as they were, by whoever is first in the history. */
async function restore(c, number) {
	await c.cli("rules", "rollback", String(number));
}

walk("an edit is checked as it is typed, previewed, applied, and rolled back, in both languages", async (c) => {
	const first = await version(c);

	for (const [language, words] of [
		["en", { good: "No mistakes.", preview: "Preview…", effect: /12 from ses to mta/, why: "Why this change",
			apply: "Apply", compare: `Compare, roll back… set ${first.number}`, back: `Roll back to ${first.number}`,
			difference: "Difference of the files", edited: "changes not applied", same: "The text is what is in force." }],
		["ja", { good: "誤りはありません。", preview: "変更内容を確認…", effect: /ses から mta へ 12 宛先/, why: "変更の理由",
			apply: "適用する", compare: `比較・復元…（履歴 ${first.number}）`, back: `履歴 ${first.number} に戻す`,
			difference: "ルールの差分", edited: "未適用の変更あり", same: "適用中のルールと同じです。" }]]) {
		const before = await disk(c);
		const page = await openRules(c, "admin", { language });

		equal(await area(page).inputValue(), before, "the text");
		await page.getByText(words.same).waitFor();
		await c.audit(page, `rules ${language}`);
		await type(page, LINE);
		await page.getByText(words.good).waitFor();
		await page.getByText(words.edited, { exact: true }).waitFor();
		await page.getByRole("button", { name: words.preview }).click();
		await page.getByText(words.effect).waitFor();
		const diff = page.getByRole("region", { name: words.difference });
		check((await diff.textContent()).includes(`+${LINE}`), "the line is in the difference");
		equal(await disk(c), before, "the file after the preview");
		await c.audit(page, `rules preview ${language}`);
		await c.shot(page, `rules-preview-${language}`);

		await page.getByLabel(words.why).fill("example.com goes direct");
		await page.getByRole("button", { name: words.apply, exact: true }).click();
		await page.getByText(words.same).waitFor();
		equal(await disk(c), before.replace("route default", `${LINE}route default`), "the file");
		const row = await version(c);
		equal([row.running, row.who], [true, "chief by console: example.com goes direct"], "the history");
		await page.getByRole("cell", { name: row.who }).first().waitFor();

		await page.getByRole("button", { name: words.compare }).click();
		await page.getByRole("dialog").getByText(`-${LINE}`.trim()).waitFor();
		await c.audit(page, `rules rollback ${language}`);
		await page.getByRole("button", { name: words.back }).click();
		await page.getByRole("dialog").waitFor({ state: "detached" });
		await c.until(async () => await area(page).inputValue() === before, "the old text in the editor");
		equal(await disk(c), before, "the file after the rollback");
		check((await version(c)).who.startsWith(`chief by console: rollback to ${first.number}`), "the history");
	}
});

walk("a mistake is told beside its line, and one gets there by keyboard", async (c) => {
	const before = await disk(c);

	for (const [language, counts, place] of [["en", /^1 mistake$/, /oiwake\.rules, line \d+, column 25/],
		["ja", /誤り 1 件/, /oiwake\.rules \d+ 行 25 文字目/]]) {
		const page = await openRules(c, "operate", { language });
		const text = await area(page).inputValue();

		await area(page).fill(text.replace("route keitai to carrier *", "route keitai to carrier docmo"));
		await page.getByText(counts).waitFor();
		await page.locator(".numbers .error").waitFor();
		await page.locator(".notes .error").getByText("did you mean 'docomo'?").waitFor();
		await page.evaluate(() => document.activeElement.blur());
		const link = page.getByRole("button", { name: place });
		await link.focus();
		await page.keyboard.press("Enter");
		const [focused, at] = await area(page).evaluate((e) => [e === document.activeElement, e.value.slice(e.selectionStart)]);
		check(focused && at.startsWith("docmo"), `the cursor stands before ${at.slice(0, 20)}`);
		equal(await area(page).getAttribute("aria-invalid"), "true", "aria-invalid");
		await c.audit(page, `rules with a mistake ${language}`);
		await c.shot(page, `rules-mistake-${language}`);
		c.allow(/status of 422/);
		await page.locator(".rules-panel button.primary").click();
		await page.getByText(counts).waitFor();
		equal(await disk(c), before, "the file");
	}
});

walk("who may only operate previews and cannot apply; who may only look cannot type", async (c) => {
	const page = await openRules(c, "operate");
	await type(page, LINE);
	await page.getByText("No mistakes.").waitFor();
	await page.getByRole("button", { name: "Preview…" }).click();
	await page.getByText("Only the role “admin” may apply it.").waitFor();
	equal(await page.getByRole("button", { name: "Apply", exact: true }).count(), 0, "buttons");

	const looking = await openRules(c, "view", { phone: true });
	equal(await area(looking).getAttribute("readonly"), "", "readonly");
	equal(await looking.getByRole("button", { name: "Preview…" }).count(), 0, "buttons");
	await c.audit(looking, "rules on a phone");
	await c.shot(looking, "rules-phone");
});

walk("two people edit at once: the second is shown what the first did, and loses nothing", async (c) => {
	const before = await disk(c), first = await version(c);
	const a = await openRules(c, "admin"), b = await openRules(c, "admin", { language: "ja" });

	c.allow(/status of 409/);
	await type(b, LINE);
	await b.getByText("誤りはありません。").waitFor();
	await b.getByRole("button", { name: "変更内容を確認…" }).click();
	await b.getByLabel("変更の理由").fill("mine");

	await type(a, THEIRS);
	await a.getByText("No mistakes.").waitFor();
	await a.getByRole("button", { name: "Preview…" }).click();
	await a.getByLabel("Why this change").fill("theirs");
	await a.getByRole("button", { name: "Apply", exact: true }).click();
	await a.getByText("The text is what is in force.").waitFor();

	await b.getByRole("button", { name: "適用する", exact: true }).click();
	await b.getByRole("heading", { name: "編集中に、ほかの人がルールを変更しました" }).waitFor();
	const theirs = b.getByRole("region", { name: "ほかの人による変更" });
	check((await theirs.textContent()).includes(`+${THEIRS}`), "what the other did is shown");
	check((await area(b).inputValue()).includes(LINE), "one's own text is there");
	await c.audit(b, "rules conflict");
	await c.shot(b, "rules-conflict");

	/* Theirs is loaded, one's own is set aside, survives a reload of the page, and comes back. */
	await b.getByRole("button", { name: "最新のルールを読み込む" }).click();
	await c.until(async () => (await area(b).inputValue()).includes(THEIRS), "their text");
	await b.reload();
	await c.shown(b);
	await b.getByRole("button", { name: "退避した内容に戻す" }).click();
	await c.until(async () => (await area(b).inputValue()).includes(LINE), "one's own text");
	await b.reload();
	await c.shown(b);
	check((await area(b).inputValue()).includes(LINE), "the draft after a reload of the page");

	/* It is a text without theirs, and the difference says so before it is applied. */
	await b.getByRole("button", { name: "変更内容を確認…" }).click();
	const mine = b.getByRole("region", { name: "ルールの差分" });
	await mine.waitFor();
	check((await mine.textContent()).includes(`-${THEIRS}`), "that theirs would go is shown");
	await b.getByLabel("変更の理由").fill("mine after all");
	await b.getByRole("button", { name: "適用する", exact: true }).click();
	await b.getByText("適用中のルールと同じです。").waitFor();
	equal(await disk(c), before.replace("route default", `${LINE}route default`), "the file");
	await c.until(async () => (await area(a).inputValue()).includes(LINE), "the other's page follows");
	await restore(c, first.number);
});

walk("a file that was edited by hand is not overwritten, and can be put in force", async (c) => {
	const before = await disk(c), first = await version(c);
	const page = await openRules(c, "admin");

	c.allow(/status of 409/);
	await type(page, LINE);
	await page.getByText("No mistakes.").waitFor();
	await page.getByRole("button", { name: "Preview…" }).click();
	await page.getByLabel("Why this change").fill("mine");
	await fs.writeFile(c.given.rules, before.replace("route default", `${THEIRS}route default`));
	await page.getByRole("button", { name: "Apply", exact: true }).click();
	await page.getByRole("heading", { name: "The files have been edited by hand" }).waitFor();
	await c.audit(page, "rules edited by hand");
	await page.getByRole("button", { name: "Put the files on disk in force" }).click();
	await page.getByRole("dialog").getByLabel("Why this change").fill("by hand");
	await page.getByRole("dialog").getByRole("button", { name: "Put the files on disk in force" }).click();
	await page.getByText("The rules have been changed since your edit began").waitFor();
	check((await version(c)).who.includes("by hand"), "the history");
	check((await area(page).inputValue()).includes(LINE), "one's own text is there");
	await page.getByRole("button", { name: "Discard changes" }).click();
	await page.getByRole("dialog").getByRole("button", { name: "Discard changes" }).click();
	await c.until(async () => (await area(page).inputValue()).includes(THEIRS), "the text by hand");
	await restore(c, first.number);
});
