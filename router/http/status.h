/*
 * status.h - HTTP's words for its status codes (RFC 9110 15).
 */
#ifndef ROUTER_HTTP_STATUS_H
#define ROUTER_HTTP_STATUS_H

const char *http_status_text(int status);

#endif
