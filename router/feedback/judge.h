/*
 * judge.h - from a report that came by mail to what it does to our recipients.
 *
 * A report is a stranger's word. Whose mail it is about is believed for a token that only we can have made: of the
 * address that it came to, of the return path that it quotes, of our X-Oiwake-ID; each of them says more than what
 * the report names. Without any, its Message-ID and address may still find a recipient, which gives an event and
 * counts, but suppresses nothing. Pure, any thread.
 */
#ifndef ROUTER_FEEDBACK_JUDGE_H
#define ROUTER_FEEDBACK_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mta/outcome.h"
#include "router/store/store.h"

struct config;
struct report;
struct report_part;
struct return_path;

enum judge_proof {
	PROOF_NONE,
	PROOF_ADDRESS,     /* the signed address that it came to: one recipient, or a message to several */
	PROOF_RETURN_PATH, /* that of the mail it quotes: likewise */
	PROOF_ID,          /* X-Oiwake-ID of the mail it quotes: one message */
	PROOF_MESSAGE_ID,  /* no proof: the Message-ID of the mail it quotes */
};
const char *judge_proof_name(enum judge_proof); /* "address", "return-path", "x-oiwake-id", "message-id"; "" */
bool judge_is_proved(enum judge_proof);

/* Which recipient or message it claims to be about. */
struct judge_claim {
	enum judge_proof proof;
	int64_t message;         /* 0: to be found by Message-ID */
	unsigned index;          /* RETURN_PATH_MESSAGE: by address */
};
/* `to`: the token of the address that it came to; NULL: that was none of those. */
void judge_claim(const struct config *, const struct report *, const struct return_path *to, int64_t now,
    struct judge_claim *);

/* A recipient of ours that it may be about, as the store knows it. */
struct judge_known {
	int64_t message;
	unsigned index;
	char *address, *path, *carrier, *group;
};
/* Whether a part of the report names that address, as it stands or as its alias. */
bool judge_names(const struct report *, const char *address);

/* One thing to be told to the store. */
struct judged {
	struct feedback feedback;         /* what it points to is here, or was given */
	struct outcome outcome;
	struct suppress_cause cause;
	char *evidence;
	bool hard;                        /* what its reason says of the address is for ever */
	const struct report_part *part;
};
struct judgement {
	struct judged *told;
	size_t n;
	const char *why;                  /* nobody is meant, or nothing said: a sentence. NULL: there is nothing
					     that a human should look at */
};
/* `known`: the recipient of the claim, or all those of its message that may be meant, or of all messages of that
 * Message-ID. All of it must outlive the judgement. */
void judge(const struct config *, const struct report *, const struct judge_claim *, const struct judge_known *known,
    size_t nknown, int64_t now, struct judgement *);
void judgement_clear(struct judgement *);

#endif
