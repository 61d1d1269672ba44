/*
 * dot.h - dot-stuffing: how a message travels inside DATA (RFC 5321 4.5.2).
 *
 * Streaming and byte-exact: the pieces may be cut anywhere, and what the peer
 * unstuffs is the message that went in, plus a final CRLF where the message had
 * none. A bare CR or LF is refused, because peers disagree about where such a
 * line ends and one of them may take what follows for SMTP commands.
 * client_body.c is the caller.
 */
#ifndef MTA_SMTP_DOT_H
#define MTA_SMTP_DOT_H

#include <stdbool.h>
#include <stddef.h>

struct dot {
	bool begin; /* at the beginning of a line */
	bool cr;    /* the last byte was a CR whose LF has not come yet */
};

/* Most bytes that len bytes become: every third one may begin a line ("." CR
 * LF). */
#define DOT_ROOM(len) ((len) + ((len) + 2) / 3)

void dot_init(struct dot *);
/*
 * Writes the stuffed form of src to dst, which has DOT_ROOM(len) bytes. src may
 * be the last len bytes of dst: the output never overtakes the input. Returns 0
 * with the count in *out, or -1 when the message holds a bare CR or LF; nothing
 * of it may be sent on then.
 */
int dot_stuff(
    struct dot *, char *dst, const char *src, size_t len, size_t *out);
/* Closes the last line if it is open: "" or CR LF. -1 when the message ends in
 * a bare CR. */
int dot_close(struct dot *, const char **text);

#endif
