/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a transfer ended, in the terms of http_done_fn: libcurl's verdict, and
 * our own where we ended it.
 */
#include <config.h>
#include "backends/http/http_impl.h"

#include <errno.h>
#include <openssl/x509_vfy.h>
#include <string.h>
#include "backends/base/encode.h"

static int fail(struct http_transfer *t, struct err *err, enum err_class class,
		int code, const char *what)
{
	cleanup_buf struct buf detail = BUF_INIT;

	/* curl quotes certificates and replies: somebody else's bytes. */
	encode_prose(&detail, t->curl_text, strlen(t->curl_text),
		     HTTP_ERROR_TEXT_MAX);
	return err_set(err, class, code, "%s %s: %s%s%s",
		       http_method_name(t->rq.method), t->host, what,
		       detail.len ? ": " : "", detail.len ? detail.data : "");
}

/* What OpenSSL says of peers that nothing but another configuration helps. */
static const char *tls_advice(const struct http_transfer *t)
{
	static const struct {
		const char *reason, *advice;
	} known[] = {
		{ "unsupported protocol", "it has nothing newer than TLS 1.1" },
		{ "protocol version", "it has nothing newer than TLS 1.1" },
		{ "wrong version number",
		  "that is no TLS: write override_url http://... where "
		  "requests may travel unencrypted" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strstr(t->curl_text, known[i].reason))
			return known[i].advice;
	return NULL;
}

static int connect_result(struct http_transfer *t, struct err *err)
{
	const char *advice = tls_advice(t);

	if (!advice)
		return fail(t, err, ERR_RETRY, ECONNRESET, "no TLS connection");
	(void)fail(t, err, ERR_AUTH, EACCES, "TLS is refused");
	return err_set(err, ERR_AUTH, EACCES, "%s; %s", err->text, advice);
}

/* An authority that is not known can be named; other faults are the peer's. */
static int verify_result(struct http_transfer *t, struct err *err)
{
	long why = 0;
	int r = fail(t, err, ERR_AUTH, EACCES, "TLS is refused");

	(void)curl_easy_getinfo(t->easy, CURLINFO_SSL_VERIFYRESULT, &why);
	switch (why) {
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return err_set(err, ERR_AUTH, EACCES,
			       "%s; name the file of its authority: ca_file, or SSL_CERT_FILE",
			       err->text);
	default:
		return r;
	}
}

static int cut_result(struct http_transfer *t, struct err *err)
{
	t->curl_text[0] = '\0';
	switch (t->cut) {
	case HTTP_CUT_NONE:
	case HTTP_CUT_ERROR_BODY:
		return 0;
	case HTTP_CUT_BODY:
		return fail(t, err, ERR_CORRUPT, EBADMSG,
			    "the body is longer than what was asked for");
	case HTTP_CUT_HEADERS:
		return fail(t, err, ERR_CORRUPT, EBADMSG,
			    "the headers are longer than the limit");
	case HTTP_CUT_FRAMING:
		return fail(t, err, ERR_RETRY, ECONNRESET,
			    "both Content-Length and Transfer-Encoding");
	case HTTP_CUT_ADDRESS:
		return fail(t, err, ERR_AUTH, EACCES,
			    "the name leads to an address of this machine or "
			    "its metadata service, which only an address "
			    "written as override_url may");
	case HTTP_CUT_MEMORY:
		break;
	}
	return err_nomem(err);
}

/*
 * A body that only the end of the connection ends cannot be told from a cut
 * one.  Where dst says how much there must be, the caller can.
 */
static bool is_end_unknown(struct http_transfer *t)
{
	curl_off_t length = -1;

	if (!t->rq.grow || t->rq.method == HTTP_HEAD || t->is_chunked ||
	    t->rs.status < 200 || t->rs.status > 299 || t->rs.status == 204)
		return false;
	(void)curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T,
				&length);
	return length < 0;
}

static int curl_result(struct http_transfer *t, CURLcode code, struct err *err)
{
	switch (code) {
	case CURLE_OK:
		if (buf_failed(&t->rs.headers) || buf_failed(&t->rs.error_body))
			return err_nomem(err);
		if (is_end_unknown(t))
			return fail(t, err, ERR_CORRUPT, EBADMSG,
				    "a body without length or chunks");
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return fail(t, err, ERR_RETRY, ETIMEDOUT, "timed out");
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return fail(t, err, ERR_RETRY, ECONNRESET,
			    "no address for this name");
	case CURLE_COULDNT_CONNECT:
		return fail(t, err, ERR_RETRY, ECONNRESET, "no connection");
	case CURLE_PARTIAL_FILE:
		return fail(t, err, ERR_RETRY, ECONNRESET, "the body was cut");
	case CURLE_SSL_CONNECT_ERROR:
		return connect_result(t, err);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		return verify_result(t, err);
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return fail(t, err, ERR_AUTH, EACCES, "TLS is refused");
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_FILESIZE_EXCEEDED:
	case CURLE_BAD_CONTENT_ENCODING:
		return fail(t, err, ERR_CORRUPT, EBADMSG, "not HTTP/1.1");
	case CURLE_OUT_OF_MEMORY:
		/* Also what libcurl says of a line of more than 100 KB. */
		if (t->header_bytes && !t->is_head_done)
			return fail(t, err, ERR_CORRUPT, EBADMSG,
				    "a header is longer than the limit");
		return err_nomem(err);
	default:
		return fail(t, err, ERR_RETRY, ECONNRESET,
			    curl_easy_strerror(code));
	}
}

static bool is_tls_failure(CURLcode code)
{
	static const CURLcode codes[] = {
		CURLE_SSL_CONNECT_ERROR,       CURLE_PEER_FAILED_VERIFICATION,
		CURLE_SSL_CACERT_BADFILE,      CURLE_SSL_CERTPROBLEM,
		CURLE_SSL_INVALIDCERTSTATUS,   CURLE_SSL_ISSUER_ERROR,
		CURLE_SSL_CIPHER,
	};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (code == codes[i])
			return true;
	return false;
}

/* libcurl counts each step from the beginning; 0: it was not reached. */
static void read_timing(struct http_transfer *t, CURLcode code)
{
	struct http_timing *out = t->rq.timing;
	curl_off_t resolved = 0, connected = 0, secured = 0, answered = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved);
	(void)curl_easy_getinfo(t->easy, CURLINFO_CONNECT_TIME_T, &connected);
	(void)curl_easy_getinfo(t->easy, CURLINFO_APPCONNECT_TIME_T, &secured);
	(void)curl_easy_getinfo(t->easy, CURLINFO_STARTTRANSFER_TIME_T,
				&answered);
	out->is_tls_failed = is_tls_failure(code);
	if (resolved > 0)
		out->resolve_us = resolved;
	if (connected > 0)
		out->connect_us = connected - resolved;
	if (secured > 0)
		out->tls_us = secured - connected;
	if (t->is_head_done)
		out->answer_us = answered - (secured > 0 ? secured : connected);
}

int http_transfer_result(struct http_transfer *t, CURLcode code,
			 struct err *err)
{
	long connects = 0;

	if (t->rq.timing)
		read_timing(t, code);
	(void)curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
	t->rs.reused = code != CURLE_OK && t->header_bytes == 0 &&
		       connects == 0;
	return t->cut ? cut_result(t, err) : curl_result(t, code, err);
}
