/*
 * sns_act.c - what a genuine message of SNS asks for: feedback is handed on,
 * subscriptions are confirmed, their ends told.
 */
#include "router/ses/sns_web_int.h"

#include <string.h>

#include "mta/base/https.h"
#include "mta/base/log.h"
#include "router/config.h"
#include "router/ses/amazon_int.h"
#include "router/ses/feedback.h"

#define TIMEOUT	    10000 /* ms, to confirm, and so is the next one */
#define CONNECTING  5000
#define CONFIRM_MAX 65536

static void
on_settled(void *arg, enum feedback_end end)
{
	static const enum sns_ending of[] = {
		[FEEDBACK_SETTLED] = SNS_TAKEN,
		[FEEDBACK_LETTERED] = SNS_TAKEN,
		[FEEDBACK_EARLY] = SNS_EARLY,
		[FEEDBACK_TROUBLE] = SNS_TROUBLE,
	};
	struct sns_request *r = arg;

	if (r->sns == NULL)
		sns_request_free(r);
	else
		sns_finish(r, of[end], NULL);
}

static void
take_notification(struct sns_request *r)
{
	const struct feedback_source source = {
		.name = "sns",
		.id = r->m.message_id,
	};

	r->stage = SNS_FEEDBACK;
	feedback_take(r->sns->amazon->feedback, &source, r->m.message,
	    strlen(r->m.message), r->letter.data, r->letter.len, on_settled, r);
}

static void
log_subscription(const struct sns_request *r, enum log_level level,
    const char *event, const char *text)
{
	struct logline l;

	if (!log_start(&l, level, event))
		return;
	log_str(&l, "text", text);
	log_str(&l, "topic", r->m.topic_arn);
	log_str(&l, "id", r->m.message_id);
	log_str(&l, "peer", sns_peer(r));
	log_end(&l);
}

static void
on_confirmed(void *arg, const struct https_answer *answer)
{
	struct err why = ERR_INIT;
	struct sns_request *r = arg;

	r->confirm = NULL;
	if (answer->status == 200) {
		log_subscription(r, LOG_INFO, "sns-subscribed",
		    "confirmed: feedback comes from this topic");
		sns_finish(r, SNS_TAKEN, &why);
		return;
	}
	if (answer->status == 0)
		err_set(&why, "%s", answer->why.text);
	else
		err_set(&why, "status %d", answer->status);
	sns_finish(r, SNS_UNCONFIRMED, &why);
}

static void
confirm(struct sns_request *r)
{
	const struct config_sns *config = &r->sns->amazon->config->sns;
	struct err why = ERR_INIT;
	struct str url = STR_INIT;

	if (sns_confirm_url(&r->m, &url, &why) != 0) {
		str_release(&url);
		sns_finish(r, SNS_WRONG_SUBSCRIBE_URL, &why);
		return;
	}
	r->stage = SNS_CONFIRMATION;
	r->confirm = https_call_new(r->sns->amazon->https,
	    &(const struct https_request){
		.method = "GET",
		.url = url.data,
		.ca_file = config->ca_file,
		.connect = config->connect,
		.connect_timeout = CONNECTING,
		.timeout = TIMEOUT,
		.max_answer = CONFIRM_MAX,
	    },
	    on_confirmed, r);
	str_release(&url);
}

/* Its SubscribeURL would undo it: that is for people to decide. */
static void
note_unsubscribed(struct sns_request *r)
{
	log_subscription(r, LOG_ERROR, "sns-unsubscribed",
	    "no more feedback comes from this topic: somebody has ended the "
	    "subscription");
	sns_finish(r, SNS_TAKEN, NULL);
}

static void (*const act[])(struct sns_request *) = {
	[SNS_NOTIFICATION] = take_notification,
	[SNS_SUBSCRIPTION_CONFIRMATION] = confirm,
	[SNS_UNSUBSCRIBE_CONFIRMATION] = note_unsubscribed,
};

void
sns_act(struct sns_request *r)
{
	act[r->m.type](r);
}
