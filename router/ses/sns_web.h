/*
 * sns_web.h - what SNS posts to /sns: checked in the order that costs a forger most and us least, settled, and
 * only then answered with 200. Amazon thread only.
 *
 * Topic allow-list, size, replay window and duplicate ids come before any certificate is fetched. Raw delivery
 * is unsigned and refused. 4xx: it will never be good; 503: our own trouble, SNS is to try again.
 */
#ifndef ROUTER_SES_SNS_WEB_H
#define ROUTER_SES_SNS_WEB_H

#include "mta/base/err.h"

struct amazon;
struct sns_web;
struct web;

/* Opens the listener of each web section of amazon->config that serves "sns", and serves /sns there; they
 * stay as they are until the end. NULL with *e. */
struct sns_web *sns_web_new(struct amazon *, struct err *e);
/* Those in hand are answered with 503. Before amazon->feedback and amazon->https; not inside their calls. */
void sns_web_free(struct sns_web **);
void sns_web_configure(struct sns_web *); /* topics and the like are those of amazon->config now */
/* Serves /sns at another listener too, the caller's, who frees it afterwards. */
void sns_web_serve(struct sns_web *, struct web *);

#endif
