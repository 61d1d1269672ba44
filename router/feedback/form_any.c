/*
 * form_any.c - bounces that nobody has seen before, and the words for failure
 * that mail systems put in a subject.
 *
 * A machine's letter (form.c has made sure of that) whose text has a sentence
 * of failure with an address in it or near it: that address is the recipient,
 * that sentence the diagnosis. Where it gives help ("contact postmaster@...")
 * or speaks of the sender, no address is taken.
 */
#include "router/feedback/form_int.h"

#include <string.h>

#define LINES_MAX 200  /* that are looked at */
#define NEAR	  12   /* lines between the sentence and its address */
#define BEGINNING 2000 /* bytes of a text that tell what it is about */
#define SENTENCE  500  /* bytes of a line that are looked at */

/* clang-format off */
static const char *const subjects[] = {
	"undeliver", "returned mail", "returned message", "delivery status",
	"delivery failure", "delivery fail", "failure notice",
	"mail delivery failed", "failed delivery", "delivery error",
	"delivery notification", "failure delivery", "message delivery",
	"delivery problem", "non-delivery", "nondelivery", "not delivered",
	"mail system error", "mail error", "could not be delivered",
	"couldn't be delivered", "couldnt be delivered", "returning to sender",
	"returning message to sender", "returned to sender", "delayed mail",
	"delayed 2", "message delayed", "delivery delayed", "warning: message",
	"error sending your mail", "mail failure", "failed mail",
	"mail failed", "bounce", "loop alert", "delivery report",
	"mail delivery", "unknown user", "user unknown",
	"配信不能", "配信エラー", "配信できません", "配送エラー", "送信エラー",
	"送信できません", "メールエラー", "エラー通知", "エラーメール",
	"宛先不明", "配達不能", "配送不能", "届きません", "未配信",
	"unzustellbar", "nicht zugestellt", "zustellung", "zurückgesandt",
	"non remis", "non distribuable", "échec de", "Échec de", "echec de",
	"non délivré", "non distribu",
	"no entregado", "no se puede entregar", "no se pudo entregar",
	"devuelto", "não entregue", "não é possível entregar", "devolvida",
	"mancato recapito", "non recapitabile", "mancata consegna",
	"niedostarcz", "nie dostarczono", "zwrot", "onbestelbaar",
	"недоставлен", "Недоставлен", "не доставлено", "Не доставлено",
	"невозможно доставить", "Невозможно доставить",
	"退信", "无法送达", "無法傳遞", "未送达", "投递失败", "系统退信",
	"반송", "전송 실패",
	NULL,
};

static const char *const failures[] = {
	"undeliver", "not be delivered", "not delivered", "n't be delivered",
	"cannot be delivered", "unable to deliver", "not able to deliver",
	"failed to deliver", "delivery failed", "delivery has failed",
	"could not deliver", "couldn't deliver", "wasn't able to deliver",
	"user unknown", "unknown user", "no such user", "user not found",
	"no such address", "address not found", "no such mailbox",
	"does not exist", "doesn't exist", "doesn't have a",
	"mailbox is full", "mailbox full", "over quota", "quota exceeded",
	"is full", "mailbox unavailable", "recipient rejected",
	"address rejected", "invalid recipient", "unknown recipient",
	"recipient unknown", "not a valid", "unknown host", "host unknown",
	"account is disabled", "account has been disabled", "is not known",
	"was rejected", "has been rejected", "permanent error",
	"permanent failure", "returned to you", "did not reach",
	"配信できません", "配信不能", "送信できません", "届きません",
	"お届けできません", "配送できません", "配達できません",
	"見つかりません", "存在しません", "失敗しました", "一杯です",
	"受信できません", "エラーが発生", "拒否されました",
	"nicht zugestellt", "unzustellbar", "unbekannt", "nicht erreichbar",
	"n'a pas pu être", "n'a pu être", "impossible de remettre",
	"utilisateur inconnu", "boîte pleine", "no se pudo entregar",
	"no ha podido", "no existe", "não foi possível", "não pôde ser",
	"non è stato possibile", "nie mógł", "nie można", "nie istnieje",
	"не может быть доставлено", "не удалось доставить",
	"Не удалось доставить", "не существует",
	"无法送达", "无法投递", "不存在", "被退回", "无法发送",
	NULL,
};

