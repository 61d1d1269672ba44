/*
 * console_head.h - what a request to the console says of itself in its header: which host it means, where it comes
 * from, its cookies. All of it is the client's word, and most of it may be an attacker's.
 */
#ifndef ROUTER_HTTP_CONSOLE_HEAD_H
#define ROUTER_HTTP_CONSOLE_HEAD_H

#include <stdbool.h>
#include <stddef.h>

struct config_web;

/*
 * Whether Host is the listener's own address, one of its names, or localhost when it is loopback; any address in
 * digits when it listens on all. Whatever the port: it may be forwarded. A page of somebody else's whose name has
 * been made to lead here (DNS rebinding) has another Host. NULL is none, which is wrong.
 */
bool console_host_fits(const struct config_web *, const char *host);

/* Whether Origin is the page's own: the scheme (https when the listener has TLS) and the very Host. */
bool console_origin_fits(const char *origin, const char *host, bool tls);

/* The value of a cookie (RFC 6265 4.2.1), in a buffer of `room`; false: there is none that fits. */
bool console_cookie(const char *cookies, const char *name, char *value, size_t room);

/* "ja" or "en", whichever Accept-Language names first; "ja" when neither. */
const char *console_language(const char *accepted);

/* Whether Accept-Encoding takes gzip (RFC 9110 12.5.3). */
bool console_takes_gzip(const char *accepted);

/* Whether If-None-Match has that entity tag (RFC 9110 13.1.2), weak or not. */
bool console_has_tag(const char *tags, const char *tag);

#endif
