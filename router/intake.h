/*
 * intake.h - from an SMTP session to the store: admit, keep, hand over.
 *
 * The handler of inbound sessions. Runs in an I/O thread; answers 250 only when the store has
 * committed.
 */
#ifndef ROUTER_INTAKE_H
#define ROUTER_INTAKE_H

#include <sys/socket.h>

struct io;
struct listener;

/* Takes over an accepted, non-blocking socket. */
void intake_open(struct io *, struct listener *, int fd, const struct sockaddr *peer,
    socklen_t peer_len);

/* No further commands: 421 at the next border. */
struct intake;
void intake_shutdown(struct intake *);

#endif
