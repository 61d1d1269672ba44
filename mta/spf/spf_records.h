/*
 * spf_records.h - turns a DNS answer into what libspf2 wants to see.
 *
 * Of TXT records only those of SPF go to the child; names that are no hosts' and addresses of a
 * wrong size do not.
 */
#ifndef MTA_SPF_SPF_RECORDS_H
#define MTA_SPF_SPF_RECORDS_H

#include "mta/spf/spf_limits.h"

/*
 * Adds the values of an answer (DNS_OK) to a frame begun by spf_pipe_put_answer, and tells the limits
 * about hosts. `type` is one that a question may have. Returns NULL, or the sentence why the records
 * are broken for every receiver.
 */
const char *spf_records_put(struct str *frame, int type, const struct dns_answer *,
    struct spf_limits *);

#endif