/* A line that gives help, speaks of the one who wrote, or is of a header. */
static const char *const asides[] = {
	"contact", "postmaster", "mailto:", "sender:", "from:", "reply to",
	"your address", "help", "support", "http:", "https:", "admin",
	"お問い合わせ", "差出人", "送信者", "発信者",
	"message-id", "in-reply-to", "references:", "received:", "return-path",
	"list-id", "list-unsubscribe", NULL,
};
/* A line that gives the reason in its own words. */
static const char *const labels[] = { "reason:", "理由", "原因", "grund:",
	"motivo:", "raison", "причина", NULL };

static const char *const delays[] = {
	"delay", "still being retried", "could not send message for past",
	"warning: message", "遅延", "verzögert", "retardé", "retraso",
	"ritardo", "atraso", "задерж", "延迟", NULL,
};

/* Said of mail that arrived. */
static const char *const successes[] = {
	"successfully delivered", "successfully relayed", "has been delivered",
	"was delivered", "was read", "正常に配信", "erfolgreich zugestellt",
	NULL,
};
/* clang-format on */

bool
form_subject_fails(const char *subject)
{
	struct piece s = { subject, strlen(subject) };

	if (s.len > 300)
		s.len = 300;
	return form_has_any(s, subjects);
}

bool
form_subject_delays(const char *subject)
{
	struct piece s = { subject, strlen(subject) };

	return form_has_any(s, delays);
}

bool
form_text_fails(const char *text)
{
	struct piece s = { text, strlen(text) };

	if (s.len > BEGINNING)
		s.len = BEGINNING;
	return form_has_any(s, failures) && !form_has_any(s, successes);
}

static bool
takes(struct form_walk *w, const struct form_input *in, struct piece line)
{
	struct piece a = form_address(line);
	struct piece to = form_address(form_field(in->header, "To"));

	if (a.len == 0 || form_has_any(line, asides) || form_same(a, to))
		return false;
	return form_walk_add(w, a) != NULL;
}

struct near {
	struct piece failed;  /* the sentence, len 0 before there is one */
	int since;	      /* lines ago */
	struct piece address; /* a line of an address before the sentence */
	bool taken;
};

/* A line near the sentence that says more than it: the diagnosis reaches there.
 */
static bool
gives_reason(const struct form_walk *w, const struct near *n, struct piece line,
    bool fails)
{
	return n->since > 0 && n->since <= NEAR &&
	       w->self.len == n->failed.len &&
	       (fails || form_has_any(line, labels)) &&
	       !form_has_any(line, asides);
}

static void
any_line(struct form_walk *w, const struct form_input *in, struct near *n,
    struct piece line)
{
	bool fails = form_has_any(line, failures);

	n->since++;
	if (fails && n->failed.len == 0) {
		n->failed = line;
		n->since = 0;
		w->self = line;
		if (n->address.len > 0)
			n->taken = takes(w, in, n->address);
	}
	if (n->failed.len > 0 && n->since <= NEAR && takes(w, in, line)) {
		n->taken = true;
		if (fails)
			w->found[w->n - 1].own = line;
	} else if (n->failed.len > 0 && gives_reason(w, n, line, fails)) {
		w->self.len = (size_t)(line.at + line.len - w->self.at);
	} else if (n->failed.len == 0 && form_address(line).len > 0)
		n->address = line;
}

bool
form_any(struct form_walk *w, const struct form_input *in)
{
	struct near n = { .since = NEAR };
	const char *p = in->text;

	if (!form_text_fails(in->text))
		return false;
	w->open = NULL;
	for (int i = 0; i < LINES_MAX && *p != '\0'; i++) {
		const char *end = strchrnul(p, '\n'), *rest;
		size_t len = (size_t)(end - p);
		struct piece line;
		const struct form_line *row;

		line = form_without_ornament(
		    (struct piece){ p, len < SENTENCE ? len : SENTENCE });
		p = *end == '\0' ? end : end + 1;
		if (line.len == 0 || *line.at == '>')
			continue;
		row = form_line_find(line.at, line.len, &rest);
		if (row != NULL && row->is & LINE_END)
			break;
		any_line(w, in, &n, line);
	}
	return w->n > 0;
}
