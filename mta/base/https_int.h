/*
 * https_int.h - the inside of https: the client and its loop (https.c), one request (https_call.c).
 */
#ifndef MTA_BASE_HTTPS_INT_H
#define MTA_BASE_HTTPS_INT_H

#include <curl/curl.h>

#include "mta/base/https.h"
#include "mta/base/str.h"

struct https {
	struct event_base *base;
	CURLM *multi;
	struct event *timer;
};

struct https_call {
	struct https *https;
	CURL *easy;
	struct curl_slist *headers, *resolve, *connect;

	const char *body;
	size_t body_len, given;   /* of the body, to libcurl */
	ssize_t (*read)(void *, char *, size_t);
	void *read_arg;

	struct str answer;
	size_t max_answer, header_bytes;
	bool head_ended;
	struct err own; /* why we ended it ourselves */
	char problem[CURL_ERROR_SIZE];
	bool spent; /* an attempt broke, whose request had gone out */
	bool ended;
	void (*done)(void *, const struct https_answer *);
	void *arg;
};

/* "Its answer is longer than ... bytes": why it was ended. */
void https_call_too_long(struct https_call *);
/* Frees it, wherever it is. */
void https_call_release(struct https_call *);

#endif
