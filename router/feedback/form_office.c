/*
 * form_office.c - the lines that groupware and Windows mail servers write in
 * their bounces: Exchange of all ages in several languages, Domino, Notes,
 * GroupWise, MailEnable, SmarterMail, hMailServer, IMail and filters for them.
 */
#include "router/feedback/form_int.h"

#define MARK_LIST (LINE_MARK | LINE_LIST)

/* clang-format off */
const struct form_line form_office_lines[] = {
	/* Exchange 5.5, 2000, 2003 and Outlook's own rendering */
	{ "did not reach the following recipient(s):", "exchange2003", MARK_LIST },
	{ "did not reach the following recipients:", "exchange2003", MARK_LIST },
	{ "did not reach the following recipient:", "exchange2003", LINE_MARK | LINE_ONE },
	{ "your message did not reach some or all of the intended", "exchange2003", LINE_MARK },
	{ "the following recipient(s) could not be reached:", "exchange2003", MARK_LIST },
	{ "the following recipient(s) cannot be reached:", "exchange2003", MARK_LIST },
	{ "the following recipient could not be reached:", "exchange2003", MARK_LIST },
	{ "the mts-id of the original message is", NULL, LINE_SKIP },
	{ ";l=exchange", NULL, LINE_SKIP },

	/* Exchange 2007 and later, Office 365. What is for administrators says
	 * most, in every language. */
	{ "delivery has failed to these recipients", "exchange", MARK_LIST },
	{ "your message couldn't be delivered to", "exchange", LINE_ONE },
	{ "your message wasn't delivered to", "exchange", LINE_ONE },
	{ "your message to", NULL, LINE_ONE },
	{ "diagnostic information for administrators:", "exchange", MARK_LIST },
	{ "informations de diagnostic pour les administrateurs", "exchange", MARK_LIST },
	{ "diagnoseinformationen für administratoren", "exchange", MARK_LIST },
	{ "información de diagnóstico para", "exchange", MARK_LIST },
	{ "informazioni di diagnostica per", "exchange", MARK_LIST },
	{ "informações de diagnóstico para", "exchange", MARK_LIST },
	{ "diagnostische gegevens voor beheerders", "exchange", MARK_LIST },
	{ "diagnostisk information för", "exchange", MARK_LIST },
	{ "diagnosticeringsoplysninger til", "exchange", MARK_LIST },
	{ "informacje diagnostyczne dla administratorów", "exchange", MARK_LIST },
	{ "Диагностические сведения для администраторов", "exchange", MARK_LIST },
	{ "管理者向けの診断情報", "exchange", MARK_LIST },
	{ "管理员的诊断信息", "exchange", MARK_LIST },
	{ "生成诊断信息", "exchange", MARK_LIST },
	{ "Échec de la remise", "exchange", MARK_LIST },
	{ "fehler bei der nachrichtenzustellung an folgende", "exchange", MARK_LIST },
	{ "error de entrega a estos destinatarios", "exchange", MARK_LIST },
	{ "次の受信者またはグループへの配信に失敗しました", "exchange", MARK_LIST },
	{ "次の受信者または配布リストへの配信に失敗しました", "exchange", MARK_LIST },
	{ "generating server:", "exchange", LINE_SKIP },
	{ "receiving server:", "exchange", LINE_SKIP },
	{ "serveur de génération", NULL, LINE_SKIP },
	{ "generierender server:", NULL, LINE_SKIP },
	{ "servidor de generación:", NULL, LINE_SKIP },
	{ "生成サーバー:", NULL, LINE_SKIP },
	{ "original message headers", NULL, LINE_END },
	{ "en-têtes de message d'origine", NULL, LINE_END },
	{ "ursprüngliche nachrichtenkopfzeilen", NULL, LINE_END },
	{ "encabezados de mensajes originales", NULL, LINE_END },
	{ "encabezados de mensaje originales", NULL, LINE_END },
	{ "元のメッセージ ヘッダー", NULL, LINE_END },
	{ "元のメール", NULL, LINE_END },
	{ "以下は元の", NULL, LINE_END },
	{ "以下は送信された", NULL, LINE_END },
	{ "送信されたメールの内容", NULL, LINE_END },
	{ "オリジナルメール", NULL, LINE_END },
	{ "オリジナルメッセージ", NULL, LINE_END },
	{ "原始邮件标题", NULL, LINE_END },
	{ "sent by microsoft exchange server", NULL, LINE_STOP },
	{ "the following organization rejected your message:", "exchange", LINE_MARK | LINE_HOST },
	{ "original message details", "exchange", LINE_STOP },
	{ "reported error:", "exchange", LINE_SAID },

	/* Domino, Notes, GroupWise */
	{ "was not delivered to:", "domino", MARK_LIST },
	{ "has not been delivered to:", "domino", LINE_MARK | LINE_LIST | LINE_DELAY },
	{ "because:", "domino", LINE_WHY },
	{ "because of:", NULL, LINE_WHY },
	{ "failure reasons", "notes", LINE_MARK | LINE_WHY },
	{ "the message that you sent was undeliverable to the", "groupwise", MARK_LIST },
	{ "the attached file had the following undeliverable recipient", "groupwise", MARK_LIST },

	/* IMail */
	{ "unknown user:", "imail", LINE_MARK | LINE_ONE | LINE_SELF },
	{ "user mailbox exceeds allowed size:", "imail", LINE_MARK | LINE_ONE | LINE_SELF },
	{ "invalid final delivery userid:", "imail", LINE_MARK | LINE_ONE | LINE_SELF },
	{ "unknown host:", "imail", LINE_MARK | LINE_ONE | LINE_SELF },
	{ "undeliverable to", "imail", LINE_MARK | LINE_ONE },
	{ "body of message generated response:", "imail", LINE_WHY },
	{ "delivery userid:", "imail", LINE_ONE | LINE_SELF },

	/* hMailServer, MailEnable, SmarterMail, Kerio and others */
	{ "remote server replied:", NULL, LINE_SAID },
	{ "hmailserver sent:", "hmailserver", LINE_COMMAND | LINE_MARK },
	{ "error type:", NULL, LINE_SKIP },
	{ "message could not be delivered to some recipients", "mailenable", LINE_MARK },
	{ "recipient: [smtp:", "mailenable", LINE_MARK | LINE_ONE },
	{ "could not deliver message to the following recipient(s):", "smartermail", MARK_LIST },
	{ "failed recipient:", "smartermail", LINE_MARK | LINE_ONE },
	{ "the header and top", NULL, LINE_END },
	{ "the message could not be delivered to the following", NULL, MARK_LIST },
	{ "your email message was not delivered to following", NULL, MARK_LIST },

	/* Sun and Oracle Messaging Server, PMDF */
	{ "this report relates to a message you sent with", "messagingserver", LINE_MARK },
	{ "your message cannot be delivered to the following", "messagingserver", MARK_LIST },
	{ "your message has been enqueued and undeliverable", "messagingserver", LINE_MARK | LINE_LIST | LINE_DELAY },
	{ "recipient address:", NULL, LINE_ONE },
	{ "reason: ", NULL, LINE_SAID },
	{ "diagnostic code:", NULL, LINE_SAID },
	{ "remote system:", NULL, LINE_HOST },
	{ "delivery attempt history for your mail", NULL, LINE_STOP },

	/* Mimecast, SurfControl, m-FILTER */
	{ "an email you addressed to email address", "mimecast", MARK_LIST },
	{ "could not be delivered. the problem appears to be", "mimecast", LINE_WHY },
	{ "additional information follows", "mimecast", LINE_WHY },
	{ "this condition occurred after", NULL, LINE_STOP },
	{ "your message could not be sent", NULL, LINE_MARK },
	{ "このメールは「m-filter」が自動的に生成", "m-filter", LINE_MARK },
	{ "以下のメールアドレスへの送信に失敗しました", "m-filter", MARK_LIST },
	{ "server message", "m-filter", LINE_WHY },
	{ "smtp command", "m-filter", LINE_COMMAND },
	{ NULL, NULL, 0 },
};
