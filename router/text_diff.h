/*
 * text_diff.h - what is different between two texts, as a unified diff for people.
 *
 * By lines, with three lines of context; the shortest one (E. Myers, An O(ND) Difference Algorithm,
 * 1986) as long as that is cheap. Where two texts have too little in common, all between what they
 * begin and end with is one piece, out and in: so it is bounded whatever the texts are.
 */
#ifndef ROUTER_TEXT_DIFF_H
#define ROUTER_TEXT_DIFF_H

#include <stddef.h>

struct str;

/* Appends "--- NAME", "+++ NAME" and the pieces; nothing when the texts are the same. Any thread. */
void text_diff(struct str *out, const char *name, const char *from, size_t from_len,
    const char *to, size_t to_len);

#endif
