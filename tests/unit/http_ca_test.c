/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/http/http.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* openssl req -x509 -newkey ec ...: of nobody, its key was thrown away. */
static const char pem[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBiTCCAS+gAwIBAgIUeNu1RSWsD7meCX2jJ6kFc7ONvS4wCgYIKoZIzj0EAwIw\n"
	"GTEXMBUGA1UEAwwOZGF0YXNldGZzLXRlc3QwIBcNMjYxMTI0MjA1ODQwWhgPMjEy\n"
	"NjEwMzEyMDU4NDBaMBkxFzAVBgNVBAMMDmRhdGFzZXRmcy10ZXN0MFkwEwYHKoZI\n"
	"zj0CAQYIKoZIzj0DAQcDQgAE75uEnBvUmADbTl4qzhCMOJ7UTa1sWJ6FdAIq4aeB\n"
	"2fzMxBBX4l/ip135j2CaDY7linh7ck1tE8qBOrEPCcYsXaNTMFEwHQYDVR0OBBYE\n"
	"FJNOEEUicZfHfkWoF3Uf/p/XQTJDMB8GA1UdIwQYMBaAFJNOEEUicZfHfkWoF3Uf\n"
	"/p/XQTJDMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAJUQg0ZF\n"
	"S/e7vkxnBW7TgInz7G34xVABt8ST6d5qYlRVAiAnaxqL2a0j7lbY/ZED1ImbTwEk\n"
	"bayAqK35m1o3rGXqyw==\n"
	"-----END CERTIFICATE-----\n";

/* The result for a file that holds n bytes of text. */
static int check(const char *text, size_t n, struct err *err)
{
	char path[] = "/tmp/datasetfs-ca-test-XXXXXX";
	int fd = mkstemp(path);
	int r;

	cr_assert(fd >= 0 && write(fd, text, n) == (ssize_t)n);
	r = http_ca_file_check(path, err);
	close(fd);
	unlink(path);
	return r;
}

Test(http_ca, one_certificate_is_enough_and_two_with_words_between_are_fine)
{
	struct err err = ERR_INIT;
	char *two;

	cr_assert_eq(check(pem, strlen(pem), &err), 0, "%s", err.text);
	cr_assert_gt(asprintf(&two, "# one\n%s\n# two\n%s", pem, pem), 0);
	cr_assert_eq(check(two, strlen(two), &err), 0, "%s", err.text);
	free(two);
}

Test(http_ca, a_file_without_a_certificate_is_refused)
{
	static const char *const texts[] = { "", "hello\n" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct err err = ERR_INIT;

		cr_assert_eq(check(texts[i], strlen(texts[i]), &err),
			     -EBADMSG);
		cr_assert_eq(err.class, ERR_CORRUPT);
		cr_assert(strstr(err.text, "holds no certificate"));
	}
}

Test(http_ca, a_second_certificate_that_was_cut_or_changed_is_named)
{
	struct err err = ERR_INIT;
	char *two;
	size_t len;

	cr_assert_gt(asprintf(&two, "%s%s", pem, pem), 0);
	len = strlen(two);
	cr_assert_eq(check(two, len - 40, &err), -EBADMSG);
	cr_assert(strstr(err.text, "certificate number 2 is damaged"), "%s",
		  err.text);
	two[strlen(pem) + 60] = '!';
	cr_assert_eq(check(two, len, &err), -EBADMSG);
	cr_assert(strstr(err.text, "certificate number 2 is damaged"), "%s",
		  err.text);
	free(two);
}

Test(http_ca, a_missing_file_is_missing)
{
	struct err err = ERR_INIT;

	cr_assert_eq(http_ca_file_check("/nonexistent/ca.pem", &err), -ENOENT);
	cr_assert_eq(err.class, ERR_MISSING);
}
