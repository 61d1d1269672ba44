/*
 * form_providers.c - the lines that mail providers and carriers write in their
 * bounces, each its own, in its country's language.
 */
#include "router/feedback/form_int.h"

#define MARK_LIST (LINE_MARK | LINE_LIST)
#define MARK_ONE  (LINE_MARK | LINE_ONE)

/* clang-format off */
const struct form_line form_provider_lines[] = {
	/* Gmail, then and now */
	{ "delivery to the following recipient failed permanently", "gmail", MARK_LIST },
	{ "delivery to the following recipients failed permanently", "gmail", MARK_LIST },
	{ "delivery to the following recipient has been delayed", "gmail", MARK_LIST | LINE_DELAY },
	{ "delivery to the following recipients has been delayed", "gmail", MARK_LIST | LINE_DELAY },
	{ "delivery to the following recipients failed", NULL, MARK_LIST },
	{ "delivery to the following", NULL, LINE_LIST },
	{ "technical details of permanent failure:", "gmail", LINE_MARK | LINE_WHY },
	{ "technical details of temporary failure:", "gmail", LINE_MARK | LINE_WHY },
	{ "message will be retried for", "gmail", LINE_SELF | LINE_DELAY },
	{ "there was a problem delivering your message to", "gmail", MARK_ONE | LINE_SELF },
	{ "there was a temporary problem delivering your message to", "gmail", MARK_ONE | LINE_SELF | LINE_DELAY },
	{ "the error that the other server returned was:", "gmail", LINE_WHY | LINE_SAID },
	{ "the response from the remote server was:", "gmail", LINE_WHY },
	{ "the response was:", "gmail", LINE_WHY },
	{ "learn more here:", NULL, LINE_SKIP },

	/* Yahoo, here and there */
	{ "sorry, we were unable to deliver your message to the following", "yahoo", MARK_LIST },
	{ "unable to deliver message to the following address(es)", "yahoo", MARK_LIST },

	/* GMX and 1&1 write as Exim does, and the host on its own line */
	{ "host: ", NULL, LINE_HOST },

	/* Zoho */
	{ "[status: error, address:", "zoho", MARK_ONE | LINE_SELF },

	/* Amazon */
	{ "an error occurred while trying to deliver the mail to the following", "amazon", MARK_LIST },
	{ "the following message to", "amazon", LINE_ONE },
	{ "the reason for the problem:", "amazon", LINE_WHY },
	{ "technical report:", "amazon", LINE_STOP },

	/* mail.ru, Yandex, Rambler */
	{ "К сожалению, Ваше письмо не может быть доставлено", "mail.ru", MARK_LIST },
	{ "Рекомендуем Вам проверить", NULL, LINE_STOP },
	{ "Это письмо создано автоматически", "mail.ru", LINE_MARK },
	{ "Сообщение не может быть доставлено", NULL, MARK_LIST },
	{ "Не удалось доставить", NULL, MARK_LIST },

	/* au: ezweb.ne.jp, au.com; au one net, DION */
	{ "each of the following recipients was rejected by a remote", "au", MARK_LIST | LINE_SELF },
	{ "the following recipients did not receive this message", "au", MARK_LIST },
	{ "your message was not delivered within", "au", LINE_MARK | LINE_SELF },
	{ "the user(s) account is disabled", "au", MARK_LIST | LINE_SELF },
	{ "the user(s) account is temporarily limited", "au", MARK_LIST | LINE_SELF },
	{ "次のあて先へのメッセージはエラーのため送信できませんでした", "au", LINE_MARK },
	{ "recipient: <", NULL, LINE_ONE },
	{ "your mail sent on:", "kddi", LINE_MARK },
	{ "your mail attempted to be delivered on:", "kddi", LINE_MARK },
	{ "could not be delivered to: <", NULL, LINE_ONE },
	{ "as their mailbox is full", "kddi", LINE_SELF },

	/* Other Japanese */
	{ "下記の宛先", NULL, LINE_LIST },
	{ "以下の宛先", NULL, LINE_LIST },
	{ "次の宛先", NULL, LINE_LIST },
	{ "下記のあて先", NULL, LINE_LIST },
	{ "以下のあて先", NULL, LINE_LIST },
	{ "次のあて先", NULL, LINE_LIST },
	{ "以下のアドレス", NULL, LINE_LIST },
	{ "下記のアドレス", NULL, LINE_LIST },
	{ "下記のメールアドレス", NULL, LINE_LIST },
	{ "以下のメールアドレス", NULL, LINE_LIST },
	{ "宛先メールアドレス", NULL, LINE_ONE },
	{ "送信先アドレス", NULL, LINE_ONE },
	{ "送信先メールアドレス：", NULL, LINE_ONE },
	{ "件名", NULL, LINE_STOP },
	{ "題名", NULL, LINE_STOP },
	{ "日時", NULL, LINE_STOP },
	{ "送信日時", NULL, LINE_STOP },
	{ "送信者", NULL, LINE_STOP },
	{ "差出人", NULL, LINE_STOP },
	{ "エラー内容", NULL, LINE_WHY },
	{ "エラーの内容", NULL, LINE_WHY },
	{ "エラーメッセージ", NULL, LINE_WHY },
	{ "エラー理由", NULL, LINE_WHY },

	/* Mailing-list managers */
	{ "duplicated message-id in", "fml", MARK_ONE | LINE_SELF },
	{ "mail loop in", "fml", MARK_ONE | LINE_SELF },

	/* Verizon's picture mail */
	{ "message could not be delivered to mobile", "verizon", LINE_MARK },
	{ "error: ", NULL, LINE_SAID },

	/* QQ, NetEase, Sina */
	{ "抱歉，您的邮件被退回来了", NULL, LINE_MARK },
	{ "很抱歉您的邮件", NULL, LINE_MARK },
	{ "收件人邮件地址", NULL, LINE_ONE },
	{ "收件人：", NULL, LINE_ONE },
	{ "退信原因", NULL, LINE_WHY },

	/* WEB.DE, T-Online; Free, Orange; Terra; o2.pl, tlen.pl */
	{ "die folgenden adressen", NULL, LINE_LIST },
	{ "die folgende adresse", NULL, LINE_LIST },
	{ "folgende empfänger", NULL, LINE_LIST },
	{ "an folgende empfänger", NULL, LINE_LIST },
	{ "les adresses suivantes", NULL, LINE_LIST },
	{ "l'adresse suivante", NULL, LINE_LIST },
	{ "las siguientes direcciones", NULL, LINE_LIST },
	{ "a los siguientes destinatarios", NULL, LINE_LIST },
	{ "os seguintes destinatários", NULL, LINE_LIST },
	{ "następujące adresy", NULL, LINE_LIST },
	{ "następujących adresatów", NULL, LINE_LIST },

	/* What arrived */
	{ "your message has been successfully", NULL, LINE_GOOD | LINE_LIST },
	{ "your message has been delivered to", NULL, LINE_GOOD | LINE_LIST },
	{ "your message was delivered to", NULL, LINE_GOOD | LINE_LIST },
	{ "delivery to these recipients or groups is complete", NULL, LINE_GOOD | LINE_LIST },

	/* In no one's name */
	{ "the following address", NULL, LINE_LIST },
	{ "the following recipient", NULL, LINE_LIST },
	{ "following recipient", NULL, LINE_LIST },
	{ "following address", NULL, LINE_LIST },
	{ "could not be delivered to the following", NULL, LINE_LIST },
	{ "could not be delivered to:", NULL, LINE_LIST | LINE_ONE },
	{ "be delivered to the following", NULL, LINE_LIST },
	{ "your message could not be delivered to the following", NULL, LINE_LIST },
	{ "your message could not be delivered to", NULL, LINE_ONE },
	{ "delivery failed to", NULL, LINE_ONE | LINE_LIST },
	{ "recipient: ", NULL, LINE_ONE },
	{ "undelivered recipient", NULL, LINE_ONE | LINE_LIST },
	{ "invalid recipient", NULL, LINE_ONE | LINE_LIST | LINE_SELF },
	{ NULL, NULL, 0 },
};
