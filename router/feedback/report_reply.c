/*
 * report_reply.c - automatic replies (RFC 3834), and what tells a machine's
 * mail from a person's.
 *
 * The sign of a reply is a field that only responders write, or a subject that
 * they begin with. A bounce may carry Auto-Submitted: auto-replied too, so a
 * daemon's mail is looked at as a bounce first (report.c).
 */
#include <string.h>
#include <strings.h>

#include "router/feedback/form.h"
#include "router/feedback/report_int.h"

/* How responders' subjects begin, in the languages of their systems. */
static const char *const reply_subjects[] = { "auto reply", "auto-reply",
	"autoreply", "auto:", "auto response", "auto-response", "autoresponse",
	"automatic reply", "automated reply", "automatic response",
	"[auto-reply", "[auto reply", "(auto-reply", "out of office",
	"out of the office", "out-of-office", "ooo:", "on vacation",
	"vacation reply", "vacation:", "away from my mail",
	"away from the office", "i am away", "automatische antwort",
	"abwesenheit", "automatisch antwoord", "afwezigheid",
	"réponse automatique", "reponse automatique", "absence du bureau",
	"respuesta automática", "respuesta automatica", "fuera de la oficina",
	"fuera de oficina", "risposta automatica", "fuori sede",
	"resposta automática", "automatiskt svar", "autosvar",
	"automatisk svar", "automaattinen vastaus", "odpowiedź automatyczna",
	"automatická odpověď", "automatikus válasz", "răspuns automat",
	"otomatik yanıt", "автоответ", "автоматический ответ", "自動応答",
	"自動返信", "[自動応答", "[自動返信", "【自動応答", "【自動返信",
	"(自動応答", "（自動応答", "(自動返信", "（自動返信", "不在通知",
	"不在応答", "【不在", "[不在", "自动回复", "自動回覆", "自動答覆",
	"자동 회신", "자동 응답", "부재중", "การตอบกลับอัตโนมัติ",
	"trả lời tự động" };

/* Only together with an empty return path or a reference to what it answers. */
static const char *const perhaps_subjects[] = { "不在", "休暇", "外出",
	"お休み", "休業", "vacation", "holiday", "absence", "urlaub", "congé",
	"vacaciones", "ferie", "отпуск", "휴가", "休假" };

static const char *const daemons[] = { "mailer-daemon", "mailer daemon",
	"postmaster", "mail delivery", "mail.delivery", "mail-daemon",
	"maildaemon", "mailerdaemon", "system administrator",
	"mail administrator", "mail system", "delivery subsystem",
	"delivery system", "returned mail", "bounce", "post_master", "mmdf",
	"mailmarshal", "microsoft exchange", "internet mail", "mail service",
	"majordomo", "-admin@", "root@", "mdaemon" };

static const char *const bounce_subjects[] = { "undeliver", "returned mail",
	"returned to sender", "delivery status", "delivery fail",
	"delivery report", "delivery notification", "delivery problem",
	"delivery error", "delivery delay", "delivery has", "failure notice",
	"failure not", "failed", "mail delivery", "non delivery",
	"non-delivery", "nondelivery", "not delivered",
	"could not be delivered", "mail error", "mail system error",
	"delayed mail", "still being retried", "unzustellbar",
	"warning: could not", "warning: message", "message delivery",
	"mail status report", "エラー", "配信", "配送", "届き", "届か",
	"送信でき", "戻り", "返送", "宛先不明", "не доставлено", "недостав",
	"退信", "系统退信", "non remis" };

static bool
begins_one_of(const char *text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strncasecmp(text, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

static bool
holds_one_of(const char *text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcasestr(text, words[i]) != NULL)
			return true;
	return false;
}

#define BEGINS(text, table)                                                    \
	begins_one_of(text, table, sizeof(table) / sizeof((table)[0]))
#define HOLDS(text, table)                                                     \
	holds_one_of(text, table, sizeof(table) / sizeof((table)[0]))

static bool
value_holds(struct span value, const char *word)
{
	return value.data != NULL &&
	       memmem(value.data, value.len, word, strlen(word)) != NULL;
}

/* <>: nobody wants an answer. */
static bool
is_null_path(struct span value)
{
	return value_holds(value, "<>");
}

bool
mail_is_of_list(const struct mail *m)
{
	struct span precedence = m->field[FIELD_PRECEDENCE];

	return m->field[FIELD_LIST].data != NULL ||
	       value_holds(precedence, "list");
}

bool
mail_is_of_daemon(const struct mail *m)
{
	return m->is_report || m->status.len > 0 ||
	       m->field[FIELD_FAILED].data != NULL ||
	       m->field[FIELD_SPASIGN].data != NULL ||
	       HOLDS(m->from.data, daemons) ||
	       HOLDS(m->subject.data, bounce_subjects);
}

bool
mail_is_of_machine(const struct mail *m)
{
	if (m->is_report || m->field[FIELD_FAILED].data != NULL ||
	    HOLDS(m->from.data, daemons))
		return true;
	return is_null_path(m->field[FIELD_RETURN_PATH]) && !mail_is_of_list(m);
}

bool
mail_is_reply(const struct mail *m, bool bounces)
{
	const char *subject = m->subject.data;

	if (HOLDS(m->from.data, daemons))
		return !bounces && BEGINS(subject, reply_subjects);
	if (bounces)
		return BEGINS(subject, reply_subjects);
	if (m->field[FIELD_REPLIED].data != NULL ||
	    value_holds(m->field[FIELD_AUTO_SUBMITTED], "auto-replied") ||
	    value_holds(m->field[FIELD_PRECEDENCE], "auto_reply") ||
	    BEGINS(subject, reply_subjects))
		return true;
	return (is_null_path(m->field[FIELD_RETURN_PATH]) ||
		   m->field[FIELD_IN_REPLY_TO].data != NULL) &&
	       (value_holds(m->field[FIELD_AUTO_SUBMITTED], "auto-") ||
		   is_null_path(m->field[FIELD_RETURN_PATH])) &&
	       HOLDS(subject, perhaps_subjects);
}

/* Who replied is the recipient whose address is good. */
bool
report_reply(struct report *r, struct mail *m)
{
	struct span from = m->field[FIELD_FROM],
		    path = m->field[FIELD_RETURN_PATH];
	struct str address = STR_INIT;
	struct report_part *part;

	if ((from.data == NULL || !address_next(&address, &from)) &&
	    path.data != NULL)
		address_next(&address, &path);
	part = report_add(r, REPORT_REPLY, address.data);
	if (part != NULL)
		words_keep(&part->outcome, m->text.data, m->text.len);
	r->form = "rfc3834";
	str_release(&address);
	return part != NULL;
}
