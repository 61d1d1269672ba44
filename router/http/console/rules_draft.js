/*
 * rules_draft.js - an edit that is not applied yet: which texts differ from those in force, and what is kept of
 * them in this tab, so that a reload of the page, a lost session or somebody else's change loses nothing.
 */
const DRAFT = "oiwake-rules-draft", ASIDE = "oiwake-rules-aside";

function read(key, user) {
	try {
		const kept = JSON.parse(sessionStorage.getItem(key));
		return kept !== null && kept.user === user && typeof kept.texts === "object" ? kept : null;
	} catch {
		return null;
	}
}

function write(key, value) {
	try {
		if (value === null)
			sessionStorage.removeItem(key);
		else
			sessionStorage.setItem(key, JSON.stringify(value));
	} catch {
		/* it holds as long as the page */
	}
}

/*
 * draft(user) has
 *	base           version that the edit began from
 *	files          [{name, text}] in force, the main one first
 *	running        their version
 */
export function draft(user) {
	const kept = read(DRAFT, user);
	let texts = new Map(Object.entries(kept?.texts ?? {}));
	let aside = read(ASIDE, user)?.texts ?? null;

	const d = { base: kept?.base ?? null, files: [], running: "", why: kept?.why ?? "", resumed: texts.size > 0 };

	/* A textarea knows line feeds alone. */
	const ends = (name) => (d.files.find((f) => f.name === name)?.text.includes("\r\n") ? "\r\n" : "\n");
	const plain = (text) => text.replaceAll("\r\n", "\n");
	const fileText = (name) => d.files.find((f) => f.name === name)?.text ?? "";

	function keep() {
		write(DRAFT, texts.size === 0 ? null : { user, base: d.base, texts: Object.fromEntries(texts), why: d.why });
	}

	function setAside(more) {
		aside = { ...aside, ...more };
		write(ASIDE, { user, texts: aside });
	}

	/* What somebody else has made the same, or has left out, is no edit any more. */
	function settle() {
		for (const [name, text] of [...texts])
			if (!d.files.some((f) => f.name === name)) {
				setAside({ [name]: text });
				texts.delete(name);
			} else if (text === plain(fileText(name))) {
				texts.delete(name);
			}
	}

	d.setRunning = ({ set, files }) => {
		d.files = files;
		d.running = set.version;
		if (texts.size === 0)
			d.base = d.running;
	};
	d.text = (name) => texts.get(name) ?? plain(fileText(name));
	d.setText = (name, text) => {
		if (text === plain(fileText(name)))
			texts.delete(name);
		else
			texts.set(name, text);
		if (texts.size === 0)
			d.base = d.running;
		keep();
	};
	d.setWhy = (why) => {
		d.why = why;
		keep();
	};
	d.isEdited = (name) => (name === undefined ? texts.size > 0 : texts.has(name));
	d.isStale = () => texts.size > 0 && d.base !== d.running;
	d.changed = () => [...texts].map(([name, text]) => ({ name, text: text.replaceAll("\n", ends(name)) }));
	/* The edit goes on from what is in force now. */
	d.rebase = () => {
		settle();
		d.base = d.running;
		keep();
	};
	d.drop = () => {
		texts = new Map();
		d.base = d.running;
		d.why = "";
		keep();
	};
	d.putAside = () => {
		setAside(Object.fromEntries(texts));
		d.drop();
	};
	d.hasAside = () => aside !== null;
	/* What is there now is not lost either: it takes the other's place. */
	d.takeBack = () => {
		const back = aside ?? {}, present = Object.fromEntries(texts);

		texts = new Map(Object.entries(back));
		aside = Object.keys(present).length > 0 ? present : null;
		write(ASIDE, aside && { user, texts: aside });
		settle();
		d.base = d.running;
		keep();
	};
	d.dropAside = () => {
		aside = null;
		write(ASIDE, null);
	};
	return d;
}
