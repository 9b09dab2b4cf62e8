/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of authorities, looked at before a TLS connection needs it: curl says
 * of a bad one only that it is bad, once for each connection.
 */
#include <config.h>

#include "backends/http/http.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "backends/base/io.h"

/* No reason of OpenSSL: the end of the file, rather than a broken block. */
static bool is_end(void)
{
	unsigned long e = ERR_peek_last_error();

	return !e || (ERR_GET_LIB(e) == ERR_LIB_PEM &&
		      ERR_GET_REASON(e) == PEM_R_NO_START_LINE);
}

static int count_certificates(BIO *bio, unsigned *n, struct err *err)
{
	X509 *cert;
	bool ended;

	ERR_clear_error();
	for (*n = 0; (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)); ++*n)
		X509_free(cert);
	ended = is_end();
	ERR_clear_error();
	if (!ended)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "its certificate number %u is damaged", *n + 1);
	if (*n == 0)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
	return 0;
}

int http_ca_file_check(const char *path, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	unsigned n;
	BIO *bio;
	int r = io_read_file(path, HTTP_CA_BYTES_MAX, &text, err);

	if (r < 0)
		return r;
	bio = BIO_new_mem_buf(text.data ? text.data : "", (int)text.len);
	if (!bio)
		return err_nomem(err);
	r = count_certificates(bio, &n, err);
	BIO_free(bio);
	return r;
}
