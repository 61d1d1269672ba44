/*
 * dkim_loan.h - a parsed private key, lent to libopendkim.
 *
 * libopendkim takes a key as PEM text only and parses it again for each message, which costs more
 * than the signature itself: with OpenSSL 3.0, 1.3 ms for parsing, and a fresh RSA key's first
 * signature takes twice as long as any later one. While a loan is made, what it parses is answered
 * with the key that is parsed already.
 */
#ifndef MTA_DKIM_LOAN_H
#define MTA_DKIM_LOAN_H

#include <openssl/evp.h>

/*
 * From here to dkim_loan_end, PEM_read_bio_PrivateKey gives this thread a further reference to the
 * key, whatever text it is given. Where the program is linked so that libopendkim does not reach
 * our function, it parses as ever: the text has to be the same key's.
 */
void dkim_loan_begin(EVP_PKEY *);
void dkim_loan_end(void);

#endif
